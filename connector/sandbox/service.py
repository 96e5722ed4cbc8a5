# SPDX-License-Identifier: Apache-2.0
"""The Order API without its wire: a request in, an answer and what shall happen to it out.

Owns the state (orders, log, switches, fault rules, attempts) and the order of the checks. Knows nothing of sockets or
timers; the connection asks it to begin a request, to carry it out, and tells it how the request ended. Everything runs
on the event loop's thread, so a call is carried out whole.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from connector.sandbox.answers import Answer, answer_of, blown_up, error_answer
from connector.sandbox.faults import NOTHING, Attempt, Fault, Faults, Play
from connector.sandbox.gate import Gate
from connector.sandbox.orders import OrderBook, Result
from connector.sandbox.request_log import Entry, Request, RequestLog
from connector.sandbox.routes import Call, NoSuchMethod, NoSuchPath, Operation, call_of
from connector.sandbox.switches import Switches, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connector.sandbox.request_log import Outcome

_KEY_SWITCHES = frozenset({"api_key", "next_api_key", "rotate_key_after_seconds"})


@dataclass(slots=True)
class Exchange:
    """A request on its way through; ``answer`` is there once it is known."""

    request: Request
    log: RequestLog
    entry: Entry
    call: Call | None = None
    body: Mapping[str, object] = field(default_factory=dict)
    play: Play = NOTHING
    answer: Answer | None = None


@dataclass(slots=True)
class Service:
    """One sandbox's state, and what each request does to it."""

    switches: Switches
    log_limit: int
    observe: Callable[[Entry], None] | None = None
    switched: Callable[[], None] | None = None
    orders: OrderBook = field(init=False)
    log: RequestLog = field(init=False)
    faults: Faults = field(init=False)
    accepted: int = 0
    reset_on_accept: int = 0
    _gate: Gate = field(init=False)
    _attempts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Start empty."""
        self.orders = OrderBook(self.switches)
        self.log = RequestLog(self.log_limit)
        self.faults = Faults(self.switches)
        self._gate = Gate(time.monotonic())

    def begin(self, request: Request, connection: int, now: float) -> Exchange:
        """Log a request, judge whether it may pass, and decide what it meets."""
        call = call_of(request.method, request.path, self.switches)
        operation = str(call.operation) if isinstance(call, Call) else "unknown"
        entry = self.log.start(request, connection, operation, now)
        exchange = Exchange(request, self.log, entry)
        if isinstance(call, Call):
            self._admit(exchange, call, now)
        else:
            exchange.answer = self._nothing_there(request, call)
        return exchange

    def _nothing_there(self, request: Request, call: NoSuchPath | NoSuchMethod) -> Answer:
        if isinstance(call, NoSuchMethod):
            headers = {"Allow": ", ".join(call.allowed)}
            return error_answer(405, f"{request.method} is not allowed here", self.switches.error_body, headers)
        return error_answer(404, "There is nothing at this path", self.switches.error_body)

    def _admit(self, exchange: Exchange, call: Call, now: float) -> None:
        entry, body = exchange.entry, _body_of(call, exchange.request.body)
        entry.order_id = _order_id_of(call, body)
        exchange.answer = self._gate.refusal(self.switches, exchange.request.authorization, entry.order_id, now)
        if exchange.answer is None and body is None:
            exchange.answer = error_answer(400, "body: must be a JSON object", self.switches.error_body)
        if exchange.answer is not None or body is None:
            return
        exchange.call, exchange.body = call, body
        exchange.play = self._play(entry)

    def _play(self, entry: Entry) -> Play:
        order_id = entry.order_id or ""
        self._attempts[order_id, entry.operation] += 1
        entry.attempt = self._attempts[order_id, entry.operation]
        attempt = Attempt(order_id, entry.operation, entry.attempt)
        play = self.faults.decide(attempt, self.log.open)
        entry.fault = None if play.fault is None else str(play.fault)
        entry.delay_seconds = play.delay_seconds
        return play

    def carry_out(self, exchange: Exchange, now: float) -> None:
        """Do what the request asks for, unless its fault forbids it, and set its answer."""
        if exchange.answer is not None or exchange.call is None:
            return
        play, entry = exchange.play, exchange.entry
        if play.fault is None or play.fault.takes_the_order:
            result = self._perform(exchange.call, exchange.body, now)
            entry.result, entry.applied, entry.taken = result.status, result.applied, now
            exchange.answer = answer_of(result, self.switches.error_body)
        exchange.answer = self._spoilt(play, exchange.answer)

    def _perform(self, call: Call, body: Mapping[str, object], now: float) -> Result:
        order_id = call.order_id or ""
        match call.operation:
            case Operation.CREATE:
                return self.orders.create(body, now)
            case Operation.UPDATE:
                return self.orders.update(order_id, body, now)
            case Operation.CANCEL:
                return self.orders.cancel(order_id, now)
            case Operation.GET:
                return self.orders.get(order_id, now)
            case Operation.GET_BY_BTN_REF:
                return self.orders.get_by_btn_ref(order_id, now)

    def _spoilt(self, play: Play, answer: Answer | None) -> Answer | None:
        match play.fault:
            case Fault.FAIL | Fault.FAIL_AFTER:
                return error_answer(play.status, "The sandbox plays a failure", self.switches.error_body)
            case Fault.REDIRECT:
                return error_answer(307, "Redirected", self.switches.error_body, {"Location": "/redirected"})
            case Fault.META_ERROR:
                return error_answer(200, "The sandbox plays an error under 200")
            case Fault.PAGE:
                return Answer(200, b"<!doctype html><title>Welcome</title>", "text/html; charset=utf-8")
            case Fault.HUGE_BODY if answer is not None:
                return blown_up(answer, self.switches.huge_body_bytes)
            case _:
                return answer

    def finish(self, exchange: Exchange, outcome: Outcome, now: float) -> None:
        """Note how a request ended; only the first end counts."""
        if exchange.entry.outcome == "open":
            exchange.log.finish(exchange.entry, outcome, now)
            if self.observe is not None:
                self.observe(exchange.entry)

    def set(self, values: Mapping[str, object]) -> None:
        """Change switches; raises :class:`~connector.sandbox.switches.SwitchError` and then changes nothing."""
        self.switches = self.orders.switches = changed(self.switches, values)
        self.faults.follow(self.switches)
        if not _KEY_SWITCHES.isdisjoint(values):
            self._gate.keys_since = time.monotonic()
        if self.switched is not None:
            self.switched()

    def reset(self) -> None:
        """Forget orders, log, counts, attempts and fault rules; switches stay."""
        self.orders.clear()
        self.faults.rules.clear()
        self._attempts.clear()
        self.log = RequestLog(self.log_limit)
        self.accepted = self.reset_on_accept = 0


def _body_of(call: Call, body: bytes) -> Mapping[str, object] | None:
    if call.operation not in (Operation.CREATE, Operation.UPDATE):
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _order_id_of(call: Call, body: Mapping[str, object] | None) -> str | None:
    if call.operation is not Operation.CREATE:
        return call.order_id
    order_id = body.get("order_id") if body else None
    return order_id if isinstance(order_id, str) else None
