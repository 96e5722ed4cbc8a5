# SPDX-License-Identifier: Apache-2.0
"""Settings of the traces.

Owns their names and defaults. Where spans are sent is said by OpenTelemetry's own variables (``OTEL_*``).
"""

from pydantic import Field

from connector.settings.base import Area


class TracingSettings(Area):
    """Whether events are followed across systems."""

    enabled: bool = Field(
        default=False,
        description="Whether each event and each call to Button becomes a span of the trace that the record's "
        "traceparent header names. Needs the extra otel; where spans go is said by OTEL_EXPORTER_OTLP_ENDPOINT and "
        "the other variables of OpenTelemetry.",
    )
