# SPDX-License-Identifier: Apache-2.0
"""Files that somebody wants explained: records, or a sentence that says why there are none."""

from __future__ import annotations

import io
import json

import fastavro
from hypothesis import example, given

from connector.avro.decoding import AvroDecoder
from connector.avro.samples import SampleError, read_samples
from connector.avro.writers import Writer, bind_writer, decode_events
from connector.domain.events import CommerceEvent
from connector.domain.orders import Reject
from connector.engine.ports import RawRecord, TopicPartition
from tests.support import avro_records
from tests.support.mutations import FUZZ, MARKED_EMAIL, assert_private, mutated

_EVENT = avro_records.purchase(user_identities=[{"identity_type": "email", "identity": MARKED_EMAIL}])
_SCHEMA = avro_records.schema("commerce_event")


def _container() -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(_SCHEMA), [avro_records.with_decimals(_EVENT)] * 2)
    return out.getvalue()


def _json_with(total_amount: object, **fields: object) -> bytes:
    action = {"action": "purchase", "transaction_id": "order-1", "total_amount": total_amount}
    return json.dumps({**_EVENT, "product_action": action, **fields}).encode()


FILES = (
    json.dumps(_EVENT).encode(),
    json.dumps(_EVENT).encode() + b"\n" + json.dumps(avro_records.refund()).encode(),
    avro_records.encode_event(_EVENT),
    _container(),
)
DECODER = AvroDecoder()


@FUZZ
@given(mutated(FILES))
@example(_json_with("1e999999"))
@example(_json_with("9" * 5_000))
@example(_json_with(1).replace(b'"total_amount": 1', b'"total_amount": ' + b"9" * 5_000))
@example(_json_with("1", occurred_at=-(10**30)))
@example(_json_with("1", custom_attributes={"\ud800": "x"}))
@example(_json_with("1", mpid="\udfff"))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
def test_every_file_is_records_or_refused_in_a_sentence(data: bytes) -> None:
    """Whatever the file holds, it is read as records, or what is wrong is said without showing whose it is."""
    try:
        samples = read_samples(data)
    except SampleError as error:
        said = str(error)
    else:
        said = ""
        for sample in samples:
            record = RawRecord(TopicPartition("orders", 0), 0, None, sample.value, (), 0)
            writer = None if sample.schema is None else bind_writer(sample.schema)
            read = decode_events(sample.value, 0, writer) if isinstance(writer, Writer) else DECODER.decode(record)
            assert all(
                isinstance(each, CommerceEvent | Reject) for each in (read if isinstance(read, list) else [read])
            )
    assert_private(said)
    assert not said or said.endswith((".", "?"))
