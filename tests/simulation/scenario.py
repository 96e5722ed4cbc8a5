# SPDX-License-Identifier: Apache-2.0
"""One simulation: a shop, a topic, a fleet of connectors, faults, and in the end the merchant's books.

Owns the play and what must be true at rest: everything committed, every order at Button as the books say, dead letters
and waiting refunds those that they predict. What must be true at every step is :mod:`tests.simulation.oracles`'
business. Everything follows from the seed.

``python -m tests.simulation.scenario SEED`` plays one, and prints what happened if something went wrong (``--journal``:
anyway; ``--planted NAME``: with that fault planted).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import hashlib
import sys
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.domain.facts import Purchase, Refund
from connector.domain.orders import Reject
from connector.domain.outcomes import Answer
from tests.simulation.brokers import Group, Partition, Topic
from tests.simulation.fleet import Fleet
from tests.simulation.ledger_topic import LedgerTopic
from tests.simulation.merchant import Merchant
from tests.simulation.oracles import Event, Oracles
from tests.simulation.orders_model import open_at
from tests.simulation.planted import PLANTED
from tests.simulation.replica import SESSION_SECONDS, Outside, stand_ins
from tests.simulation.scheduler import InterleavedLoop, on_loop
from tests.simulation.shop import Shop, event_of
from tests.simulation.wire import Weather
from tests.simulation.world import ViolationError, World
from tests.support.commerce import product, purchase
from tests.support.fakes import FakeDecoder
from tests.support.simulated_button import Fault, Manners, SimulatedButton

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from connector.domain.events import CommerceEvent
    from connector.engine.ports import RawRecord
    from tests.simulation.merchant import Said

_REFUSED = Answer(400, "error", message="Client not wearing jumper.")
_REST_SECONDS = 400.0
_POISONED = "poisoned"
_HELD_UP_SECONDS, _GIVEN_UP_SECONDS = 40.0, 200.0


class Size(NamedTuple):
    """How large a simulation is at most; all else follows from the seed.

    ``kinds`` are the faults to choose from (methods of :class:`Fleet`, with ``+`` between them), by default some of
    all.
    """

    orders: int = 5
    rounds: int = 2
    replicas: int = 4
    partitions: int = 3
    faults: int = 4
    kinds: str = ""

    def times(self, factor: int) -> Size:
        """Return a size that is so many times larger."""
        orders, rounds, replicas, partitions, faults, kinds = self
        return Size(orders * factor, rounds * factor, replicas * factor, partitions * factor, faults * factor, kinds)


@dataclass
class Outcome:
    """What came of a simulation."""

    seed: int
    violation: str | None = None
    journal: list[tuple[object, ...]] = field(default_factory=list)
    calls: int = 0
    replays: int = 0
    faults: int = 0
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        """Return what two runs of one seed have in common, and hardly anything else."""
        return hashlib.sha256(repr(self.journal).encode()).hexdigest()[:16]


class Scenario:
    """One simulation, on a loop of its own."""

    def __init__(self, seed: int, size: Size) -> None:
        """Set it up."""
        self.world = World(seed)
        self._random: Random = self.world.stream("scenario")
        draw = self._random
        self._has_poison = draw.random() < 0.08
        self._merchant = Merchant()
        self._shop = Shop(self.world.stream("shop"), self._merchant)
        manners = Manners(draw.choice((404, 409, 410, 200)), draw.choice((False, True)), draw.choice((200, 202)))
        button = SimulatedButton(self.world.stream("button"), manners, self._faults_of_calls())
        topic = Topic(self.world, draw.randint(1, size.partitions))
        group = Group(self.world, topic, SESSION_SECONDS)
        ledger = LedgerTopic(self.world, draw.randint(1, 2))
        concurrency, records = draw.choice((1, 1, 2, 4, 8)), draw.choice((2, 4, 10, 50))
        if self._has_poison:
            # Who has no more room than for one order is held up by it, and by nothing worse than that.
            concurrency, records = 4, 200
        oracles = Oracles(self.world, group, ledger, (concurrency, records))
        self._decoder = FakeDecoder()
        self.outside = Outside(
            self.world,
            topic,
            group,
            ledger,
            button,
            Weather(base_slowness=1.0 if self._has_poison else draw.choice((1.0, 3.0, 10.0))),
            self._decoder,
            oracles,
            [],
            concurrency,
            records,
            draw.choice(("earliest", "latest")),
            lambda: self._emit_odd(len(topic.partitions) - 1),
        )
        self.fleet = Fleet(self.outside, self._replicas(size.replicas), size.kinds.split("+") if size.kinds else ())
        self._size = size
        self._orders = [f"o{number}" for number in range(draw.randint(1, size.orders))]
        # Who keys by order has all of an order in one partition, as long as there are as many.
        self._is_keyed = {each: draw.random() < 0.6 for each in self._orders}
        self._pauses = draw.choice((0.0, 0.2, 0.8))
        self._repeats = draw.choice((0.0, 0.0, 0.5, 1.0))
        self._meanings = 0

    def _faults_of_calls(self) -> dict[Fault, float]:
        badness = self._random.choice((0.0, 0.3) if self._has_poison else (0.0, 0.3, 1.0, 3.0))
        return {fault: badness * likelihood for fault, likelihood in _LIKELIHOODS.items()}

    def _replicas(self, most: int) -> int:
        counts: list[int] = [1, 1, 2, 2, 3, 4, *range(5, most + 1)]
        return self._random.choice([each for each in counts if each <= most])

    async def run(self) -> None:
        """Play to the end."""
        for order_id in self._orders:
            if self._random.random() < 0.1:
                self._merchant.order(order_id).refused_as = "http_400"
                self.outside.button.refused[order_id] = _REFUSED
        if self.outside.start == "latest":
            # What was there before the group was born is not for it.
            await self.world.until(self._has_begun, _REST_SECONDS, "progress", "the group has not begun")
        for number in range(1 if self._has_poison else self._random.randint(1, self._size.rounds)):
            await self._round(number)
            self._compare(number)

    async def end(self) -> None:
        """End all processes."""
        await self.fleet.end()

    async def _round(self, number: int) -> None:
        self.world.note("round", number)
        said = [each for order_id in self._orders for each in self._shop_says(order_id)]
        self._random.shuffle(said)
        faults = self._random.randint(0, self._size.faults)
        trouble = [asyncio.ensure_future(self._trouble()) for _ in range(faults)]
        for batch in self._records(said):
            if self._random.random() < self._pauses:
                await self.world.sleep(self._random.random() * 4.0)
            self._emit(batch)
        while not all(each.done() for each in trouble):
            await self.world.sleep(1.0)
        for each in trouble:
            each.result()
        if self._has_poison:
            await self._poison()
        await self.world.until(self._is_at_rest, _REST_SECONDS, "progress", f"no rest: {self.world.seed}")
        self.world.check()

    async def _poison(self) -> None:
        """Let one order fail for ever while others are told: it must end, and hold nobody else up."""
        weather, oracles = self.outside.weather, self.outside.oracles
        weather.poisoned.add(_POISONED)
        bad = purchase(product(), order_id=_POISONED, source_message_id=_POISONED, occurred_at_ms=self.world.now_ms())
        place = self._append(self._any_partition(), [bad], [Event(_POISONED, _POISONED)])
        key, began, said_at = (place.topic_partition.partition, place.offset, 0), self.world.now(), dict[str, float]()
        while key not in oracles.letters:
            name = f"beside-{len(said_at)}"
            said_at[name] = self.world.now()
            self._orders.append(name)
            self._is_keyed[name] = True
            for said in self._shop_says(name):
                self._emit([said])
            await self.world.sleep(0.5)
            overdue = self.world.now() - _HELD_UP_SECONDS
            for where, event in oracles.unfinished(said_at.__contains__):
                if event.order_id is not None and said_at[event.order_id] < overdue:
                    self.world.fail("P4", f"{event.order_id} at {where} is held up beside an order that fails")
            if self.world.now() - began > _GIVEN_UP_SECONDS:
                self.world.fail("P4", f"an order that fails was not given up in {_GIVEN_UP_SECONDS:g} s")
        self.world.note("given up", round(self.world.now() - began))

    def _any_partition(self) -> int:
        return self._random.randrange(len(self.outside.topic.partitions))

    async def _trouble(self) -> None:
        await asyncio.sleep(self._random.choice((0.5, 2.0, 6.0)) * self._random.random())
        await self.fleet.disturb()

    # What the shop says, as records.

    def _shop_says(self, order_id: str) -> Iterator[Said]:
        for said in self._shop.phase(order_id):
            self._merchant.hear(said)
            yield said
            if self._random.random() < self._repeats:
                self._merchant.hear(said)
                yield said

    def _records(self, said: Sequence[Said]) -> Iterator[list[Said]]:
        """Put what is said into records, of which some hold several events."""
        left = list(said)
        while left:
            count = self._random.choice((1, 1, 1, 2, 3))
            yield left[:count]
            left = left[count:]

    def _emit(self, batch: Sequence[Said]) -> None:
        topic, draw = self.outside.topic, self._random
        partitions = len(topic.partitions)
        order_id = batch[0].order_id
        is_keyed = self._is_keyed[order_id] and len({each.order_id for each in batch}) == 1
        partition = sum(order_id.encode()) % partitions if is_keyed else draw.randrange(partitions)
        if draw.random() < 0.1:
            topic.skip(partition, draw.randint(1, 3))
        if draw.random() < 0.1:
            self._emit_odd(partition)
        events: list[CommerceEvent | Reject] = [event_of(each) for each in batch]
        names = [Event(each.event_id, each.order_id) for each in batch]
        if draw.random() < 0.1:
            events.append(purchase(order_id="o0", action="add_to_cart", source_message_id="cart"))
            names.append(Event("cart", None))
        self._append(partition, events, names)

    def _emit_odd(self, partition: int) -> None:
        """Append a record that is no order."""
        kind = self._random.randrange(3)
        if kind == 0:
            record = self.outside.topic.append(partition, None)
            self.outside.oracles.emitted(record, ())
        elif kind == 1:
            self._append(partition, [], [])
        else:
            self._append(partition, Reject("undecodable", "not Avro"), [Event("", None)])

    def _append(self, partition: int, meaning: list[CommerceEvent | Reject] | Reject, names: list[Event]) -> RawRecord:
        self._meanings += 1
        value = b"%d" % self._meanings
        self._decoder.meanings[value] = meaning
        record = self.outside.topic.append(partition, value)
        self.outside.oracles.emitted(record, names)
        self.world.note("record", partition, record.offset, [each.event_id for each in names])
        return record

    # At rest.

    def _has_begun(self) -> bool:
        return len(self.outside.group.committed) == len(self.outside.topic.partitions)

    def _is_at_rest(self) -> bool:
        committed = self.outside.group.committed
        return all(
            number in committed and committed[number].offset >= _last(log) + 1
            for number, log in enumerate(self.outside.topic.partitions)
            if log.records
        ) and all(replica.has_read_all for replica in self.fleet.alive)

    def _compare(self, number: int) -> None:
        expected, there = self._merchant.at_button(), open_at(self.outside.button)
        wrong = {each: (there.get(each), expected.get(each)) for each in expected.keys() | there.keys()}
        wrong = {each: pair for each, pair in sorted(wrong.items()) if pair[0] != pair[1]}
        if wrong:
            self.world.fail("orders", f"round {number}: Button has and should have {wrong}")
        letters = {
            (self._event_id(record.value or b"", letter.event_index), letter.reason)
            for record, letter in self.outside.letters
            if letter.reason != "undecodable" and letter.order_id != _POISONED
        }
        if letters != self._merchant.letters:
            self.world.fail("letters", f"round {number}: they differ by {sorted(letters ^ self._merchant.letters)}")
        waiting = self._waiting()
        if waiting != self._merchant.waiting():
            self.world.fail("waiting", f"round {number}: {sorted(waiting ^ self._merchant.waiting())}")
        self.world.check()

    def _event_id(self, value: bytes, index: int | None) -> str:
        meaning = self._decoder.meanings[value]
        assert isinstance(meaning, list)
        return getattr(meaning[index or 0], "source_message_id", "")

    def _waiting(self) -> set[str]:
        ledger = self.fleet.alive[0].ledger
        waiting = set()
        for order_id in self._orders:
            facts = [fact for fact in ledger.read(order_id).facts.values() if isinstance(fact.said, Purchase | Refund)]
            if not any(isinstance(fact.said, Purchase) for fact in facts):
                waiting |= {fact.event_id.removeprefix("m:") for fact in facts}
        return waiting


_LIKELIHOODS = {
    Fault.LOST: 0.06,
    Fault.NOT_HEARD: 0.02,
    Fault.NOT_SENT: 0.02,
    Fault.UNREADABLE: 0.01,
    Fault.BUSY: 0.02,
    Fault.DOWN: 0.02,
    Fault.LOCKED: 0.01,
}


def _last(log: Partition) -> int:
    return log.offsets[-1]


def play(seed: int, size: Size | None = None) -> Outcome:
    """Play one seed; what went wrong is in the outcome."""
    outcome = Outcome(seed)
    disorder = Random(f"{seed}:loop").choice((0.0, 0.05, 0.3, 1.0))  # noqa: S311  reproducible on purpose
    loop = InterleavedLoop(Random(f"{seed}:order"), disorder)  # noqa: S311  as above

    async def main() -> None:
        scenario = Scenario(seed, size or Size())

        def complain(_loop: object, context: dict[str, Any]) -> None:
            scenario.world.fail("P5", f"{context.get('message')}: {context.get('exception')!r}")

        loop.set_exception_handler(complain)
        try:
            await scenario.run()
        except ViolationError as error:
            outcome.violation = str(error)
        finally:
            loop.set_exception_handler(lambda *_: None)
            outcome.journal, outcome.calls = scenario.world.journal, scenario.outside.oracles.calls
            outcome.replays, outcome.faults = scenario.outside.oracles.replays, scenario.fleet.faults
            outcome.seconds = loop.time()
            await scenario.end()

    with stand_ins(), on_loop(loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    return outcome


@contextlib.contextmanager
def without_cycles_collected() -> Iterator[Callable[[int], None]]:
    """Collect cyclic garbage when told so: between two simulations, and not before every 20th."""
    gc.disable()
    try:
        yield lambda number: None if number % 20 else _collect()
    finally:
        gc.enable()
        _collect()


def _collect() -> None:
    gc.collect()


def size_arguments(size: Size) -> list[str]:
    """Return a size as the arguments that ask for it."""
    return ["--size", ",".join(map(str, size))]


def main() -> None:
    """Play one seed, and say what came of it."""
    parser = argparse.ArgumentParser(description="Play one seed of the simulation.")
    parser.add_argument("seed", type=int)
    parser.add_argument("--journal", action="store_true", help="print what happened even if nothing went wrong")
    parser.add_argument("--planted", choices=sorted(PLANTED), help="plant this fault first")
    parser.add_argument(
        "--size",
        default=",".join(map(str, Size())),
        help="orders,rounds,replicas,partitions,faults,kinds",
    )
    options = parser.parse_args()
    *numbers, kinds = options.size.split(",")
    orders, rounds, replicas, partitions, faults = map(int, numbers)
    size = Size(orders, rounds, replicas, partitions, faults, kinds)
    with PLANTED[options.planted].plant() if options.planted else contextlib.nullcontext():
        outcome = play(options.seed, size)
    if options.journal or outcome.violation:
        for at, *what in outcome.journal:
            sys.stdout.write(f"{at:>12} {' '.join(map(str, what))}\n")
    verdict = outcome.violation or "nothing went wrong"
    sys.stdout.write(
        f"seed {outcome.seed}: {verdict} ({outcome.seconds:.0f} s, {outcome.calls} calls, {outcome.digest})\n",
    )
    sys.exit(1 if outcome.violation else 0)


if __name__ == "__main__":
    main()
