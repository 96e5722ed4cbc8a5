# SPDX-License-Identifier: Apache-2.0
"""The demo from its first process to its last.

Owns the order of things: Kafka, sandbox, connector; a shop's day, paced; the wait until everything is committed; the
orderly stop; the reconciliation. Whatever happens, all processes are ended.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.demo.expectation import expect
from connector.demo.parts import API_KEY, start_connector, start_kafka, start_sandbox
from connector.demo.reconciliation import Findings, Reconciliation, reconcile
from connector.demo.screen import Progress
from connector.demo.shop import Shop
from connector.demo.topics import DEAD_LETTERS, EVENTS, LEDGER, PARTITIONS, SESSIONS, GroupOffsets, Writer, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from connector.demo.parts import Connector, Sandbox
    from connector.demo.screen import Screen
    from connector.demo.shop import Day

GROUP = "button-connector"
CLOCK_SKEW = timedelta(seconds=5)
SETTLE_SECONDS = 30.0

_STOP_SECONDS = 15.0
_TICK_SECONDS = 0.1
_SANDBOX_SWITCHES = {
    "seed": 7,
    "fail_share": 0.05,
    "drop_after_share": 0.05,
    "delay_share": 0.2,
    "delay_ms": 150,
}


class Script(NamedTuple):
    """What is played; ``loses_one`` makes the sandbox lose an order, to see that it is noticed."""

    orders: int = 60
    seed: int = 7
    events_per_tick: int = 4
    loses_one: bool = False


class _Stage(NamedTuple):
    """Everything that is there while the shop is open."""

    bootstrap_servers: str
    sandbox: Sandbox
    connector: Connector
    writer: Writer
    offsets: GroupOffsets


def perform(script: Script, folder: Path, screen: Screen) -> Reconciliation:
    """Play the demo, with logs and settings in ``folder``, and return what the books say."""
    with ExitStack() as stack:
        screen.say("Starting an embedded Kafka, a sandbox of Button's Order API, and the connector ...")
        day = Shop(script.seed, time.time_ns() // 1_000_000).day(script.orders)
        stage = _build(stack, folder, day)
        screen.say(f"The shop opens; the page of the sandbox is {stage.sandbox.url}/")
        with screen.live():
            is_settled = _play(stage, day, script.events_per_tick, screen)
        if not is_settled:
            screen.say(f"Not everything was committed within {SETTLE_SECONDS:g} s.")
        if script.loses_one:
            stage.sandbox.control.forget(next(iter(stage.sandbox.control.orders())))
        stage.connector.child.terminate()
        status = stage.connector.child.wait(_STOP_SECONDS)
        result = _reconcile(stage)
        if status:
            result.differences.append(f"the connector ended with exit status {status}, 0 was expected")
        return result


def _build(stack: ExitStack, folder: Path, day: Day) -> _Stage:
    """Start everything; the day's tokens are in Kafka before the connector is."""
    _, bootstrap_servers = start_kafka(stack, folder, PARTITIONS)
    sandbox = start_sandbox(stack, folder, _SANDBOX_SWITCHES)
    writer = Writer(bootstrap_servers)
    for session in day.sessions:
        writer.write_session(session)
    writer.flush()
    connector = start_connector(stack, folder, _settings(bootstrap_servers, sandbox.url))
    connector.wait_until_ready()
    offsets = GroupOffsets(bootstrap_servers, GROUP, EVENTS, PARTITIONS[EVENTS])
    stack.callback(offsets.close)
    return _Stage(bootstrap_servers, sandbox, connector, writer, offsets)


def _settings(bootstrap_servers: str, base_url: str) -> Mapping[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "group_id": GROUP,
            "topics": [EVENTS],
            "session_timeout_ms": 4000,
        },
        # The embedded Kafka does not say how its topics are kept.
        "sessions": {"topic": SESSIONS, "compaction_unknown": "warn", "clock_skew_seconds": CLOCK_SKEW.total_seconds()},
        "ledger": {"topic": LEDGER},
        "dead_letters": {"topic": DEAD_LETTERS},
        "button": {
            "base_url": base_url,
            "api_key": API_KEY,
            "request_timeout_seconds": 1.5,
            "connect_timeout_seconds": 1,
        },
        "delivery": {"drain_seconds": 8, "shutdown_seconds": 12},
        "log": {"format": "json"},
    }


def _play(stage: _Stage, day: Day, events_per_tick: int, screen: Screen) -> bool:
    """Write the day's events bit by bit until all are committed; tell whether they were in time."""
    events, written, deadline = len(day.messages), 0, float("inf")
    while True:
        for message in day.messages[written : written + events_per_tick]:
            stage.writer.write_message(message)
            written += 1
        if written == events and deadline == float("inf"):
            stage.writer.flush()
            deadline = time.monotonic() + SETTLE_SECONDS
        stage.connector.child.check()
        committed = sum(stage.offsets.committed().values())
        screen.show(Progress(written, committed, events, stage.sandbox.control.orders()))
        if committed == events or time.monotonic() > deadline:
            return committed == events
        time.sleep(_TICK_SECONDS)


def _reconcile(stage: _Stage) -> Reconciliation:
    records = read_all(stage.bootstrap_servers, {topic: PARTITIONS[topic] for topic in (SESSIONS, EVENTS)})
    findings = Findings(
        orders=stage.sandbox.control.orders(),
        events=[record for record in records if record.topic == EVENTS],
        dead_letters=read_all(stage.bootstrap_servers, {DEAD_LETTERS: PARTITIONS[DEAD_LETTERS]}),
        committed=stage.offsets.committed(),
        ends=stage.offsets.ends(),
    )
    return reconcile(expect(records, CLOCK_SKEW), findings)
