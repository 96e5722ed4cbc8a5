# SPDX-License-Identifier: Apache-2.0
"""The processes of a simulation and what may happen to them: the faults.

Owns the choice and the course of each fault, all of which end by themselves. What a fault does to whom is drawn from
the seed. Knows nothing of what should come of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.replica import SESSION_SECONDS, Replica, begin
from tests.support.simulated_button import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tests.simulation.replica import Outside

_STORMS = (Fault.BUSY, Fault.DOWN, Fault.NOT_SENT, Fault.LOST, Fault.LOCKED, Fault.NOT_HEARD)


class Fleet:
    """All replicas that live."""

    def __init__(self, outside: Outside, replicas: int, kinds: Sequence[str] = ()) -> None:
        """Start so many replicas; ``kinds`` are the faults to choose from, by default some of all."""
        self._outside = outside
        self._world = outside.world
        self._random = outside.world.stream("faults")
        self._started = 0
        self.alive: list[Replica] = []
        self.faults = 0
        # Not every kind in every run: what is rare among many is met often where it is one of few.
        chosen = [each for each in self._kinds if self._random.random() < 0.4]
        if kinds:
            chosen = [each for each in self._kinds if each.__name__ in kinds]
        self._chosen = chosen or [self.forget if replicas == 1 else self.kill]
        for _ in range(replicas):
            self._start()

    def _start(self) -> None:
        self._started += 1
        replica = Replica(f"r{self._started}", self._outside)
        self.alive.append(replica)
        begin(replica)

    async def end(self) -> None:
        """Kill all of them."""
        for replica in self.alive:
            await replica.die()

    @property
    def _kinds(self) -> tuple[Callable[[], Coroutine[None, None, None]], ...]:
        return (
            self.kill,
            self.freeze,
            self.roll,
            self.cut,
            self.forget,
            self.shuffle,
            self.storm,
            self.slow,
            self.letters_down,
            self.kafka_down,
            self.grow,
            self.compact,
        )

    async def disturb(self) -> None:
        """Let one thing happen."""
        self.faults += 1
        await self._random.choice(self._chosen)()

    def _some(self) -> Replica:
        return self._random.choice(self.alive)

    # To processes.

    async def kill(self) -> None:
        """Let a process die; another one takes its place."""
        replica = self._some()
        self.alive.remove(replica)
        self._start()
        await replica.die()

    async def freeze(self) -> None:
        """Let a process stand still, now and then for longer than a session, and go on."""
        replica = self._some()
        replica.freeze()
        await asyncio.sleep(self._random.choice((0.3, 2.0, SESSION_SECONDS, 2 * SESSION_SECONDS)) * self._draw())
        replica.thaw()

    async def roll(self) -> None:
        """Stop a process in order; its successor has started by then."""
        replica = self._some()
        self.alive.remove(replica)
        self._start()
        await replica.stop()

    async def cut(self) -> None:
        """Cut a process off from the coordinator for a while; it goes on fetching."""
        replica = self._some()
        replica.cut()
        await asyncio.sleep(2 * SESSION_SECONDS * self._draw())
        replica.mend()

    async def shuffle(self) -> None:
        """Have the group spread its partitions anew, and soon after that again."""
        for _ in range(self._random.randint(1, 3)):
            self._outside.group.is_restless = True
            self._outside.group.rebalance()
            await asyncio.sleep(self._draw())

    async def forget(self) -> None:
        """Have the group forget its only member, which comes back at once.

        Another one that gets the partitions meanwhile would call while calls of the forgotten one are still on their
        way: that a coordinator forgets a session that is not over, and gives them away, is beyond what is promised.
        """
        for _ in range(self._random.randint(1, 4)):
            replica = self._some()
            if len(self.alive) == 1 and replica.consumer is not None:
                self._outside.group.forget(replica.consumer)
            await asyncio.sleep(3.0 * self._draw())

    # To what they depend on.

    async def storm(self) -> None:
        """Have Button answer every call the same wrong way for a while."""
        weather = self._outside.weather
        weather.fault = self._random.choice(_STORMS)
        self._world.note("storm", weather.fault.value)
        await asyncio.sleep(self._random.choice((1.0, 10.0)) * self._draw())
        weather.fault = None
        self._world.note("storm over")

    async def slow(self) -> None:
        """Have Button be slow for a while, up to where requests time out."""
        weather = self._outside.weather
        weather.slowness = self._random.choice((5.0, 20.0, 60.0))
        self._world.note("slow", weather.slowness)
        await asyncio.sleep(10.0 * self._draw())
        weather.slowness = 1.0

    async def letters_down(self) -> None:
        """Let no dead letter be written for a while."""
        await self._down(self._world.letters_up.turn, "letters down")

    async def kafka_down(self) -> None:
        """Let nothing be read, written, committed or asked for a while."""
        await self._down(self._world.kafka_up.turn, "kafka down")

    async def _down(self, turn: Callable[..., None], name: str) -> None:
        self._world.note(name)
        turn(up=False)
        await asyncio.sleep(self._random.choice((2.0, 20.0)) * self._draw())
        turn(up=True)
        self._world.note(name, "over")

    async def grow(self) -> None:
        """Add a partition; the group and its members hear of it at different times."""
        self._outside.grow()
        for replica in self.alive:
            if replica.consumer is not None and self._random.random() < 0.5:
                replica.consumer.stale_partitions = len(self._outside.topic.partitions) - 1
        await asyncio.sleep(5.0 * self._draw())
        self._outside.group.rebalance()
        await asyncio.sleep(5.0 * self._draw())
        for replica in self.alive:
            if replica.consumer is not None:
                replica.consumer.stale_partitions = None

    async def compact(self) -> None:
        """Compact the ledger's topic."""
        self._outside.ledger.compact()

    def _draw(self) -> float:
        return self._random.random()
