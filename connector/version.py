# SPDX-License-Identifier: Apache-2.0
"""The version of the installed distribution.

Owns the one way to ask for it. Never holds a number of its own: that would be a second truth beside the package's.
"""

from __future__ import annotations

DISTRIBUTION = "button-connector"


def version() -> str:
    """Return the installed version, or ``unknown`` when the package runs from a bare checkout."""
    # Costs as much as the rest of the command line together, and is seldom asked for.
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415  see above
    from importlib.metadata import version as installed  # noqa: PLC0415  see above

    try:
        return installed(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
