# SPDX-License-Identifier: Apache-2.0
"""One world of the model-based test: a shop, a cluster of replicas, Button, and the merchant's books.

Owns the play: what the shop says goes into any partition in any order while replicas die, partitions move and Button
answers anything; at rest Button must have what the merchant's books say, and dead letters and waiting refunds must be
those that they predict. A world is played the same every time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.domain import lifecycle, lookups, responses
from connector.domain.facts import Purchase, Refund
from connector.domain.outcomes import Answer
from tests.simulation.cluster import Cluster
from tests.simulation.merchant import Merchant, Open
from tests.simulation.shop import Shop, event_of
from tests.support.polling import eventually
from tests.support.simulated_button import Fault, Manners, SimulatedButton
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIKELIHOODS = {
    Fault.LOST: 0.06,
    Fault.NOT_HEARD: 0.02,
    Fault.NOT_SENT: 0.01,
    Fault.UNREADABLE: 0.01,
    Fault.BUSY: 0.01,
    Fault.DOWN: 0.01,
    Fault.LOCKED: 0.01,
}
_REFUSALS = {
    "http_400": Answer(400, "error", message="Client not wearing jumper."),
    "error_in_success": Answer(200, "error", message="no"),
}
_A_DAY_SECONDS = 86_400.0


class World(NamedTuple):
    """What is played; everything else follows from the seed."""

    seed: int
    orders: int = 24
    rounds: int = 8
    replicas: int = 3
    partitions: int = 4
    disturbances: int = 2


@dataclass
class Tally:
    """What was played, over all worlds."""

    worlds: int = 0
    events: int = 0
    refunds_or_repeats: int = 0
    faults: int = 0
    unclean: int = 0
    compacted: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def steps(self) -> int:
        """Return how many events and faults there were."""
        return self.events + self.faults


class Play:
    """One world, on a loop in simulated time."""

    def __init__(self, world: World, tally: Tally, breakage: Callable[[Cluster], None] | None = None) -> None:
        """Set the world up; ``breakage`` breaks the connector on purpose."""
        self._world = world
        self._tally = tally
        self._random = Random(world.seed)  # noqa: S311  reproducible on purpose
        self._merchant = Merchant()
        self._shop = Shop(self._random, self._merchant)
        manners = Manners(
            self._random.choice((404, 409, 410, 200)),
            self._random.choice((False, True)),
            self._random.choice((200, 202)),
        )
        self._button = SimulatedButton(Random(world.seed + 1), manners, dict(_LIKELIHOODS))  # noqa: S311  as above
        self._cluster = Cluster(world.seed, self._button, replicas=world.replicas, partitions=world.partitions)
        if breakage is not None:
            breakage(self._cluster)
        self._orders = [f"order-{number}" for number in range(world.orders)]
        self._said: set[str] = set()

    async def run(self) -> None:
        """Play to the end."""
        await self._cluster.begin()
        self._choose_the_refused()
        for number in range(self._world.rounds):
            await self._round()
            self._compare(number)
        await self._cluster.end()
        tally = self._tally
        tally.worlds += 1
        tally.faults += self._cluster.faults + self._button.met.total()
        tally.unclean += self._cluster.unclean
        tally.compacted += self._cluster.ledger_log.compacted

    def _choose_the_refused(self) -> None:
        for order_id in self._orders:
            if self._random.random() < 0.06:
                reason = self._random.choice(list(_REFUSALS))
                self._merchant.order(order_id).refused_as = reason
                self._button.refused[order_id] = _REFUSALS[reason]

    async def _round(self) -> None:
        phases = [each for order_id in self._orders if self._random.random() < 0.9 for each in self._phase(order_id)]
        self._random.shuffle(phases)
        trouble = [asyncio.ensure_future(self._trouble()) for _ in range(self._world.disturbances)]
        for said in phases:
            self._cluster.emit(event_of(said))
            if self._random.random() < 0.3:
                await asyncio.sleep(self._random.uniform(0.0, 0.1))
        for each in trouble:
            await each
        await eventually(
            lambda: self._cluster.is_at_rest,
            _A_DAY_SECONDS,
            awaiting="rest",
            interval_seconds=0.1,
        )

    def _phase(self, order_id: str) -> Iterator[Any]:
        self._finalize(order_id)
        for said in self._shop.phase(order_id):
            self._merchant.hear(said)
            self._tally.events += 1
            self._tally.refunds_or_repeats += said.event_id in self._said or event_of(said).action == "refund"
            self._said.add(said.event_id)
            yield said

    def _finalize(self, order_id: str) -> None:
        kept = self._button.orders.get(order_id)
        if kept is not None and not kept.is_cancelled and self._random.random() < 0.03:
            kept.is_final = self._merchant.order(order_id).is_final = True

    async def _trouble(self) -> None:
        await asyncio.sleep(self._random.uniform(0.0, 4.0))
        await self._cluster.disturb()

    def _compare(self, number: int) -> None:
        where = f"{self._world}, round {number}"
        expected, there = self._merchant.at_button(), open_at(self._button)
        wrong = {each: (there.get(each), expected.get(each)) for each in expected.keys() | there.keys()}
        wrong = {each: pair for each, pair in wrong.items() if pair[0] != pair[1]}
        assert not wrong, f"{where}: Button has and should have {wrong}"
        letters = self._letters()
        assert letters == self._merchant.letters, f"{where}: dead letters differ by {letters ^ self._merchant.letters}"
        waiting = self._waiting()
        assert waiting == self._merchant.waiting(), f"{where}: waiting differ by {waiting ^ self._merchant.waiting()}"

    def _letters(self) -> set[tuple[str, str]]:
        written = self._cluster.letters.letters
        return {(self._event_id(record.value or b""), letter.reason) for record, letter in written}

    def _event_id(self, value: bytes) -> str:
        meaning = self._cluster.decoder.meanings[value]
        assert isinstance(meaning, list)
        return getattr(meaning[0], "source_message_id", "")

    def _waiting(self) -> set[str]:
        ledger = self._cluster.replicas[0].ledger
        waiting = set()
        for order_id in self._orders:
            facts = [fact for fact in ledger.read(order_id).facts.values() if isinstance(fact.said, Purchase | Refund)]
            if not any(isinstance(fact.said, Purchase) for fact in facts):
                waiting |= {fact.event_id.removeprefix("m:") for fact in facts}
        return waiting


def open_at(button: SimulatedButton) -> dict[str, Open]:
    """Return what Button has of the orders that are not cancelled, in the words of the merchant's books."""
    return {
        order_id: Open(
            kept.order.total,
            tuple(sorted((line.sku or "", line.total, line.quantity) for line in kept.order.line_items)),
        )
        for order_id, kept in button.orders.items()
        if not kept.is_cancelled
    }


def play(world: World, tally: Tally, breakage: Callable[[Cluster], None] | None = None) -> None:
    """Play a world; an assertion says what is wrong and with which world."""

    async def main() -> None:
        await Play(world, tally, breakage).run()

    with counting(tally.outcomes):
        run_in_virtual_time(main())


@contextlib.contextmanager
def counting(outcomes: Counter[str]) -> Iterator[None]:
    """Count what the rules answer to the engine, wherever it asks them."""
    rules: dict[str, Callable[..., Any]] = {
        "decide": lifecycle.decide,
        "interpret": responses.interpret,
        "after_lookup": lookups.after_lookup,
    }
    places = [(module, name) for module in _engine() for name in rules if getattr(module, name, None) is rules[name]]
    for module, name in places:
        setattr(module, name, _counted(name, rules[name], outcomes))
    try:
        yield
    finally:
        for module, name in places:
            setattr(module, name, rules[name])


def _engine() -> list[Any]:
    return [module for name, module in sys.modules.items() if name.startswith("connector.engine.")]


def _counted(name: str, rule: Callable[..., Any], outcomes: Counter[str]) -> Callable[..., Any]:
    @functools.wraps(rule)
    def counted(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401  whatever the rule takes and gives
        outcome = rule(*arguments, **more)
        outcomes[f"{name} {type(outcome).__name__}"] += 1
        return outcome

    return counted


def main() -> None:
    """Play one world, and say what came of it."""
    tally = Tally()
    play(World(int(sys.argv[1])), tally)
    sys.stdout.write(f"{tally}\n")


if __name__ == "__main__":
    main()
