# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, one thing after the other, as a seed says.

Owns the kinds of trouble and what each does to the parts; each ends what it began before it returns. What a trouble may
lead to (records that are read again, answers that do not arrive) stands beside it, because the checker forgives that
and nothing else.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.evidence import Trouble
from tests.support.processes import now_ms
from tests.support.tcp_proxy import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.chaos.members import Members
    from tests.support.processes import World
    from tests.support.tcp_proxy import TcpProxy

_BASE: Mapping[str, object] = {
    "delay_share": 0.1,
    "delay_ms": 300,
    "delay_mode": "jitter",
    "fail_share": 0.01,
    "fail_after_share": 0.005,
    "drop_before_share": 0.005,
    "drop_after_share": 0.005,
    "no_answer_share": 0.001,
    "half_body_share": 0.002,
}
"""What is wrong with the sandbox all the time."""
CALM: Mapping[str, object] = {"availability": "up", "rate_limit_per_second": 0, **dict.fromkeys(_BASE, 0)} | {
    "delay_mode": "fixed",
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What can be made to fail."""

    world: World
    kafka: TcpProxy
    button: TcpProxy
    members: Members


class Kind(NamedTuple):
    """A kind of trouble; ``make`` begins and ends it."""

    name: str
    make: Callable[[Parts, Random], None]
    moves: bool = False
    hides: bool = False


def faults(seed: int) -> dict[str, object]:
    """Return the sandbox's switches from the beginning."""
    return {"seed": seed, **_BASE}


def schedule(seed: int) -> Iterator[tuple[float, Kind]]:
    """Yield pauses in seconds and what follows each, for ever: every kind once in each round, in any order."""
    random = Random(f"schedule {seed}")  # noqa: S311  what goes wrong when
    while True:
        for kind in random.sample(KINDS, len(KINDS)):
            yield random.uniform(0.5, 3.0), kind


def befall(kind: Kind, parts: Parts, random: Random) -> Trouble:
    """Let it go wrong, and say when that was."""
    began = now_ms()
    kind.make(parts, random)
    return Trouble(kind.name, began, now_ms(), kind.moves, kind.hides)


# The processes.


def _kill(parts: Parts, random: Random) -> None:
    member = parts.members.choose(random)
    member.child.kill()
    parts.members.forget(member)
    time.sleep(random.uniform(0.0, 2.0))
    parts.members.add()


def _freeze(parts: Parts, random: Random) -> None:
    """Freeze for less than a session, or for longer."""
    member = parts.members.choose(random)
    os.kill(member.child.pid, signal.SIGSTOP)
    time.sleep(random.choice((1.0, 3.0, 8.0)))
    os.kill(member.child.pid, signal.SIGCONT)


def _replace(parts: Parts, random: Random) -> None:
    member = parts.members.choose(random)
    parts.members.end(member)
    time.sleep(random.uniform(0.0, 1.0))
    parts.members.add()


# Kafka.


def _add_partitions(parts: Parts, random: Random) -> None:
    parts.world.add_partitions(parts.world.partitions + random.randrange(1, 3))


def _restart_broker(parts: Parts, random: Random) -> None:
    parts.world.broker.kill()
    time.sleep(random.uniform(0.0, 2.0))
    parts.world.broker.restart()


def _cut_kafka(parts: Parts, random: Random) -> None:
    for _ in range(random.randrange(1, 4)):
        parts.kafka.cut(random.choice((0.3, 1.0)))
        time.sleep(random.uniform(0.2, 1.0))


def _stall_kafka(parts: Parts, random: Random) -> None:
    """Let the broker fall silent for less than a session, or for longer."""
    parts.kafka.stall(*random.choice(((), (Direction.REQUESTS,), (Direction.ANSWERS,))))
    time.sleep(random.choice((1.5, 3.0, 8.0)))
    parts.kafka.heal()


def _half_close_kafka(parts: Parts, random: Random) -> None:
    parts.kafka.half_close(random.choice(tuple(Direction)))
    time.sleep(1.0)


def _delay_kafka(parts: Parts, random: Random) -> None:
    parts.kafka.delay(random.uniform(0.02, 0.2), 0.1)
    time.sleep(random.uniform(2.0, 4.0))
    parts.kafka.heal()


# Button.


def _cut_button(parts: Parts, random: Random) -> None:
    for _ in range(random.randrange(1, 5)):
        parts.button.cut(random.choice((0.3, 1.0)))
        time.sleep(random.uniform(0.05, 0.5))


def _stall_button(parts: Parts, random: Random) -> None:
    parts.button.stall(*random.choice(((), (Direction.REQUESTS,), (Direction.ANSWERS,))))
    time.sleep(random.uniform(1.0, 3.5))
    parts.button.heal()


def _half_close_button(parts: Parts, random: Random) -> None:
    parts.button.half_close(random.choice(tuple(Direction)))
    time.sleep(0.5)


def _refuse_button(parts: Parts, random: Random) -> None:
    parts.button.refuse()
    time.sleep(random.uniform(1.0, 4.0))
    parts.button.heal()


def _sandbox(**switches: object) -> Callable[[Parts, Random], None]:
    def make(parts: Parts, random: Random) -> None:
        control = parts.world.sandbox.control
        control.set(switches)
        time.sleep(random.uniform(2.0, 4.0))
        control.set({"availability": "up", "rate_limit_per_second": 0, **_BASE})

    return make


KINDS = (
    Kind("kill", _kill, moves=True),
    Kind("freeze", _freeze, moves=True, hides=True),
    Kind("leave and join", _replace, moves=True),
    Kind("added partitions", _add_partitions, moves=True),
    Kind("broker restart", _restart_broker, moves=True),
    Kind("Kafka cut", _cut_kafka, moves=True),
    Kind("Kafka stalled", _stall_kafka, moves=True),
    Kind("Kafka half closed", _half_close_kafka, moves=True),
    Kind("Kafka slow", _delay_kafka, moves=True),
    Kind("Button cut", _cut_button, hides=True),
    Kind("Button stalled", _stall_button, hides=True),
    Kind("Button half closed", _half_close_button, hides=True),
    Kind("Button refused", _refuse_button, hides=True),
    Kind("Button down", _sandbox(availability="503")),
    Kind("Button busy", _sandbox(rate_limit_per_second=30)),
    Kind("Button slow", _sandbox(delay_share=1.0, delay_ms=1_500)),
    Kind("lost answers", _sandbox(drop_after_share=0.3, no_answer_share=0.02, fail_after_share=0.1)),
)
