# SPDX-License-Identifier: Apache-2.0
"""Whom to ask for dead letters, and how.

Owns which setting names what. Nothing is read or written before it is asked for; no group is joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector import wiring
from connector.kafka.letters import read_contents, read_letters
from connector.kafka.whole_topic import WholeTopicOptions, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from connector.engine.ports import RawRecord
    from connector.kafka.letters import Letter, Place
    from connector.kafka.options import KafkaConnection
    from connector.kafka.whole_topic import HowFar
    from connector.settings import Settings


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, and how; ``report`` is told how far a long reading is."""

    settings: Settings
    through: KafkaConnection
    silence_seconds: float
    report: Callable[[HowFar], None]

    def letters(self) -> list[Letter]:
        """Return all letters as they stand; raises :class:`KafkaFailure`."""
        return read_letters(read_whole(self._topic("dead_letters.topic", self.settings.dead_letters.topic)))

    def contents(self, places: Collection[Place]) -> dict[Place, RawRecord]:
        """Return the records of letters; raises :class:`KafkaFailure`."""
        if not places:
            return {}
        partitions = sorted({each.partition for each in places})
        topic = self._topic("dead_letters.topic", self.settings.dead_letters.topic)
        return read_contents(read_whole(topic, lambda _: partitions), places)

    def ledger(self) -> WholeTopicOptions:
        """Return how the ledger's topic is read."""
        return self._topic("ledger.topic", self.settings.ledger.topic)

    def _topic(self, setting: str, topic: str) -> WholeTopicOptions:
        group_id = self.settings.kafka.group_id
        return WholeTopicOptions(self.through, topic, setting, group_id, self.silence_seconds, self.report)


def asking_of(settings: Settings, silence_seconds: float, report: Callable[[HowFar], None]) -> Asking:
    """Return whom these settings name; raises ``OSError`` for a file that they name and that cannot be read."""
    return Asking(settings, wiring.connection(settings.kafka), silence_seconds, report)
