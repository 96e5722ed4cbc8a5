# SPDX-License-Identifier: Apache-2.0
"""The bundled schemas: complete, documented, evolvable, found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from connector.avro import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITHOUT_DEFAULT = {
    "CommerceEventBatch.events",
    "CommerceEvent.occurred_at",
    "ProductAction.action",
    "UserIdentity.identity_type",
    "GdprConsent.consented",
    "SessionAttribution.observed_at",
    "EarlierToken.observed_at",
}


def fields(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401  any JSON
    """Yield each field of each record, named by its record."""
    if isinstance(schema, list):
        for branch in schema:
            yield from fields(branch)
    if isinstance(schema, dict):
        for field in schema.get("fields", ()):
            yield f"{schema['name']}.{field['name']}", field
            yield from fields(field["type"])
        for inner in ("type", "items", "values"):
            if isinstance(schema.get(inner), (dict, list)):
                yield from fields(schema[inner])


@pytest.mark.parametrize("name", schemas.SCHEMA_NAMES)
def test_every_field_is_documented(name: str) -> None:
    """Who writes an event learns from the schema alone what each field means."""
    all_fields = dict(fields(schemas.load_schema(name)))
    assert len(all_fields) > 5
    assert [path for path, field in all_fields.items() if not field.get("doc")] == []


@pytest.mark.parametrize("name", schemas.SCHEMA_NAMES)
def test_every_field_that_may_be_absent_has_a_default(name: str) -> None:
    """A later version can drop or add any of them and still read, and be read by, this one."""
    lacking = {path for path, field in fields(schemas.load_schema(name)) if "default" not in field}
    assert lacking <= WITHOUT_DEFAULT


@pytest.mark.parametrize("name", schemas.SCHEMA_NAMES)
def test_a_schema_is_valid_avro(name: str) -> None:
    """Each schema parses, and its text is what was parsed."""
    assert fastavro.parse_schema(schemas.load_schema(name))
    assert schemas.schema_text(name).startswith("{")


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    """A typo in a schema's name is answered with the names that there are."""
    with pytest.raises(ValueError, match="there are commerce_event, commerce_event_batch, session_attribution"):
        schemas.schema_text("comerce_event")


def test_the_schemas_of_a_wheel_come_before_the_repositorys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package never reads a file that merely lies beside it."""
    (tmp_path / "commerce_event.avsc").write_text("bundled", encoding="utf-8")
    monkeypatch.setattr(schemas, "_IN_THE_WHEEL", tmp_path)
    assert schemas.schema_text("commerce_event") == "bundled"


def test_a_schema_that_is_nowhere_is_told_with_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation says where it looked and what to do."""
    monkeypatch.setattr(schemas, "_IN_THE_WHEEL", tmp_path / "wheel")
    monkeypatch.setattr(schemas, "_IN_THE_REPOSITORY", tmp_path / "repository")
    with pytest.raises(schemas.SchemaNotFoundError, match=r"wheel.*repository.*install button-connector again"):
        schemas.schema_text("session_attribution")
