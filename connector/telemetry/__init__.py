# SPDX-License-Identifier: Apache-2.0
"""Traces by OpenTelemetry: an extra, whose modules are imported only where ``tracing.enabled`` is set.

Owns the question whether the extra is there. Imports nothing of it.
"""

from importlib.util import find_spec


def is_installed() -> bool:
    """Tell whether the extra's packages are there; its exporter needs all the others."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False
