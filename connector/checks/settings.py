# SPDX-License-Identifier: Apache-2.0
"""The settings: what the libraries say of them that they are for, and the sums that have to hold.

Owns no rule: those are the settings' own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector import preflight, wiring
from connector.checks.findings import Finding, failed, ok
from connector.settings import sums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connector.settings import Problem, Settings

_AREA = "settings"


def settings_findings(settings: Settings, contradictions: Sequence[Problem]) -> Iterator[Finding]:
    """Yield what is to be said of the settings alone; asks no other machine."""
    refused = preflight.refused_settings(settings, wiring.connection(settings.kafka))
    for problem in refused:
        yield failed(_AREA, problem.setting, problem.message)
    if not refused:
        yield ok(_AREA, "settings", "every value can be used")
    for contradiction in contradictions:
        yield failed("sums", ", ".join(contradiction.keys), contradiction.what, contradiction.remedy)
    for each in sums(settings):
        if each.is_kept:
            yield ok("sums", "settings", str(each))
