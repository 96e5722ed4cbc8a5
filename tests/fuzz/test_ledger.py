# SPDX-License-Identifier: Apache-2.0
"""Records in the ledger's topic that no connector wrote: passed over or refused by name, never half understood."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from connector.domain.facts import Fact, UnreadableFactError
from connector.domain.folding import fold
from connector.engine.observations import BadTableRecord
from connector.engine.ports import FollowedTopic, RawRecord, TopicPartition
from connector.tables import checkpoint
from connector.tables.fact_codec import (
    IDENTITY_KEY,
    FactKey,
    decode_fact,
    decode_key,
    encode_key,
    is_newer,
    is_readable,
    refusal_of,
    told_of,
)
from connector.tables.ledger_clean import Watched
from connector.tables.ledger_entries import unpack
from connector.tables.ledger_identity import Identity, decode_identity
from connector.tables.ledger_pending import Pending
from connector.tables.ledger_rows import ORDERS, LedgerRows, NewerFactError
from connector.tables.orders import decoded
from tests.support.mutations import FUZZ, mutated

if TYPE_CHECKING:
    from connector.engine.observations import Observation
    from connector.engine.ports import Observer

_VECTORS = Path(__file__).parents[1] / "vectors" / "facts" / "v1.jsonl"
VALUES = tuple(json.loads(line)["value"].encode() for line in _VECTORS.read_text(encoding="utf-8").splitlines())
KEYS = (encode_key(FactKey("M-1", "e-1")), encode_key(FactKey("M-1", "größer", is_parked=True)), IDENTITY_KEY)
IDENTITY = Identity("1f", 3, "orders").encode()
CHECKPOINT = checkpoint.Checkpoint("ledger", "c", "t", "order-entries-1", 1_767_225_600_000, {0: 7, 1: 0}).encode()
TOPIC = FollowedTopic("ledger", "c", "t", 86_400_000, {0: (0, 9), 1: (0, 0)})
PARTITION = TopicPartition("ledger", 0)


@FUZZ
@given(mutated(VALUES))
@example(b'{"v":1,"p":')
@example(b'{"v":1,"m":["parked"],"at":0,"w":0}')
@example(b'{"v":1,"m":["?",""],"at":0,"w":0}')
@example(b'{"v":1,"o":[[1,"USD","",[],null,null,null,null],false],"w":0}')
@example(b'{"v":1,"r":[[],null,null,null,null,false,false],"at":"now","w":0}')
def test_every_value_is_a_fact_or_refused_by_name(value: bytes) -> None:
    """A value is read whole, or refused with what is wrong and the remedy; so is what it told."""
    try:
        fact = decode_fact("M-1", "e-1", value)
    except UnreadableFactError as error:
        assert str(error).partition(". ")[2].startswith(("Stop it", "Upgrade"))  # noqa: PT017  any may be one
        with suppress(UnreadableFactError):
            assert all(isinstance(each, str) for each in told_of("e-1", value))
        return
    assert isinstance(fact, Fact)
    assert isinstance(fact.occurred_at_ms, int)
    assert isinstance(fact.written_at_ms, int)
    assert told_of("e-1", value) == frozenset(fact.told)


@FUZZ
@given(mutated(KEYS))
def test_every_key_is_a_facts_or_no_facts(key: bytes) -> None:
    """A key that is read is one that could have been written: order, event, perhaps the mark."""
    read = decode_key(key)
    if read is not None:
        assert decode_key(encode_key(read)) == read


@FUZZ
@given(mutated((*VALUES, IDENTITY, b'{"v":2,"p":[]}', b'{"v":18446744073709551616}')))
def test_every_value_that_is_not_read_is_refused_in_words(value: bytes) -> None:
    """What is not of a version that is read is a newer connector's or no fact; both are said with their remedy."""
    if not is_readable(value):
        said = refusal_of(value)
        assert ("newer connector" in said) == is_newer(value)


class _Table(dict[bytes, bytes]):
    """A table in memory."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def delete(self, key: bytes) -> None:
        self.pop(key, None)


def _noted(seen: list[BadTableRecord]) -> Observer:
    def note(observation: Observation) -> None:
        assert isinstance(observation, BadTableRecord)
        seen.append(observation)

    return note


rows = st.lists(
    st.tuples(
        st.none() | st.sampled_from(KEYS) | mutated(KEYS),
        st.none() | st.sampled_from(VALUES) | mutated((*VALUES, IDENTITY)),
        st.integers(0, 10**13),
    ),
    max_size=6,
)


@FUZZ
@given(rows)
def test_every_record_is_applied_or_reported(records: list[tuple[bytes | None, bytes | None, int]]) -> None:
    """Foreign records are reported with their position and passed over; a newer connector's stop the start."""
    seen: list[BadTableRecord] = []
    table = _Table()
    applier = LedgerRows(Pending(), Watched(), 10**12, _noted(seen), lambda _: None)
    raw = [RawRecord(PARTITION, at, key, value, (), written) for at, (key, value, written) in enumerate(records)]
    try:
        applier.apply(raw, table)
    except NewerFactError as error:
        assert "ledger/0 offset" in str(error)  # noqa: PT017  any record may be one
        return
    assert all(each.message for each in seen)
    for key, value in table.items():
        if key.startswith(ORDERS):
            with suppress(UnreadableFactError):
                fold(decoded(key[1:].decode(), unpack(value)))


@FUZZ
@given(mutated((CHECKPOINT,)))
@example(b"[]")
@example(b'{"offsets": {}}')
@example(b'{"topic":"ledger","cluster_id":"c","topic_id":"t","layout":"order-entries-1","as_of_ms":"now","offsets":{}}')
@example(
    b'{"topic":"ledger","cluster_id":"c","topic_id":"t","layout":"order-entries-1","as_of_ms":0,"offsets":{"0":1e999}}',
)
def test_every_checkpoint_is_one_or_refused(data: bytes) -> None:
    """A checkpoint that was damaged is refused, so that the table is read anew; one that is read can be judged."""
    try:
        found = checkpoint.decode(data)
    except ValueError:
        return
    checkpoint.why_useless(found, TOPIC, "order-entries-1", 1_767_225_700_000)


@FUZZ
@given(mutated((IDENTITY,)))
@example(b'{"ledger_id":"1","partitions":1e999,"group_id":"g"}')
def test_every_identity_is_one_or_none(value: bytes) -> None:
    """Foreign bytes in the place of the ledger's identity are none."""
    found = decode_identity(value)
    assert found is None or isinstance(found.partitions, int)
