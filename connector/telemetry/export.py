# SPDX-License-Identifier: Apache-2.0
"""Where spans go: an OTLP collector over HTTP, by the variables that OpenTelemetry standardized (``OTEL_*``).

Owns the life of the exporter. It sends in batches from a thread of its own, and drops spans rather than hold up an
order. Never becomes the process's global tracer provider: nothing but ours is traced.
"""

from __future__ import annotations

import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from connector.telemetry.tracer import SpanTracer, request_headers

_NAME = "button-connector"


class Export:
    """Makes spans and sends them: ``tracer`` is for the engine, ``request_headers`` for whoever calls Button."""

    request_headers = staticmethod(request_headers)

    def __init__(self, version: str) -> None:
        """Send from now on; connects to nobody before there is a span."""
        ours = Resource.create({SERVICE_NAME: _NAME, SERVICE_VERSION: version})
        resource = ours.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = SpanTracer(self._provider.get_tracer(_NAME, version))

    def close(self, seconds: float) -> None:
        """Send what is left; blocks for so long at most."""
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(seconds)
