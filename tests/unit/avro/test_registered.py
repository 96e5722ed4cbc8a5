# SPDX-License-Identifier: Apache-2.0
"""How long a registry is asked, and what is remembered; in simulated time."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from connector.avro.decoding import AvroDecoder
from connector.avro.fetched import Fetched, Found, Unavailable, Unknown, Unusable
from connector.avro.registered import RegisteredOptions, RegisteredWriters
from connector.domain.events import CommerceEvent
from connector.domain.orders import Reject
from connector.engine.observations import DependencyUnavailable, WriterSchemaUnusable
from connector.engine.ports import RawRecord, TopicPartition
from tests.support.avro_records import body, small_event, small_event_schema
from tests.support.fakes import Recorder
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.engine.ports import Preparation

SCHEMA = small_event_schema("string")
VALUE = body(small_event("1.50"), SCHEMA)
DOWN = Unavailable("http://registry: it is down")
NOT_THERE = Unknown("the registry does not have it")


class FakeRegistry:
    """Answers by a function of the id and the time; an answer takes a tenth of a second."""

    def __init__(self, answer: Callable[[int, float], Fetched]) -> None:
        """Take the function."""
        self.answer = answer
        self.asked: Counter[int] = Counter()

    async def fetch(self, schema_id: int) -> Fetched:
        """Answer."""
        self.asked[schema_id] += 1
        await asyncio.sleep(0.1)
        return self.answer(schema_id, asyncio.get_running_loop().time())


class Rig:
    """A decoder with a registry."""

    def __init__(self, answer: Callable[[int, float], Fetched], **options: float) -> None:
        """Put it together."""
        self.registry = FakeRegistry(answer)
        self.seen = Recorder()
        chance = Random(3)  # noqa: S311  jitter, not cryptography
        how = RegisteredOptions(**options)  # type: ignore[arg-type]  # some are whole numbers
        self.decoder = AvroDecoder(registered=RegisteredWriters(self.registry, how, self.seen, chance))

    def try_to_decode(self, schema_id: int, data: bytes = VALUE) -> list[CommerceEvent | Reject] | Reject | Preparation:
        """Decode a value with this schema id."""
        value = b"\x00" + schema_id.to_bytes(4, "big") + data
        return self.decoder.decode(RawRecord(TopicPartition("orders", 0), 0, None, value, (), 0))

    async def decode(self, schema_id: int, data: bytes = VALUE) -> CommerceEvent | Reject:
        """Decode as the engine does: what must be fetched is waited for."""
        while not isinstance(decoded := self.try_to_decode(schema_id, data), Reject | list):
            await decoded.ready()
        if isinstance(decoded, Reject):
            return decoded
        (event,) = decoded
        return event


def now() -> float:
    """Return the simulated time."""
    return asyncio.get_running_loop().time()


def test_a_schema_is_fetched_once_however_many_wait() -> None:
    """Sixteen partitions and a thousand records cost one request."""

    async def main() -> None:
        rig = Rig(lambda _id, _time: Found(SCHEMA))
        events = await asyncio.gather(*(rig.decode(7) for _ in range(16)))
        events += [await rig.decode(7) for _ in range(1_000)]
        assert all(isinstance(event, CommerceEvent) for event in events)
        assert rig.registry.asked == {7: 1}
        assert now() < 0.2

    run_in_virtual_time(main())


def test_whoever_waits_next_asks_when_the_first_is_cancelled() -> None:
    """A partition that is taken away in the middle of a fetch leaves the others waiting for an answer that comes."""

    async def main() -> None:
        rig = Rig(lambda _id, _time: Found(SCHEMA))
        first, second = asyncio.create_task(rig.decode(7)), asyncio.create_task(rig.decode(7))
        await asyncio.sleep(0.05)
        first.cancel()
        assert isinstance(await second, CommerceEvent)
        assert rig.registry.asked == {7: 2}

    run_in_virtual_time(main())


def test_a_silent_registry_is_asked_for_ever_and_blames_nobody() -> None:
    """[31] After a day of outage the record is decoded; the waits grow, so that few requests were made."""

    async def main() -> None:
        day = 86_400.0
        rig = Rig(lambda _id, time: DOWN if time < day else Found(SCHEMA), max_retry_seconds=15.0)
        assert isinstance(await rig.decode(7), CommerceEvent)
        assert day <= now() < day + 16
        assert 5_000 < rig.registry.asked[7] < 12_000
        assert rig.seen.of(DependencyUnavailable)[0] == DependencyUnavailable("schema registry", DOWN.message)
        assert rig.seen.of(WriterSchemaUnusable) == []

    run_in_virtual_time(main())


def test_an_id_that_arrives_late_is_waited_for() -> None:
    """Registries replicate: a record may be there before its schema."""

    async def main() -> None:
        rig = Rig(lambda _id, time: NOT_THERE if time < 20 else Found(SCHEMA), unknown_id_seconds=30)
        assert isinstance(await rig.decode(7), CommerceEvent)
        assert 20 <= now() < 26
        assert rig.seen.of(DependencyUnavailable)

    run_in_virtual_time(main())


def test_an_id_that_never_arrives_is_a_dead_letter_after_the_bound() -> None:
    """The message names the id, the wait and the remedy; who else had the id need not wait again."""

    async def main() -> None:
        rig = Rig(lambda _id, _time: NOT_THERE, unknown_id_seconds=30)
        reject = await rig.decode(7)
        assert isinstance(reject, Reject)
        assert reject.reason == "unknown_schema_id"
        assert "schema id 7: the registry does not have it, after a wait of 30" in reject.message
        assert "register the schema there" in reject.message
        assert 30 <= now() < 31
        asked = rig.registry.asked[7]
        assert rig.try_to_decode(7) == reject
        assert rig.registry.asked[7] == asked
        assert rig.seen.of(WriterSchemaUnusable) == [WriterSchemaUnusable(7, reject.reason, reject.message)]

    run_in_virtual_time(main())


def test_an_id_that_was_unknown_is_asked_for_again_later() -> None:
    """Once somebody registers it, its records are delivered without a restart."""

    async def main() -> None:
        rig = Rig(lambda _id, time: NOT_THERE if time < 40 else Found(SCHEMA), unknown_id_seconds=30)
        assert isinstance(await rig.decode(7), Reject)
        await asyncio.sleep(31)
        assert isinstance(await rig.decode(7), CommerceEvent)

    run_in_virtual_time(main())


def test_many_unknown_ids_do_not_each_cost_the_bound() -> None:
    """Rubbish that begins with a zero byte names a new id each time; a partition waits once, not for all of them."""

    async def main() -> None:
        rig = Rig(lambda id_, _time: Found(SCHEMA) if id_ == 7 else NOT_THERE, unknown_id_seconds=30)
        for schema_id in range(1_000, 1_100):
            assert isinstance(await rig.decode(schema_id), Reject)
        assert now() < 30 + 100 * 0.2 + 1
        assert isinstance(await rig.decode(7), CommerceEvent)

    run_in_virtual_time(main())


def test_patience_comes_back() -> None:
    """After ten times the bound, or once waiting has paid, a late id is waited for again."""

    async def main() -> None:
        rig = Rig(lambda _id, time: NOT_THERE if time < 380 else Found(SCHEMA), unknown_id_seconds=30)
        assert isinstance(await rig.decode(7), Reject)
        await asyncio.sleep(330)
        assert isinstance(await rig.decode(8), CommerceEvent)
        assert 380 <= now() < 386

    run_in_virtual_time(main())


def test_an_outage_in_the_middle_of_the_wait_is_no_answer() -> None:
    """Only the registry's own word ends the wait for an unknown id."""

    async def main() -> None:
        rig = Rig(lambda _id, time: NOT_THERE if time < 1 else DOWN if time < 500 else Found(SCHEMA))
        assert isinstance(await rig.decode(7), CommerceEvent)

    run_in_virtual_time(main())


def test_a_schema_that_lacks_what_an_order_needs_is_told_once() -> None:
    """Each record is a dead letter that names the id and the fields; the log says it once."""

    async def main() -> None:
        lacking = {**SCHEMA, "fields": [one for one in SCHEMA["fields"] if one["name"] != "occurred_at"]}
        rig = Rig(lambda _id, _time: Found(lacking))
        rejects = [await rig.decode(7) for _ in range(3)]
        for reject in rejects:
            assert isinstance(reject, Reject)
            assert reject.reason == "writer_schema_lacks_fields"
            assert "schema id 7: the writer's schema lacks what an order needs: occurred_at" in reject.message
        assert len(rig.seen.of(WriterSchemaUnusable)) == 1

    run_in_virtual_time(main())


def test_a_schema_that_was_forgotten_and_fetched_again_is_not_told_again() -> None:
    """With more schemas than are remembered, the log would otherwise repeat itself for ever."""

    async def main() -> None:
        lacking = {**SCHEMA, "fields": [one for one in SCHEMA["fields"] if one["name"] != "occurred_at"]}
        rig = Rig(lambda _id, _time: Found(lacking), max_schemas=1)
        for schema_id in (7, 8, 7, 8):
            await rig.decode(schema_id)
        assert rig.registry.asked == {7: 2, 8: 2}
        assert [told.schema_id for told in rig.seen.of(WriterSchemaUnusable)] == [7, 8]

    run_in_virtual_time(main())


def test_a_schema_whose_purchases_lack_something_is_told_once_and_its_refunds_go_on() -> None:
    """What only purchases need is missed by purchases alone."""

    async def main() -> None:
        lacking = {**SCHEMA, "fields": [one for one in SCHEMA["fields"] if one["name"] != "currency_code"]}
        purchase, refund = small_event("1.50"), small_event("1.50")
        refund["product_action"]["action"] = "refund"
        rig = Rig(lambda _id, _time: Found(lacking))
        reject = await rig.decode(7, body(purchase, lacking))
        assert isinstance(reject, Reject)
        assert "schema id 7" in reject.message
        assert "currency_code" in reject.message
        assert isinstance(await rig.decode(7, body(refund, lacking)), CommerceEvent)
        assert isinstance(await rig.decode(7, body(purchase, lacking)), Reject)
        assert rig.seen.of(WriterSchemaUnusable) == [WriterSchemaUnusable(7, reject.reason, reject.message)]

    run_in_virtual_time(main())


def test_a_schema_of_another_kind_is_a_dead_letter_with_its_id() -> None:
    """JSON and Protobuf have registries, too."""

    async def main() -> None:
        rig = Rig(lambda _id, _time: Unusable("it is a schema of type PROTOBUF; write the events in Avro"))
        reject = await rig.decode(7)
        assert isinstance(reject, Reject)
        assert reject.reason == "unsupported_writer_schema"
        assert reject.message.startswith("schema id 7: it is a schema of type PROTOBUF")

    run_in_virtual_time(main())


def test_references_are_read_by() -> None:
    """A writer may keep its types in schemas of their own, down to the whole event."""

    async def main() -> None:
        action = SCHEMA["fields"][0]["type"]
        whole = {**SCHEMA, "fields": [{"name": "product_action", "type": "Action"}, *SCHEMA["fields"][1:]]}
        for found in (Found(whole, (action,)), Found("OwnEvent", (action, whole)), Found(SCHEMA)):
            rig = Rig(lambda _id, _time, found=found: found)  # type: ignore[misc]  # bound now, not when it is called
            event = await rig.decode(7)
            assert isinstance(event, CommerceEvent)
            assert event.order_id == "order-1"

    run_in_virtual_time(main())


def test_a_value_that_only_begins_like_confluents_is_refused_without_asking() -> None:
    """No registry gives ids above 2**31, and fewer than five bytes are no header."""

    async def main() -> None:
        rig = Rig(lambda _id, _time: DOWN)
        reject = rig.try_to_decode(2**31)
        assert isinstance(reject, Reject)
        assert reject.reason == "unknown_schema_id"
        short = rig.decoder.decode(RawRecord(TopicPartition("orders", 0), 0, None, b"\x00\x00\x01", (), 0))
        assert isinstance(short, Reject)
        assert short.reason == "not_avro"

    run_in_virtual_time(main())


def test_memory_is_bounded_and_what_was_forgotten_is_asked_for_again() -> None:
    """Ids without end, known or not, do not fill the memory."""

    async def main() -> None:
        rig = Rig(lambda id_, _time: Found(SCHEMA) if id_ < 100 else NOT_THERE, max_schemas=10, unknown_id_seconds=0)
        for schema_id in range(200):
            await rig.decode(schema_id)
        assert isinstance(await rig.decode(99), CommerceEvent)
        assert rig.registry.asked[99] == 1
        assert isinstance(await rig.decode(0), CommerceEvent)
        assert rig.registry.asked[0] == 2

    run_in_virtual_time(main())


def test_doubles_are_taken_when_the_setting_says_so() -> None:
    """The setting reaches the writers of a registry."""

    async def main() -> None:
        doubles = small_event_schema("double")
        data = body(small_event(0.1), doubles)
        for takes_doubles, kind in ((True, CommerceEvent), (False, Reject)):
            rig = Rig(lambda _id, _time: Found(doubles), takes_doubles=takes_doubles)
            assert isinstance(await rig.decode(7, data), kind)

    run_in_virtual_time(main())
