# SPDX-License-Identifier: Apache-2.0
"""What the order ledger does beyond its contract: whose it is, what is too old, what must end the process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from connector.domain.facts import NO_FACTS, Mark, MarkKind, UnreadableFactError
from connector.engine.observations import BadTableRecord
from connector.tables.fact_codec import partition_of
from connector.tables.ledger_identity import Takeover
from connector.tables.ledger_rows import WAITING, NewerFactError
from tests.contract.ledger_contract import NOW_MS, ORDER, mark, purchase, refund, waiting
from tests.support.ledgers import HORIZON_DAYS, MemoryReplicas, SetClock
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from connector.tables.orders import Orders

DAY_MS = 86_400_000


@pytest.fixture
def clock() -> SetClock:
    """Give a clock that stands."""
    return SetClock(NOW_MS)


@pytest.fixture
async def replicas(tmp_path: Path, clock: SetClock) -> AsyncIterator[MemoryReplicas]:
    """Give replicas that are stopped at the end."""
    replicas = MemoryReplicas(tmp_path, clock)
    yield replicas
    await replicas.close()


async def _refusal(ledger: Orders) -> str:
    """Start a replica that must not come up, and return why not."""
    ledger.start(asyncio.get_running_loop())
    reason = await asyncio.wait_for(ledger.failed(), 5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ledger.caught_up(), 0.05)
    return reason


async def test_a_ledger_of_another_partition_count_is_refused(replicas: MemoryReplicas) -> None:
    """Keys would be looked for where they are not; the message says how to get the old count back."""
    await replicas.open()
    reason = await _refusal(replicas.put_together(partitions=4))
    assert "topic 'orders' has 4 partitions, but its ledger was begun with 3" in reason
    assert "copy the ledger's records into a new topic of 3 partitions" in reason


async def test_a_ledger_of_another_group_is_refused_and_the_way_to_take_over_is_named(replicas: MemoryReplicas) -> None:
    """Two groups that tell of the same orders would each be sure of what the other one changes."""
    await replicas.open()
    reason = await _refusal(replicas.put_together(takeover=Takeover("other")))
    assert "belongs to group 'group', and this is group 'other'" in reason
    assert "set ledger.hand_over_from to 'group'" in reason


async def test_a_ledger_that_is_handed_over_belongs_to_the_new_group_alone(replicas: MemoryReplicas) -> None:
    """The new group knows all orders; whoever of the old one still lives ends, and cannot come back."""
    old = await replicas.open()
    await old.append(ORDER, purchase("p"))
    ended = asyncio.ensure_future(old.failed())
    new = replicas.put_together(takeover=Takeover("other", "group"))
    new.start(asyncio.get_running_loop())
    await new.caught_up()
    assert set(new.read(ORDER).facts) == {"p"}
    assert "was handed over to group 'other'" in await asyncio.wait_for(ended, 5)
    assert "belongs to group 'other'" in await _refusal(replicas.put_together())


async def test_an_order_past_the_horizon_is_absent(replicas: MemoryReplicas, clock: SetClock) -> None:
    """Exactly at the horizon it is known still; what makes it young again is its newest fact, whatever its event."""
    ledger = await replicas.open()
    await ledger.append(ORDER, purchase("p"))
    clock.ms += round(HORIZON_DAYS * DAY_MS)
    assert set(ledger.read(ORDER).facts) == {"p"}
    clock.ms += 1
    assert ledger.read(ORDER) == NO_FACTS


async def test_an_order_that_comes_again_after_the_horizon_begins_anew(
    replicas: MemoryReplicas,
    clock: SetClock,
) -> None:
    """What counted as absent must not come back by being written to, swept or not."""
    ledger = await replicas.open()
    await ledger.append(ORDER, purchase("p"))
    clock.ms += round(HORIZON_DAYS * DAY_MS) + 1
    assert await ledger.append(ORDER, purchase("q")) is True
    assert set(ledger.read(ORDER).facts) == {"q"}


async def test_sweeping_takes_out_what_is_past_the_horizon_and_nothing_else(
    replicas: MemoryReplicas,
    clock: SetClock,
) -> None:
    """All of such an order goes, marks too; a table made from what compaction leaves knows nothing of it."""
    ledger = await replicas.open()
    await ledger.append(ORDER, purchase("p"))
    await ledger.append(ORDER, mark("x"))
    clock.ms += round(HORIZON_DAYS * DAY_MS) + 1
    await ledger.append("M-2", purchase("p2"))
    assert await ledger.take_out_expired() == 1
    await ledger.barrier()
    assert await ledger.take_out_expired() == 0
    newest = {row.key: row.value for row in replicas.topic.records}
    left = {key for key, value in newest.items() if value is not None}
    assert left == {b'["ledger"]', b'["M-2","p2"]'}


async def test_a_refund_that_waited_too_long_is_found_once(replicas: MemoryReplicas, clock: SetClock) -> None:
    """Not before its time, not if its purchase came, and not again when a mark is in its place."""
    ledger = await replicas.open()
    await ledger.append(ORDER, waiting("r"))
    await ledger.append("M-2", waiting("r2"))
    await ledger.append("M-2", purchase("p2", "r2", base=ledger.read("M-2").last))
    await ledger.append("M-2", refund("r2", "p2", base=ledger.read("M-2").last))
    clock.ms += 14 * DAY_MS
    assert [each async for each in ledger.waited_too_long()] == []
    clock.ms += 1
    (waited,) = [each async for each in ledger.waited_too_long()]
    assert (waited.order_id, waited.fact.event_id) == (ORDER, "r")
    await ledger.append(ORDER, waited.fact._replace(said=Mark(MarkKind.GIVEN_UP, "waited_too_long"), written_at_ms=0))
    assert [each async for each in ledger.waited_too_long()] == []
    assert [*ledger.table.scan(WAITING)] == []


async def test_a_replica_goes_on_from_its_own_copy(replicas: MemoryReplicas) -> None:
    """After a restart it knows all that was written, before it and while it was away."""
    loop = asyncio.get_running_loop()
    kept = replicas.put_together("kept")
    kept.start(loop)
    await kept.caught_up()
    await kept.append(ORDER, purchase("p"))
    await kept.stop()
    other = await replicas.open()
    await other.append(ORDER, refund("r", "p", base=other.read(ORDER).last))
    again = replicas.put_together("kept")
    again.start(loop)
    await again.caught_up()
    assert again.read(ORDER) == other.read(ORDER)
    assert set(again.read(ORDER).facts) == {"p", "r"}


async def test_a_durable_fact_that_does_not_come_back_ends_the_process(replicas: MemoryReplicas) -> None:
    """The topic lost what it had acknowledged: nothing that is decided from it can be trusted."""
    ledger = replicas.put_together(lost_after_seconds=0.02)
    ledger.start(asyncio.get_running_loop())
    await ledger.caught_up()
    replicas.topic.loses = True
    answer = asyncio.ensure_future(ledger.append(ORDER, purchase("p")))
    assert "had acknowledged is not in it" in await asyncio.wait_for(ledger.failed(), 5)
    assert not answer.done()


async def test_a_fact_that_is_on_its_way_is_not_missed(replicas: MemoryReplicas) -> None:
    """A broker that is down for long loses nothing; the append waits for as long as it takes [26]."""
    ledger = replicas.put_together(lost_after_seconds=0.02)
    ledger.start(asyncio.get_running_loop())
    await ledger.caught_up()
    replicas.topic.loses, replicas.topic.outstanding = True, 1
    waiting_for = ledger.append(ORDER, purchase("p"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ledger.failed(), 0.2)
    replicas.topic.loses, replicas.topic.outstanding = False, 0
    await replicas.append_late(ORDER, purchase("p")._replace(written_at_ms=NOW_MS))
    assert await waiting_for is True


async def test_a_newer_fact_ends_the_process_and_says_where_it_lies(replicas: MemoryReplicas) -> None:
    """Passing it over would be to decide without it."""
    ledger = await replicas.open()
    feed = replicas.feeds[0]
    feed.is_held = True
    partition = partition_of(ORDER, 3)
    replicas.topic.append(partition, b'["M-1","p"]', b'{"v":2,"p":[]}', NOW_MS)
    with pytest.raises(NewerFactError, match=rf"orders/{partition} offset \d+: it was written by a newer connector"):
        await ledger.barrier()


async def test_a_fact_that_cannot_be_read_keeps_from_deciding_its_order_alone(replicas: MemoryReplicas) -> None:
    """Nothing that is decided without it can be right; every other order goes on (P4)."""
    ledger = await replicas.open()
    replicas.topic.append(partition_of(ORDER, 3), b'["M-1","r"]', b'{"v":1,"r":7,"told":7,"w":1}', NOW_MS)
    await ledger.barrier()
    with pytest.raises(UnreadableFactError, match="delete the record with a tombstone"):
        ledger.read(ORDER)
    assert await ledger.append(ORDER, purchase("p")._replace(told=("p", "r"), base=-1)) is False
    assert await ledger.append("another", purchase("p")) is True
    replicas.clock.ms += 30 * DAY_MS
    assert [waited async for waited in ledger.waited_too_long()] == []
    (report,) = [each for each in replicas.observations if isinstance(each, BadTableRecord)]
    assert "'r'" in report.message


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"M-1", b'{"v":1,"p":[]}'), (b'["M-1","p"]', b"hello"), (None, b"{}"), (b'["M-1","p"]', b'{"v":1,"z":[]}')],
)
async def test_a_foreign_record_is_reported_and_passed_over(
    replicas: MemoryReplicas,
    key: bytes,
    value: bytes,
) -> None:
    """Whoever writes rubbish to the topic stops nobody."""
    ledger = await replicas.open()
    partition = partition_of(ORDER, 3)
    replicas.topic.append(partition, key, value, NOW_MS)
    await ledger.barrier()
    assert ledger.read(ORDER) == NO_FACTS
    (report,) = [each for each in replicas.observations if isinstance(each, BadTableRecord)]
    assert (report.table, report.topic_partition.partition) == ("ledger", partition)
    assert await ledger.append(ORDER, purchase("p")) is True


async def test_an_append_that_nobody_waits_for_any_more_harms_nobody(replicas: MemoryReplicas) -> None:
    """An engine that gave a partition back does not wait; the fact lies in the ledger all the same."""
    ledger = await replicas.open()
    answer = asyncio.ensure_future(ledger.append(ORDER, purchase("p")))
    answer.cancel()
    await eventually(lambda: set(ledger.read(ORDER).facts) == {"p"})
    assert await ledger.append(ORDER, refund("r", "p", base=ledger.read(ORDER).last)) is True


async def test_the_same_fact_twice_answers_both(replicas: MemoryReplicas) -> None:
    """Whoever writes the same bytes twice gets two answers."""
    ledger = await replicas.open()
    twice = purchase("p")._replace(written_at_ms=NOW_MS)
    assert [await each for each in [ledger.append(ORDER, twice), ledger.append(ORDER, twice)]] == [True, True]


async def test_a_writer_that_read_too_long_ago_is_unclean_rather_than_wrong(replicas: MemoryReplicas) -> None:
    """What was replaced meanwhile is not known any more, so it tells once more than it may have to."""
    ledger = await replicas.open()
    await ledger.append(ORDER, purchase("p"))
    known = ledger.read(ORDER)
    for number in range(50_000):
        ledger.read(f"other-{number}")
    assert await ledger.append(ORDER, refund("r", "p", base=known.last)) is False
    assert await ledger.append(ORDER, refund("r", "p", base=ledger.read(ORDER).last)) is True


@pytest.mark.parametrize("first", ["another writer's", "its own mark", "its own, which nobody waits for"])
async def test_what_came_since_a_new_order_was_read_is_kept(replicas: MemoryReplicas, first: str) -> None:
    """Of an order that was new when it was read nothing is looked for again; unless something came meanwhile."""
    ledger = await replicas.open()
    assert ledger.read(ORDER) == NO_FACTS
    if first == "another writer's":
        await replicas.append_late(ORDER, waiting("first"))
    elif first == "its own mark":
        await ledger.append(ORDER, mark("first"))
    else:
        asyncio.ensure_future(ledger.append(ORDER, waiting("first"))).cancel()
    await ledger.append(ORDER, purchase("p"))
    assert set(ledger.read(ORDER).facts) == {"first", "p"}
