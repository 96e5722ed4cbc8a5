# SPDX-License-Identifier: Apache-2.0
"""Events as spans: the trace that a record's headers name goes on through us to Button.

Owns the engine's ``Tracer`` port, and what of a trace leaves for Button. A span holds positions, names of outcomes and
statuses: never a word of an event or of an answer, never an exception's message. Only the W3C trace context is read
and passed on: baggage, and what other systems keep in ``tracestate``, is none of Button's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from connector.domain.responses import AlreadyApplied, Answer, Applied, Found, NotFound, interpret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from opentelemetry.trace import Span
    from opentelemetry.trace import Tracer as OtelTracer

    from connector.domain.orders import Operation
    from connector.domain.responses import Outcome, Reply
    from connector.engine.ports import RawRecord

_TRACEPARENT = "traceparent"
_TRACESTATE = "tracestate"
_PREFIX = "button_connector."
_PROPAGATOR = TraceContextTextMapPropagator()


class SpanTracer:
    """Implements :class:`connector.engine.ports.Tracer`."""

    def __init__(self, tracer: OtelTracer) -> None:
        """Make spans with ``tracer``."""
        self._tracer = tracer

    def begin(self, record: RawRecord, index: int | None) -> SpanTrace:
        """Begin the span of an event; its parent is who wrote the record's ``traceparent``, if anybody did."""
        topic, partition = record.topic_partition
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": record.offset,
        }
        if index is not None:
            attributes[_PREFIX + "event_index"] = index
        span = self._tracer.start_span(
            f"process {topic}",
            _PROPAGATOR.extract(_trace_context(record.headers)),
            SpanKind.CONSUMER,
            attributes,
        )
        return SpanTrace(self._tracer, span)


class SpanTrace:
    """Implements :class:`connector.engine.ports.EventTrace`."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: OtelTracer, span: Span) -> None:
        """Go on below the event's ``span``."""
        self._tracer = tracer
        self._span = span

    async def attempt(self, operation: Operation, number: int, reply: Awaitable[Reply]) -> Reply:
        """Await the reply within a span of its own, which :func:`request_headers` then finds."""
        span = self._tracer.start_span(
            f"{operation.value} order",
            set_span_in_context(self._span),
            SpanKind.CLIENT,
            {_PREFIX + "operation": operation.value, _PREFIX + "attempt": number},
        )
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            answer = await reply
            _note(span, answer, interpret(operation, answer))
        return answer

    def end(self, outcome: str, reason: str) -> None:
        """End the event's span."""
        self._span.set_attributes({_PREFIX + "outcome": outcome, _PREFIX + "reason": reason})
        if outcome == "dead_letter":
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def request_headers() -> dict[str, str]:
    """Return the headers that continue the span of the attempt under way in a request."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return {name: value for name, value in headers.items() if name == _TRACEPARENT}


def _note(span: Span, answer: Reply, outcome: Outcome) -> None:
    span.set_attribute(_PREFIX + "result", "applied" if isinstance(outcome, Applied) else outcome.reason)
    if isinstance(answer, Answer):
        span.set_attribute("http.response.status_code", answer.status)
    if not isinstance(outcome, Applied | AlreadyApplied | Found | NotFound):
        span.set_status(StatusCode.ERROR)


def _trace_context(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {
        name.lower(): value.decode("latin-1")
        for name, value in headers
        if value and name.lower() in {_TRACEPARENT, _TRACESTATE}
    }
