# SPDX-License-Identifier: Apache-2.0
"""The records that letters stand for.

Owns where a record comes from that its letter only refers to: the source topic, for as long as it is still there and
still the same. Never takes another record for it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from connector.engine.ports import TopicPartition
from connector.kafka.failures import KafkaFailure
from connector.kafka.letters import original_headers
from connector.kafka.one_record import RecordGone, read_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.dlq.asking import Asking
    from connector.engine.ports import RawRecord
    from connector.kafka.letters import Letter


class Original(NamedTuple):
    """The record as its producer made it."""

    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes | None]]


def original_of(letter: Letter, content: RawRecord | None, asking: Asking) -> Original | str:
    """Return the record of a letter, or why it cannot be had."""
    if letter.reference is not None:
        return _referred(letter, asking)
    if content is None or content.value is None:
        return f"letter {letter.place} is not in its topic any more, or has no value"
    return Original(content.key, content.value, original_headers(content))


def _referred(letter: Letter, asking: Asking) -> Original | str:
    reference, source = letter.reference, letter.source
    place = TopicPartition(source.topic, source.partition)
    group_id = asking.settings.kafka.group_id
    try:
        record = read_record(asking.through, group_id, place, source.offset, asking.silence_seconds)
    except RecordGone:
        return (
            f"letter {letter.place} is a reference, and {place} does not hold its record at offset {source.offset} any "
            "more; send the event anew from the shop, then drop the letter"
        )
    except KafkaFailure as failure:
        return (
            f"letter {letter.place} is a reference, and its record at offset {source.offset} of {place} cannot be read "
            f"now: {failure.reason} Mend that and give the command again. Only if the record is gone for good, send "
            "the event anew from the shop, then drop the letter"
        )
    value = record.value
    if value is None or reference is None or hashlib.sha256(value).hexdigest() != reference.sha256:
        return (
            f"letter {letter.place} is a reference, and {place} holds another record at offset {source.offset} (the "
            "topic was made anew?); send the event anew from the shop, then drop the letter"
        )
    return Original(record.key, value, original_headers(record))
