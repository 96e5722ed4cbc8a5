# SPDX-License-Identifier: Apache-2.0
"""Headers of records and of dead letters, and what is kept with a commit: read where it can be, never in the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from connector.cli.screen import printable
from connector.domain.dead_letter import HEADER_PREFIX, DeadLetter, Stage
from connector.domain.replays import PREFIX, Replay, replay_of
from connector.engine.ports import RawRecord, TopicPartition
from connector.kafka import letters
from connector.kafka.starts import metadata_of, partitions_at_birth, topic_id_of
from connector.orders_view.letters import letters_of
from connector.telemetry.tracer import SpanTracer
from tests.support.mutations import FUZZ, mutated

if TYPE_CHECKING:
    from collections.abc import Sequence

LETTER = DeadLetter("orders", 3, 17, 0, Stage.DELIVER, "rejected", "Button refuses it", 2, 1_767_225_600_000, "M-1")
PARTITION = TopicPartition("dead-letters", 0)

names = st.sampled_from(
    [*(name for name, _ in LETTER.headers()), f"{HEADER_PREFIX}value-size", HEADER_PREFIX, "traceparent", "x"],
)
texts = st.none() | mutated([value for _, value in LETTER.headers() if value])
headers = st.lists(st.tuples(names, texts), max_size=12).map(lambda drawn: [*LETTER.headers(), *drawn])


@FUZZ
@given(headers, st.none() | st.sampled_from([b"M-1", b"\xff"]), st.integers(-1, 2**63 - 1))
@example([*LETTER.headers(), (f"{HEADER_PREFIX}attempts", b"9" * 5_000)], None, 0)
@example([*LETTER.headers(), (f"{HEADER_PREFIX}time", b"9" * 30)], None, 0)
@example([*LETTER.headers(), (f"{HEADER_PREFIX}time", "²".encode())], None, 0)
@example([*LETTER.headers(), (f"{HEADER_PREFIX}message", b"\x1b]0;owned\x07")], None, 0)
def test_every_dead_letter_can_be_shown(
    drawn: Sequence[tuple[str, bytes | None]],
    key: bytes | None,
    timestamp_ms: int,
) -> None:
    """Whatever its headers hold, a letter of the order is listed, and what is shown of it steers no terminal."""
    record = RawRecord(PARTITION, 5, key, b"value", drawn, timestamp_ms)
    for view in letters_of("M-1", "dead-letters", [[record]]):
        json.dumps(view._asdict())
        assert all(printable(str(each)).replace("\n", "").isprintable() for each in view)


@FUZZ
@given(headers, st.none() | st.sampled_from([b"M-1", b"\xff"]), st.integers(-1, 2**63 - 1))
@example([*LETTER.headers(), (f"{HEADER_PREFIX}note", b"?"), (f"{HEADER_PREFIX}note-offset", b"9" * 5_000)], None, 0)
@example([(f"{HEADER_PREFIX}reason", None), (f"{HEADER_PREFIX}topic", b"\xff")], b"\xff", 0)
def test_every_record_of_the_dead_letters_topic_is_a_letter_a_note_or_none_of_ours(
    drawn: Sequence[tuple[str, bytes | None]],
    key: bytes | None,
    timestamp_ms: int,
) -> None:
    """What others wrote to the topic, or a tool changed, is read as far as it goes, and can be written as JSON."""
    letter = letters.read(RawRecord(PARTITION, 5, key, b"value", drawn, timestamp_ms))
    json.dumps(letter)


REPLAY = Replay("cluster", "topic-id", "orders", 3, 17, 0, 1_767_225_600_000, 1)
replays = st.lists(
    st.tuples(
        st.sampled_from([*(name for name, _ in REPLAY.headers()), PREFIX, "x"]),
        st.none() | mutated([value for _, value in REPLAY.headers()]),
    ),
    max_size=4,
)


@FUZZ
@given(replays, st.integers(0, len(REPLAY.headers())))
@example([(f"{PREFIX}offset", b"9" * 5_000)], 8)
@example([(f"{PREFIX}count", "²".encode())], 8)
def test_every_claim_to_be_a_replay_is_one_or_refused(drawn: list[tuple[str, bytes | None]], kept: int) -> None:
    """A record that only looks like a replay becomes a dead letter by name, and never another record's event."""
    claimed = replay_of([*REPLAY.headers()[:kept], *drawn])
    if isinstance(claimed, Replay):
        assert claimed.partition >= 0
        assert claimed.offset >= 0
        assert replay_of(claimed.headers()) == claimed
    elif claimed is not None:
        assert claimed.reason == "bad_replay"


@FUZZ
@given(mutated([metadata_of(12, "an-id").encode(), b'{"partitions_at_birth":null}']))
@example(b"[" * 4_000)
@example(b'{"partitions_at_birth":true,"topic_id":7}')
def test_every_metadata_of_a_commit_says_a_birth_or_nothing(metadata: bytes) -> None:
    """Other tools commit for the group, too, and may leave anything with it."""
    text = metadata.decode(errors="replace")
    birth, topic_id = partitions_at_birth(text), topic_id_of(text)
    assert birth is None or (type(birth) is int and birth >= 0)
    assert topic_id is None or isinstance(topic_id, str)


_TRACES = (
    b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
    b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
)
TRACER = SpanTracer(TracerProvider(shutdown_on_exit=False).get_tracer("fuzz"))


@FUZZ
@given(
    st.lists(
        st.tuples(st.sampled_from(("traceparent", "TraceParent", "tracestate", "x")), st.none() | mutated(_TRACES)),
    ),
)
@example([("traceparent", b"\xff" * 55), ("tracestate", b"a=" * 10_000)])
def test_every_trace_header_begins_a_span(drawn: list[tuple[str, bytes | None]]) -> None:
    """A trace that cannot be read is none: the event has a span of its own, and goes on."""
    TRACER.begin(RawRecord(PARTITION, 5, None, b"", drawn, 0), 0).end("delivered", "")
