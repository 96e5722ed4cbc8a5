# SPDX-License-Identifier: Apache-2.0
"""One run by fire: starts the parts, lets things go wrong while a load is written, waits for rest, collects evidence.

Owns the course of a run. A run follows from its seed as far as real parts let it: what is said, what goes wrong, and
the pauses between are the same; how processes interleave is not.
"""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException

from connector.demo.topics import read_all
from tests.chaos import troubles
from tests.chaos.evidence import Evidence, Snapshot, Trouble
from tests.chaos.load import REFUSED, make_load
from tests.chaos.members import Members
from tests.chaos.writer import Writer
from tests.support.moments import plan_fault
from tests.support.polling import wait_until
from tests.support.processes import LEDGER_PARTITIONS, World, now_ms
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.tcp_proxy import ProxiedBroker

_PARTITIONS = 6
_REST_SECONDS = 90.0
_SNAPSHOT_SECONDS = 0.5


class Plan(NamedTuple):
    """How much of it: records for so many seconds, at so many a second."""

    seed: int
    seconds: float = 70.0
    per_second: float = 50.0


def run(plan: Plan, proxied: ProxiedBroker, folder: Path, say: Callable[[str], None] = print) -> Evidence:
    """Play it and return what is left; ``say`` is told what happens."""
    random = Random(f"run {plan.seed}")  # noqa: S311  what a run is made of
    protocol, count = random.choice(("classic", "consumer")), random.randrange(2, 5)
    say(f"seed {plan.seed}: {count} connectors, protocol {protocol}")
    with World(proxied.broker, folder, troubles.faults(plan.seed), partitions=_PARTITIONS) as world:
        plan_fault(folder, order_id=f"{REFUSED}*", fault="fail", status=400)
        host, _, port = world.sandbox.url.removeprefix("http://").partition(":")
        with TcpProxy((host, int(port)), seed=plan.seed) as button:
            settings: dict[str, dict[str, Any]] = {
                "kafka": {
                    "bootstrap_servers": proxied.proxy.address,
                    "group_protocol": protocol,
                    "metadata_refresh_interval_ms": 1_000,
                },
                "button": {"base_url": f"http://{button.address}", "request_timeout_seconds": 2},
                "delivery": {"retry_max_seconds": 2},
            }
            parts = troubles.Parts(world, proxied.proxy, button, Members(world, settings))
            return _Run(plan, parts, random, say).play(count)


class _Run:
    """One run."""

    def __init__(self, plan: Plan, parts: troubles.Parts, random: Random, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._parts = parts
        self._world = parts.world
        self._random = random
        self._say = say
        self._began_ms = now_ms()
        self._troubles: list[Trouble] = []
        self._snapshots: list[Snapshot] = []

    def play(self, connectors: int) -> Evidence:
        plan, world, members = self._plan, self._world, self._parts.members
        load = make_load(plan.seed, plan.seconds, plan.per_second)
        world.produce(load.sessions, world.sessions)
        began_ms = now_ms()
        members.add(is_ready=True)  # the first one makes the ledger's topic
        for _ in range(connectors - 1):
            members.add()
        self._troubles.append(Trouble("start", began_ms, now_ms(), moves=True, hides=False))
        with Writer(world.broker.bootstrap_servers, world.events, _PARTITIONS, load) as writer:
            self._began_ms = now_ms()
            self._befall(writer)
            wait_until(lambda: writer.is_done, _REST_SECONDS, awaiting="the load to be written")
        self._calm_down()
        self._rest()
        members.end_all()
        return Evidence(
            load=load,
            orders=world.sandbox.control.orders(),
            requests=world.sandbox.control.requests(),
            input=read_all(world.broker.bootstrap_servers, {world.events: world.partitions}),
            dead_letters=world.read_dead_letters(),
            ledger=read_all(world.broker.bootstrap_servers, {world.ledger: LEDGER_PARTITIONS}),
            committed=world.offsets.committed(),
            ends=world.offsets.ends(),
            troubles=self._troubles,
            snapshots=self._snapshots,
            surprises=members.surprises(),
        )

    def _befall(self, writer: Writer) -> None:
        """Let things go wrong for as long as the load is written, and each kind of thing at least once."""
        until_ms = self._began_ms + 1000 * self._plan.seconds
        for number, (pause_seconds, kind) in enumerate(troubles.schedule(self._plan.seed)):
            self._watch(pause_seconds)
            if now_ms() > until_ms and number >= len(troubles.KINDS):
                return
            self._say(f"{self._at()} {kind.name}")
            self._troubles.append(troubles.befall(kind, self._parts, self._random))
            writer.partitions = self._world.partitions

    def _watch(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._parts.members.look_after()
            self._look()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _SNAPSHOT_SECONDS))

    def _look(self) -> None:
        """Note the offsets; what was committed is asked for before the ends, and a broker that is away is passed by."""
        try:
            committed, at_ms = self._world.offsets.committed(), now_ms()
            self._snapshots.append(Snapshot(at_ms, committed, self._world.offsets.ends()))
        except KafkaException:
            return

    def _calm_down(self) -> None:
        self._parts.kafka.heal()
        self._parts.button.heal()
        self._world.sandbox.control.set(troubles.CALM)

    def _rest(self) -> None:
        """Wait until everything is committed; what never is, the checker sees."""
        began = time.monotonic()
        while not self._is_at_rest() and time.monotonic() - began < _REST_SECONDS:
            time.sleep(_SNAPSHOT_SECONDS)
        self._say(f"{self._at()} at rest {time.monotonic() - began:.1f} s after the last trouble")

    def _is_at_rest(self) -> bool:
        self._parts.members.look_after()
        self._look()
        try:
            return self._world.offsets.committed() == self._world.offsets.ends()
        except KafkaException:  # A broker that comes back only now: look again.
            return False

    def _at(self) -> str:
        return f"{(now_ms() - self._began_ms) / 1000:6.1f} s"
