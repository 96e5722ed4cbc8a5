# SPDX-License-Identifier: Apache-2.0
"""The order ledger's protocol for one order, small enough to be looked at in every state that it can be in.

Owns the model and its exploration. Takes the rule by which an entry is clean from the code, so that the two cannot
drift apart; must never be changed to agree with the code where it finds a state in which the rules lose an event.

The theory. *Replicas* own *events*. An event is decided on what its replica knows, Button is told the whole (the
``told`` of the call), the acknowledged fact is appended to the one log, and the replica reads its own entry back: clean
ends the event, unclean has it decided again. Around that happens, at any moment: a replica dies and an heir starts its
events again (a call on its way landed or did not; an acknowledged entry of the dead may still be appended), compaction
takes superseded entries of a key away, a replica forgets its table and reads what is left of the log.

*At rest* (nothing more can happen) Button must have been told last of every event, and every living replica must know
every event. A protocol that goes on for ever has no finite number of states, so that an exploration which ends also
proves that the protocol does.

``python -m tests.simulation.ledger_model --states 1500000`` explores larger worlds than a test has time for.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from connector.tables.ledger_clean import told_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
Event = int
Events = frozenset[Event]
NOTHING: Events = frozenset()


class Step(StrEnum):
    """How far an event has got with its owner; ``AGAIN`` is one whose entry was not clean."""

    IDLE = "idle"
    CALLING = "calling"
    ACKNOWLEDGED = "acknowledged"
    APPENDED = "appended"
    AGAIN = "again"
    DONE = "done"


_UNDER_WAY = (Step.CALLING, Step.ACKNOWLEDGED, Step.APPENDED)


class Entry(NamedTuple):
    """One record of the ledger's topic."""

    offset: int
    event: Event
    base: int
    told: Events


class Replica(NamedTuple):
    """What a replica has read: ``entries`` are the offsets and the told of all entries since it (re)started."""

    is_alive: bool = True
    position: int = 0
    facts: Events = NOTHING
    entries: tuple[tuple[int, Events], ...] = ()
    clean: Events = NOTHING


class Work(NamedTuple):
    """One event with its owner; ``offset`` is that of its entry while it waits to read it back."""

    step: Step
    owner: int
    told: Events = NOTHING
    base: int = -1
    offset: int = -1


class World(NamedTuple):
    """Everything there is: ``button`` was told last; ``late_calls`` and ``late_appends`` were left by the dead."""

    log: tuple[Entry, ...]
    end: int
    button: Events
    replicas: tuple[Replica, ...]
    work: tuple[Work, ...]
    faults_left: int
    late_calls: frozenset[Events] = frozenset()
    late_appends: frozenset[tuple[Event, int, Events]] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the code decides.

    ``is_clean`` judges an entry by what it told, the facts known at its place (its own included), and what the entries
    between its base and itself told. ``is_spared`` says whether an event that is read again, and lies in the ledger, is
    done without a call; it is given the event, what is known, and which events' newest entries were clean.
    """

    is_clean: Callable[[Events, Events, Iterable[Events]], bool]
    is_spared: Callable[[Event, Events, Events], bool]
    keeps_facts: bool = True


def is_alone(event: Event, known: Events, _clean: Events) -> bool:
    """Spare a repeat only where its event is its order's only fact: every call ever made said the same then."""
    return known == {event}


DESIGN = Rules(told_everything, is_alone)  # type: ignore[arg-type]  # it compares sets, of whatever

BROKEN = {
    "an unclean entry is trusted": replace(DESIGN, is_clean=lambda _told, _known, _between: True),
    "an entry is judged without those that it may have crossed": replace(
        DESIGN,
        is_clean=lambda told, known, _between: told >= known,
    ),
    "a repeat is spared because it is known": replace(DESIGN, is_spared=lambda event, known, _clean: event in known),
    "a repeat is spared because its entry was clean": replace(
        DESIGN,
        is_spared=lambda event, _known, clean: event in clean,
    ),
    "one state for each order": replace(DESIGN, keeps_facts=False),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Which world is explored: ``owners[event]`` is the replica that reads the event.

    ``waits_for`` is the purchase that the other events wait for, ``None`` where each can be told alone. ``late_calls``
    lets a call of a dead replica land after its heir's, which the connector's time limits exclude.
    """

    owners: tuple[int, ...]
    faults: int = 0
    compacts: bool = False
    late_appends: bool = False
    late_calls: bool = False
    catches_up: bool = True
    waits_for: Event | None = None


@dataclass(slots=True)
class Finding:
    """What an exploration found: ``trace`` leads to a state at rest that has lost something, empty where none has."""

    states: int = 0
    rests: int = 0
    is_complete: bool = False
    trace: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Return whether every state was seen, and none at rest had lost anything."""
        return self.is_complete and not self.trace


class Model:
    """The steps of one world."""

    def __init__(self, setting: Setting, rules: Rules = DESIGN) -> None:
        """Explore ``setting`` by ``rules``."""
        self._setting = setting
        self._rules = rules
        self._all = frozenset(range(len(setting.owners)))

    def explore(self, most_states: int = 400_000) -> Finding:
        """Look at every state, the nearest first, until one at rest has lost something."""
        start = self._start()
        came_from: dict[World, tuple[World, str] | None] = {start: None}
        waiting = deque((start,))
        finding = Finding()
        while waiting and len(came_from) <= most_states:
            world = waiting.popleft()
            nexts = [(step, then) for step, then in self._steps(world) if then != world]
            if not nexts:
                finding.rests += 1
                if self._has_lost(world):
                    finding.trace = _trace(came_from, world)
                    break
            for step, then in nexts:
                if then not in came_from:
                    came_from[then] = (world, step)
                    waiting.append(then)
        finding.states, finding.is_complete = len(came_from), not waiting
        return finding

    def _start(self) -> World:
        owners = self._setting.owners
        replicas = (Replica(),) * (max(owners) + 1)
        return World((), 0, NOTHING, replicas, tuple(Work(Step.IDLE, owner) for owner in owners), self._setting.faults)

    def _has_lost(self, world: World) -> bool:
        return (
            world.button != self._all
            or any(replica.is_alive and replica.facts != self._all for replica in world.replicas)
            or any(work.step is not Step.DONE for work in world.work)
        )

    def _steps(self, world: World) -> Iterator[tuple[str, World]]:
        yield from self._reads(world)
        for event, work in enumerate(world.work):
            if world.replicas[work.owner].is_alive:
                yield from self._goes_on(world, event, work)
        if self._setting.compacts:
            yield from self._compactions(world)
        if world.faults_left:
            yield from self._rebuilds(world)
            yield from self._crashes(world)
        yield from self._late(world)

    def _reads(self, world: World) -> Iterator[tuple[str, World]]:
        """Let each living replica read the next entry that compaction left it."""
        for number, replica in enumerate(world.replicas):
            entry = next((each for each in world.log if each.offset >= replica.position), None)
            if replica.is_alive and entry is not None:
                read = self._read(replica, entry)
                work = self._read_back(world.work, number, read, entry)
                yield f"{number} reads {entry}", world._replace(replicas=_put(world.replicas, number, read), work=work)

    def _read(self, replica: Replica, entry: Entry) -> Replica:
        """Take an entry into a replica's table."""
        facts = replica.facts | {entry.event} if self._rules.keeps_facts else entry.told
        between = [told for offset, told in replica.entries if offset > entry.base]
        is_clean = self._is_clean(entry.told, facts, between)
        return Replica(
            position=entry.offset + 1,
            facts=facts,
            entries=(*replica.entries, (entry.offset, entry.told)),
            clean=replica.clean | {entry.event} if is_clean else replica.clean - {entry.event},
        )

    def _is_clean(self, told: Events, known: Events, between: Iterable[Events]) -> bool:
        if self._tells(known):
            return self._rules.is_clean(told, known, between)
        return True  # Nothing can be told before the purchase, and whoever adds it must tell of this entry, too.

    def _read_back(self, works: tuple[Work, ...], reader: int, read: Replica, entry: Entry) -> tuple[Work, ...]:
        """Let the event whose entry was read back end, or be decided again."""
        for event, work in enumerate(works):
            if work.step is Step.APPENDED and work.owner == reader and work.offset == entry.offset:
                step = Step.DONE if event in read.clean else Step.AGAIN
                return _put(works, event, Work(step, reader))
        return works

    def _goes_on(self, world: World, event: Event, work: Work) -> Iterator[tuple[str, World]]:
        match work.step:
            case Step.IDLE | Step.AGAIN:
                if _is_its_turn(world, event, work.owner):
                    yield self._decision(world, event, work)
            case Step.CALLING:
                acknowledged = work._replace(step=Step.ACKNOWLEDGED)
                yield (
                    f"Button is told {set(work.told)}",
                    world._replace(button=work.told, work=_put(world.work, event, acknowledged)),
                )
            case Step.ACKNOWLEDGED:
                entry = Entry(world.end, event, work.base, work.told)
                appended = work._replace(step=Step.APPENDED, offset=world.end)
                works = _put(world.work, event, appended)
                yield f"{entry} is appended", world._replace(log=(*world.log, entry), end=world.end + 1, work=works)
            case _:
                pass

    def _decision(self, world: World, event: Event, work: Work) -> tuple[str, World]:
        replica = world.replicas[work.owner]
        is_known = work.step is Step.IDLE and event in replica.facts
        if is_known and self._rules.is_spared(event, replica.facts, replica.clean):
            return f"{event} is done already", world._replace(work=_put(world.work, event, Work(Step.DONE, work.owner)))
        told = replica.facts | {event}
        if not self._tells(told):
            told = NOTHING
        base = replica.entries[-1][0] if replica.entries else -1
        decided = Work(Step.CALLING if told else Step.ACKNOWLEDGED, work.owner, told, base)
        return f"{work.owner} decides {event} on {set(replica.facts)}", world._replace(
            work=_put(world.work, event, decided),
        )

    def _tells(self, known: Events) -> bool:
        return self._setting.waits_for is None or self._setting.waits_for in known

    def _compactions(self, world: World) -> Iterator[tuple[str, World]]:
        """Let an entry vanish whose key has a newer one, once every living replica has passed it."""
        newest = {entry.event if self._rules.keeps_facts else 0: entry.offset for entry in world.log}
        for entry in world.log:
            is_superseded = newest[entry.event if self._rules.keeps_facts else 0] != entry.offset
            if is_superseded and all(each.position > entry.offset or not each.is_alive for each in world.replicas):
                yield f"compaction takes {entry}", world._replace(log=tuple(e for e in world.log if e != entry))

    def _rebuilds(self, world: World) -> Iterator[tuple[str, World]]:
        """Let a replica that has nothing under way lose its table, and read the log anew."""
        if not self._setting.compacts:
            return
        busy = {work.owner for work in world.work if work.step in (*_UNDER_WAY, Step.AGAIN)}
        for number, replica in enumerate(world.replicas):
            if replica.is_alive and replica.position and number not in busy:
                fresh = Replica()
                for entry in world.log:
                    fresh = self._read(fresh, entry)
                replicas = _put(world.replicas, number, fresh)
                yield f"{number} rebuilds", world._replace(replicas=replicas, faults_left=world.faults_left - 1)

    def _crashes(self, world: World) -> Iterator[tuple[str, World]]:
        """Let a replica die while another lives; what it was calling landed, or did not (or will, out of time)."""
        alive = [number for number, replica in enumerate(world.replicas) if replica.is_alive]
        for number in alive if len(alive) > 1 else ():
            heir = next(other for other in alive if other != number)
            calls = [work.told for work in world.work if work.owner == number and work.step is Step.CALLING]
            inherited = self._inherit(world, number, heir)
            yield (
                f"{number} dies",
                inherited._replace(
                    late_calls=world.late_calls | set(calls) if self._setting.late_calls else world.late_calls,
                ),
            )
            if calls:
                yield f"{number} dies, Button was told {set(calls[0])}", inherited._replace(button=calls[0])

    def _inherit(self, world: World, dead: int, heir: int) -> World:
        works = world.work
        replica = world.replicas[heir]
        for entry in world.log if self._setting.catches_up else ():
            if entry.offset >= replica.position:
                replica = self._read(replica, entry)
                works = self._read_back(works, heir, replica, entry)
        late_appends = {
            (event, work.base, work.told)
            for event, work in enumerate(works)
            if self._setting.late_appends and work.owner == dead and work.step is Step.ACKNOWLEDGED
        }
        return world._replace(
            replicas=_put(_put(world.replicas, dead, Replica(is_alive=False)), heir, replica),
            work=tuple(
                Work(Step.DONE if work.step is Step.DONE else Step.IDLE, heir) if work.owner == dead else work
                for work in works
            ),
            faults_left=world.faults_left - 1,
            late_appends=world.late_appends | late_appends,
        )

    def _late(self, world: World) -> Iterator[tuple[str, World]]:
        """Let what the dead left behind arrive."""
        for told in world.late_calls:
            yield f"a late call tells {set(told)}", world._replace(button=told, late_calls=world.late_calls - {told})
        for late in world.late_appends:
            entry = Entry(world.end, *late)
            yield (
                f"late {entry}",
                world._replace(
                    log=(*world.log, entry),
                    end=world.end + 1,
                    late_appends=world.late_appends - {late},
                ),
            )


def _is_its_turn(world: World, event: Event, owner: int) -> bool:
    """Keep to the lane: what its owner has before it is done, and nothing of the order is under way there."""
    mine = [(number, work) for number, work in enumerate(world.work) if work.owner == owner]
    return all(work.step is Step.DONE for number, work in mine if number < event) and not any(
        work.step in _UNDER_WAY for _, work in mine
    )


def _put(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _trace(came_from: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    steps = [f"at rest Button has {set(world.button)}, the tables {[set(each.facts) for each in world.replicas]}"]
    while (origin := came_from[world]) is not None:
        world, step = origin
        steps.append(step)
    return steps[::-1]


def main() -> int:
    """Explore the design in ever larger worlds; non-zero where it breaks or the states are too many."""
    parser = argparse.ArgumentParser(description="explore the order ledger's protocol")
    parser.add_argument("--states", type=int, default=1_500_000, help="give a world up behind so many states")
    most_states: int = parser.parse_args().states
    owners_and_purchase = [((0, 1), None), ((0, 1, 0), None), ((0, 1, 0), 0), ((0, 1, 2), None), ((0, 1, 2), 1)]
    is_held = True
    for owners, purchase in [*owners_and_purchase, ((0, 1, 0, 1), None), ((0, 1, 0, 1), 2)]:
        for faults in (0, 1, 2):
            setting = Setting(owners, faults, compacts=faults > 0, late_appends=faults > 0, waits_for=purchase)
            finding = Model(setting).explore(most_states)
            verdict = "holds" if finding.holds else "VIOLATED" if finding.trace else "holds as far as was seen"
            sys.stdout.write(f"{setting}: {finding.states} states, {finding.rests} at rest: {verdict}\n")
            sys.stdout.writelines(f"    {step}\n" for step in finding.trace)
            is_held &= not finding.trace
    return 0 if is_held else 1


if __name__ == "__main__":
    sys.exit(main())
