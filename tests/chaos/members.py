# SPDX-License-Identifier: Apache-2.0
"""The connectors of a run: as many as there shall be, whatever happens to them.

Owns who is a member, and notes every process that ended by itself: a supervisor would start it again, as is done here,
but nobody asked it to end.
"""

from __future__ import annotations

import json
from signal import SIGABRT, SIGTERM
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from connector.demo.parts import Connector
    from tests.support.processes import World

_STOP_SECONDS = 30.0
_TERMINATED = frozenset((143, -SIGTERM))
"""How a process ends that was asked to before it had begun."""
_LIBRARY_ABORT = "rd_kafka_enq_once_del_source_return: Assertion"
"""How librdkafka 2.16 ends the process now and then when a question of the start loses its connection."""
_SHOWN_CHARACTERS = 600


class Members:
    """The processes at work."""

    def __init__(self, world: World, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin with none."""
        self._world = world
        self._settings = settings
        self.at_work: list[Connector] = []
        self._all: list[Connector] = []
        self._surprises: list[str] = []

    def add(self, *, is_ready: bool = False) -> Connector:
        """Start one more, and wait for its readiness if asked to."""
        member = self._world.connector(self._settings, is_ready=is_ready)
        self.at_work.append(member)
        self._all.append(member)
        return member

    def surprises(self) -> list[str]:
        """Return what the processes did that nothing asked them to: ends, and errors that nobody had thought of."""
        thrown = [
            f"{member.child.name} threw: {line[:_SHOWN_CHARACTERS]}"
            for member in self._all
            for line in member.child.read_log().splitlines()
            if '"exception":' in line
        ]
        return self._surprises + thrown

    def choose(self, random: Random) -> Connector:
        """Return one that lives."""
        self.look_after()
        return random.choice(self.at_work)

    def forget(self, member: Connector) -> None:
        """Note that one has been ended."""
        self.at_work.remove(member)

    def end(self, member: Connector) -> None:
        """Ask one to end, and wait until it has."""
        self.forget(member)
        member.child.terminate()
        status = member.child.wait(_STOP_SECONDS)
        if status != 0 and not (status in _TERMINATED and not member.child.read_log()):
            self._surprised(member, f"ended with {status} when it was asked to end")

    def look_after(self) -> None:
        """Replace those that ended by themselves."""
        for member in [each for each in self.at_work if each.child.exit_status is not None]:
            if not _was_aborted_at_its_start(member):
                self._surprised(member, f"ended by itself with {member.child.exit_status}")
            self.forget(member)
            self.add()

    def end_all(self) -> None:
        """Ask all to end, one after the other."""
        while self.at_work:
            self.end(self.at_work[0])

    def _surprised(self, member: Connector, what: str) -> None:
        lines = [_said(line) for line in member.child.read_log().splitlines()]
        why = next((line for line in reversed(lines) if line), "it said nothing")
        self._surprises.append(f"{member.child.name} {what}: {why[:_SHOWN_CHARACTERS]}")


def _was_aborted_at_its_start(member: Connector) -> bool:
    """Return whether the library ended it before it had anything to do, so that nobody can have noticed."""
    log = member.child.read_log()
    return member.child.exit_status == -SIGABRT and _LIBRARY_ABORT in log and "partitions assigned" not in log


def _said(line: str) -> str:
    """Return a line of the log if it is an error, or none of the log's."""
    if not line.startswith("{"):
        return line
    said = json.loads(line)
    return line if said.get("level") in {"error", "critical"} else ""
