# SPDX-License-Identifier: Apache-2.0
"""Facts as bytes: whole, readable for ever, and never half understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.facts import (
    Fact,
    Mark,
    MarkKind,
    Observed,
    Position,
    Purchase,
    Refund,
    RefundedLine,
    UnreadableFactError,
    WaitingRecord,
)
from connector.domain.money import Amount
from connector.domain.orders import Customer, LineItem, Order
from connector.tables.fact_codec import (
    FORMAT_VERSION,
    IDENTITY_KEY,
    MARK,
    OBSERVED,
    PURCHASE,
    REFUND,
    FactKey,
    decode_fact,
    decode_key,
    encode_fact,
    encode_key,
    is_newer,
    is_readable,
    key_of,
    kind_of,
    partition_of,
    told_of,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "facts"

texts = st.text(max_size=8)
maybe_texts = st.none() | texts
numbers = st.integers(-(2**70), 2**70)
small = st.integers(-(2**53), 2**53)
maybe_amounts = st.none() | st.builds(Amount, numbers, st.integers(0, 30))
lines = st.builds(
    LineItem,
    texts,
    small,
    small,
    maybe_texts,
    maybe_texts,
    st.lists(texts, max_size=2).map(tuple),
    st.none() | st.dictionaries(texts, texts, max_size=2),
    maybe_texts,
)
orders = st.builds(
    Order,
    st.just("M-1"),
    small,
    texts,
    texts,
    st.lists(lines, max_size=3).map(tuple),
    maybe_texts,
    st.none(),
    maybe_texts,
    maybe_texts,
    maybe_texts,
)
refunded = st.builds(RefundedLine, maybe_texts, maybe_texts, st.none() | numbers, maybe_amounts, maybe_amounts)
said = st.one_of(
    st.builds(Purchase, orders, st.none() | numbers),
    st.builds(
        Refund,
        st.lists(refunded, max_size=3).map(tuple),
        maybe_amounts,
        maybe_amounts,
        maybe_amounts,
        maybe_texts,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(Observed, orders, st.booleans()),
    st.builds(Mark, st.sampled_from(MarkKind), texts),
)
headers = st.lists(st.tuples(texts, st.none() | st.binary(max_size=8)), max_size=2).map(tuple)
facts = st.builds(
    Fact,
    texts,
    said,
    small,
    st.lists(texts, max_size=3).map(tuple),
    st.integers(-1, 2**53),
    texts,
    texts,
    maybe_texts,
    texts,
    st.none() | st.builds(Position, texts, texts, texts, small, small, small),
    small,
    st.none() | st.builds(WaitingRecord, st.none() | st.binary(max_size=8), st.binary(max_size=8), headers, small),
)


def plain(value: Any) -> Any:  # noqa: ANN401  any part of a fact
    """Return a part of a fact as JSON has it; a record of the domain by its name and the names of its fields."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if hasattr(value, "_asdict"):
        return {"type": type(value).__name__, **{name: plain(each) for name, each in value._asdict().items()}}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def assert_says(found: Any, expected: Any) -> None:  # noqa: ANN401  as above
    """Check that nothing expected is missing or different; fields that came later are not expected."""
    if isinstance(expected, dict):
        for name, each in expected.items():
            assert_says(found[name], each)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_says(one, other)
    else:
        assert found == expected


@given(facts)
def test_a_fact_comes_back_as_it_went(fact: Fact) -> None:
    """Nothing of a fact is lost, rounded or changed: what is told later is computed from it."""
    value = encode_fact(fact)
    assert is_readable(value)
    assert decode_fact("M-1", fact.event_id, value) == fact
    assert told_of(fact.event_id, value) == set(fact.told)


@given(facts)
def test_what_a_fact_is_can_be_seen_without_decoding_it(fact: Fact) -> None:
    """The table judges by it, thousands of times a second."""
    kinds = {Purchase: PURCHASE, Refund: REFUND, Observed: OBSERVED, Mark: MARK}
    assert kind_of(encode_fact(fact)) == kinds[type(fact.said)]


@given(texts, texts, st.booleans())
def test_a_key_comes_back_as_it_went(order_id: str, event_id: str, is_parked: bool) -> None:  # noqa: FBT001  a parameter
    """Whatever is in the ids, two different keys never look alike."""
    key = FactKey(order_id, event_id, is_parked)
    assert decode_key(encode_key(key)) == key


def test_a_key_can_be_read_by_people() -> None:
    """An operator finds an order in the topic with any tool."""
    fact = Fact("e-1", Refund(), 0)
    assert key_of("M-1", fact) == b'["M-1","e-1"]'
    assert key_of("M-1", fact._replace(said=Mark(MarkKind.GIVEN_UP))) == b'["M-1","e-1"]'
    assert key_of("M-1", fact._replace(said=Mark(MarkKind.PARKED))) == b'["M-1","e-1","parked"]'


@pytest.mark.parametrize(
    "key",
    [b"", b"M-1", b"[]", b'["M-1"]', b'["a","b","c"]', b'["a",1]', b'{"a":"b"}', b'["a","b","parked","d"]', b"\xff"],
)
def test_a_foreign_key_is_no_facts(key: bytes) -> None:
    """What others write to the topic is not taken for an order's."""
    assert decode_key(key) is None
    assert decode_key(IDENTITY_KEY) is None


@pytest.mark.parametrize(
    ("order_id", "crc"),
    [("123456789", 0xCBF43926), ("", 0), ("The quick brown fox jumps over the lazy dog", 0x414FA339)],
)
def test_the_partition_of_an_order_is_its_crc_32(order_id: str, crc: int) -> None:
    """The check values of the algorithm's catalogue: another hash would look for every order in the wrong place."""
    assert [partition_of(order_id, count) for count in (1, 7, 12)] == [0, crc % 7, crc % 12]


def test_whose_order_it_is_is_not_written() -> None:
    """The ledger holds no personal data: to amend an order nobody needs its customer."""
    customer = Customer("4711", "0" * 64, "device", is_new=True)
    order = Order("M-1", 1, "USD", "2026-03-01T12:00:00Z", (), customer=customer)
    value = encode_fact(Fact("e-1", Purchase(order, None), 0))
    assert not any(each in value for each in (b"4711", b"0000", b"device"))


@pytest.mark.parametrize("file", sorted(VECTORS.glob("v*.jsonl")), ids=lambda file: file.stem)
def test_what_any_version_wrote_is_still_read(file: Path) -> None:
    """Each line is a fact as that version wrote it, with what it must be read as; lines are added, never changed."""
    vectors = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert {each["kind"] for each in vectors} == {"purchase", "refund", "observed", "mark"}
    for each in vectors:
        value = each["value"].encode()
        assert is_readable(value)
        assert kind_of(value) == each["kind"][:1].encode()
        fact = decode_fact(each["order_id"], each["event_id"], value)
        assert_says(plain(fact), each["fact"])


def test_every_version_has_its_vectors() -> None:
    """Whoever changes the format keeps what the old one wrote."""
    assert {file.stem for file in VECTORS.glob("v*.jsonl")} == {f"v{each}" for each in range(1, FORMAT_VERSION + 1)}


def test_a_newer_fact_is_refused_with_the_remedy() -> None:
    """During an upgrade an old replica must not compute an order from what it half understands."""
    value = b'{"v":%d,"p":{}}' % (FORMAT_VERSION + 1)
    assert not is_readable(value)
    assert is_newer(value)
    with pytest.raises(UnreadableFactError, match=r"newer connector \(format 2.*Upgrade this replica first"):
        decode_fact("M-1", "e-1", value)


@pytest.mark.parametrize("value", [b"", b"hello", b"[]", b'{"v":"x"}', b'{"v":true}', b'{"v":1,"x":1}', b'{"p":1}'])
def test_foreign_bytes_are_not_taken_for_a_newer_fact(value: bytes) -> None:
    """They stop nobody; they are reported and passed over."""
    assert not is_readable(value)
    assert not is_newer(value)
