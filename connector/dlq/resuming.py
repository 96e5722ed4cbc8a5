# SPDX-License-Identifier: Apache-2.0
"""Asks running connectors to go on after too many dead letters.

Owns how they hear it: every replica follows the ledger's topic, so a record there reaches a fleet of any size, and
whoever may write there is known to the brokers. It keeps nothing: a connector that starts later is not halted.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from connector.kafka.failures import KafkaFailure
from connector.kafka.record_writer import NewRecord, RecordWriter
from connector.kafka.topics import check_topics
from connector.tables.ledger_rows import RESUME_KEY

if TYPE_CHECKING:
    from connector.dlq.asking import Asking


def ask_to_go_on(asking: Asking) -> None:
    """Write the request; raises :class:`KafkaFailure`."""
    topic = asking.settings.ledger.topic
    for problem in check_topics(asking.through, {"ledger.topic": (topic,)}, asking.silence_seconds):
        reason = f"{problem.setting}: {problem.message}"
        raise KafkaFailure(reason)
    value = json.dumps({"at": time.time_ns() // 1_000_000}).encode()
    with RecordWriter(asking.through, asking.silence_seconds) as writer:
        writer.write(NewRecord(topic, "ledger.topic", 0, RESUME_KEY, value))
