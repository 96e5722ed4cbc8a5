# SPDX-License-Identifier: Apache-2.0
"""Schemas may grow; who wrote or read by an earlier version goes on without noticing.

A released version is kept with a value that was written by it (``tests/vectors/schemas``). Both directions are held to
Avro's own rules, and to ours where Avro has none: a decimal's scale is not a part of its schema's identity.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import avro.schema
import fastavro
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from connector.avro import schemas
from connector.avro.schemas import SCHEMA_NAMES, load_schema
from tests.support.released_schemas import RELEASED, bare_example, meaning_of, released, value_of, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any
EVERY_VERSION = [(name, number) for name in SCHEMA_NAMES for number in versions(name)]
NEW, OLD = "reader is the present version", "reader is the released version"


def _complaints(reader: Json, writer: Json) -> list[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # the library has no type here
    checked = checker.get_compatibility(_parsed(reader), _parsed(writer))
    is_fine = checked.compatibility is SchemaCompatibilityType.compatible
    return (
        []
        if is_fine
        else [f"{where}: {what}" for where, what in zip(checked.locations, checked.messages, strict=False)]
    )


def _parsed(schema: Json) -> avro.schema.Schema:
    return avro.schema.parse(json.dumps(schema))


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_schema_has_a_released_version(name: str) -> None:
    """The rules below are about versions that exist, numbered from 1 without a gap."""
    assert versions(name) == list(range(1, len(versions(name)) + 1)) != []


@pytest.mark.parametrize(("name", "number"), EVERY_VERSION)
@pytest.mark.parametrize("direction", [NEW, OLD])
def test_the_present_version_and_a_released_one_read_each_other(name: str, number: int, direction: str) -> None:
    """A field that is added needs a default, one that is taken away had one, and no type narrows or changes."""
    present, past = load_schema(name), released(name, number)
    reader, writer = (present, past) if direction == NEW else (past, present)
    assert _complaints(reader, writer) == []


@pytest.mark.parametrize(("name", "number"), EVERY_VERSION)
def test_no_decimal_changes_its_scale(name: str, number: int) -> None:
    """Avro calls such schemas the same; amounts would be wrong by powers of ten without anybody noticing."""
    present, past = dict(_decimals(load_schema(name))), dict(_decimals(released(name, number)))
    common = present.keys() & past.keys()
    assert {path: present[path] for path in common} == {path: past[path] for path in common}
    assert common or name == "session_attribution"


@pytest.mark.parametrize(("name", "number"), EVERY_VERSION)
def test_a_value_of_a_released_version_is_read(name: str, number: int) -> None:
    """The connector, as it is started, reads bytes that were written then, and finds in them what it found then.

    Red with ``unknown_schema_fingerprint``: the version was replaced, so put it into ``schemas/avro/older/NAME/``.
    """
    value, meaning = value_of(name, number)
    assert meaning_of(name, value) == meaning


@pytest.mark.parametrize(("name", "number"), EVERY_VERSION)
def test_a_reader_of_a_released_version_reads_what_is_written_today(name: str, number: int) -> None:
    """Whoever reads these topics by the schema that they know, by Avro's resolution, goes on doing so."""
    datum = fastavro.schemaless_reader(
        io.BytesIO(bare_example(name)),
        fastavro.parse_schema(load_schema(name)),
        fastavro.parse_schema(released(name, number)),
    )
    assert isinstance(datum, dict)
    assert datum.keys() == {field["name"] for field in released(name, number)["fields"]}


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_a_replaced_version_is_read_beside_the_present_one(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new field makes another fingerprint; values with the old one are read for as long as its schema is shipped."""
    shipped = Path(schemas._IN_THE_REPOSITORY)  # noqa: SLF001  what an installation has is what the test is about
    shutil.copytree(shipped, tmp_path / "avro")
    monkeypatch.setattr(schemas, "_IN_THE_REPOSITORY", tmp_path / "avro")
    value, meaning = value_of(name, 1)
    grown = load_schema(name)
    grown["fields"].append({"name": "added", "type": ["null", "string"], "default": None})
    (tmp_path / "avro" / f"{name}.avsc").write_text(json.dumps(grown), encoding="utf-8")
    assert meaning_of(name, value) != meaning

    older = tmp_path / "avro" / "older" / name
    older.mkdir(parents=True)
    shutil.copy(RELEASED / name / "1.avsc", older)
    assert meaning_of(name, value) == meaning


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda fields: fields.append({"name": "added", "type": "string"}), "no default"),
        (lambda fields: fields.remove(next(field for field in fields if "default" not in field)), "no default"),
        (lambda fields: fields[0].update(type="string"), "not compatible"),
    ],
    ids=["added without a default", "taken away without a default", "another type"],
)
@pytest.mark.parametrize("name", ["commerce_event", "session_attribution"])
def test_a_change_that_breaks_is_noticed(name: str, change: Any, complaint: str) -> None:  # noqa: ANN401  a lambda
    """The checker that is relied on sees the mistakes that people make."""
    changed = load_schema(name)
    change(changed["fields"])
    found = _complaints(changed, load_schema(name)) + _complaints(load_schema(name), changed)
    assert found, complaint


def _decimals(schema: Json, path: str = "") -> Iterator[tuple[str, tuple[int, int]]]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _decimals(branch, path)
    if isinstance(schema, dict):
        if schema.get("logicalType") == "decimal":
            yield path, (schema["precision"], schema["scale"])
        for field in schema.get("fields", ()):
            yield from _decimals(field["type"], f"{path}.{field['name']}")
        for inner in ("type", "items", "values"):
            if isinstance(schema.get(inner), (dict, list)):
                yield from _decimals(schema[inner], path)
