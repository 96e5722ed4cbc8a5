# SPDX-License-Identifier: Apache-2.0
"""A trace goes on from the record that a shop wrote to the request that Button gets, and holds nothing private."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connector.button.client import ButtonClient
from connector.domain.orders import Cancel, Create, LineItem, Operation, Order, Reject
from connector.domain.responses import Answer
from connector.engine.ports import RawRecord, TopicPartition
from connector.telemetry.tracer import SpanTracer, request_headers
from tests.simulation.bench import Bench
from tests.support import http_peers as peers
from tests.support.fakes import purchase
from tests.support.transports import for_each_transport
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from connector.domain.events import CommerceEvent
    from connector.domain.responses import Reply
    from tests.support.transports import Connect

# The example of the W3C's recommendation "Trace Context".
TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01".encode())
ORDER = Order("order-1", 1000, "USD", "2026-01-01T00:00:00Z", (LineItem("sku-1", 1000, 1),))
PREFIX = "button_connector."


class Rig(NamedTuple):
    """A tracer, and the spans that it ended."""

    tracer: SpanTracer
    exporter: InMemorySpanExporter

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that are over, the first to end first."""
        return list(self.exporter.get_finished_spans())


@pytest.fixture
def rig() -> Rig:
    """Give a tracer of its own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Rig(SpanTracer(provider.get_tracer("test")), exporter)


def record(*headers: tuple[str, bytes | None]) -> RawRecord:
    """Return a record with these headers."""
    return RawRecord(TopicPartition("orders", 3), 17, b"order-1", b"value", headers, 0)


def work_off(
    rig: Rig,
    meaning: list[CommerceEvent | Reject] | Reject,
    answers: Sequence[Reply] = (Answer(200, "ok"),),
) -> list[ReadableSpan]:
    """Let the engine work on one record that the W3C's example came with; return its spans."""

    async def main() -> None:
        bench = Bench(tracer=rig.tracer)
        bench.button.answer = lambda _call, attempt: answers[attempt - 1]
        emitted = bench.emit_meaning(0, meaning)
        bench.source.log[emitted.topic_partition] = [emitted._replace(headers=(TRACEPARENT,))]
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()

    run_in_virtual_time(main())
    return rig.spans()


def own(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of ours, without the prefix."""
    return {
        name.removeprefix(PREFIX): value for name, value in (span.attributes or {}).items() if name.startswith(PREFIX)
    }


def parent_of(span: ReadableSpan) -> str:
    """Return the id of the span's parent as headers write it."""
    assert span.parent is not None
    return f"{span.parent.span_id:016x}"


def id_of(span: ReadableSpan) -> str:
    """Return the span's id as headers write it."""
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def test_an_event_is_a_span_below_the_record_s_and_each_attempt_one_below_it(rig: Rig) -> None:
    """Who wrote the record sees in one trace what became of it, retries and all."""
    first, second, event = work_off(rig, [purchase("order-1")], [Answer(503), Answer(200, "ok")])
    assert {f"{span.context.trace_id:032x}" for span in (first, second, event) if span.context} == {TRACE_ID}
    assert parent_of(event) == PARENT_ID
    assert parent_of(first) == parent_of(second) == id_of(event)
    assert [span.name for span in (first, second, event)] == ["create order", "create order", "process orders"]
    assert own(first) == {"operation": "create", "attempt": 1, "result": "http_503"}
    assert own(second) == {"operation": "create", "attempt": 2, "result": "applied"}
    assert own(event) == {"event_index": 0, "outcome": "delivered", "reason": "applied"}
    assert [span.status.is_ok for span in (first, second, event)] == [False, True, True]


def test_a_span_says_which_record_it_is_about(rig: Rig) -> None:
    """By the names that OpenTelemetry gives to messaging."""
    event = work_off(rig, [purchase("order-1")])[-1]
    said = {name: value for name, value in (event.attributes or {}).items() if not name.startswith(PREFIX)}
    assert said == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "orders",
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 0,
    }


@pytest.mark.parametrize(
    ("meaning", "outcome"),
    [
        ([purchase("order-1", action="view_detail")], {"event_index": 0, "outcome": "skipped"}),
        ([purchase(None, action="view_detail")], {"event_index": 0, "outcome": "skipped"}),
        ([purchase("order-1", currency="ABC")], {"event_index": 0, "outcome": "dead_letter"}),
        ([purchase(None)], {"event_index": 0, "outcome": "dead_letter"}),
        ([Reject("bad_amount", "it is bad")], {"event_index": 0, "outcome": "dead_letter"}),
        (Reject("not_avro", "it is not Avro"), {"outcome": "dead_letter"}),
    ],
    ids=["skipped", "skipped without an order", "mapped", "without an order", "event", "record"],
)
def test_an_event_that_is_not_delivered_says_how_it_ended(
    rig: Rig,
    meaning: list[CommerceEvent | Reject] | Reject,
    outcome: dict[str, object],
) -> None:
    """A trace has an end wherever an event has one, with the reason that is counted."""
    (span,) = work_off(rig, meaning)
    attributes = own(span)
    assert attributes.pop("reason")
    assert attributes == outcome
    assert span.status.is_ok == (outcome["outcome"] == "skipped")


def test_a_refused_order_is_an_error_in_both_spans(rig: Rig) -> None:
    """The call failed, and so did the event."""
    attempt, event = work_off(rig, [purchase("order-1")], [Answer(422, "error", message="bob@example.com")])
    assert own(attempt)["result"] == own(event)["reason"] == "http_422"
    assert [attempt.status.is_ok, event.status.is_ok] == [False, False]
    assert (attempt.attributes or {})["http.response.status_code"] == 422


def test_the_events_of_one_record_are_siblings(rig: Rig) -> None:
    """Each has its own span below the record's."""
    spans = [span for span in work_off(rig, [purchase("a"), purchase("b")]) if span.name == "process orders"]
    assert {(parent_of(span), own(span)["event_index"]) for span in spans} == {(PARENT_ID, 0), (PARENT_ID, 1)}


@pytest.mark.parametrize(
    "header",
    [("other", b"x"), ("traceparent", None), ("traceparent", b"\xff\xfe"), ("traceparent", b"00-0-0-01")],
    ids=["none", "null", "not text", "not a traceparent"],
)
def test_a_record_that_names_no_trace_begins_one(rig: Rig, header: tuple[str, bytes | None]) -> None:
    """Foreign bytes in a header cost nobody an order."""
    rig.tracer.begin(record(header), 0).end("delivered", "applied")
    (span,) = rig.spans()
    assert span.parent is None


@for_each_transport
async def test_the_record_s_trace_goes_on_in_the_request(rig: Rig, connect: Connect) -> None:
    """The request names the record's trace and the attempt's span; nothing else of the headers leaves for Button."""
    headers = (TRACEPARENT, ("tracestate", b"shop=bob"), ("baggage", b"customer=bob"))
    async with peers.listening(peers.answers(200, b'{"meta":{"status":"ok"}}')) as peer, connect(peer.url) as transport:
        client = ButtonClient(transport, lambda: "sk-1", trace_headers=request_headers)
        trace = rig.tracer.begin(record(*headers), 0)
        await trace.attempt(Operation.CREATE, 1, client.send(Create(ORDER)))
        await trace.attempt(Operation.CANCEL, 1, client.send(Cancel("order-1")))
    attempts = rig.spans()
    assert [request.headers["traceparent"] for request in peer.requests] == [
        f"00-{TRACE_ID}-{id_of(span)}-01" for span in attempts
    ]
    assert "bob" not in str([request.headers for request in peer.requests])
    assert request_headers() == {}


@for_each_transport
async def test_a_trace_that_is_not_sampled_stays_so(rig: Rig, connect: Connect) -> None:
    """Who began the trace decided; the request says so, too."""
    headers = ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-00".encode())
    async with peers.listening(peers.answers(200, b'{"meta":{"status":"ok"}}')) as peer, connect(peer.url) as transport:
        client = ButtonClient(transport, lambda: "sk-1", trace_headers=request_headers)
        await rig.tracer.begin(record(headers), 0).attempt(Operation.CREATE, 1, client.send(Create(ORDER)))
    _, trace_id, _, flags = peer.requests[0].headers["traceparent"].split("-")
    assert (trace_id, flags, rig.spans()) == (TRACE_ID, "00", [])


@for_each_transport
async def test_without_tracing_a_request_has_no_such_header(connect: Connect) -> None:
    """Nothing is told to Button that nobody asked for."""
    async with peers.listening(peers.answers(200, b'{"meta":{"status":"ok"}}')) as peer, connect(peer.url) as transport:
        await ButtonClient(transport, lambda: "sk-1").send(Create(ORDER))
    assert "traceparent" not in peer.requests[0].headers


async def test_what_an_exception_says_is_in_no_span(rig: Rig) -> None:
    """A bug's message may hold anything."""

    async def fail() -> Reply:
        message = "bob@example.com"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        await rig.tracer.begin(record(TRACEPARENT), 0).attempt(Operation.CREATE, 1, fail())
    (span,) = rig.spans()
    assert "bob" not in json.dumps(json.loads(span.to_json()))
