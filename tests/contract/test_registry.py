# SPDX-License-Identifier: Apache-2.0
"""The tests' own registry answers as confluent-kafka's real client expects of a registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, SchemaRegistryError

from tests.support.certificates import new_authority
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENT: dict[str, Any] = {"type": "record", "name": "Event", "fields": [{"name": "a", "type": "string"}]}


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Give a running registry."""
    with Registry() as started:
        yield started


@pytest.fixture
def client(registry: Registry) -> Iterator[SchemaRegistryClient]:
    """Give the real client, which asks once."""
    with SchemaRegistryClient({"url": registry.url, "timeout": 5, "max.retries": 0}) as made:
        yield made


def with_field(name: str, **more: object) -> dict[str, Any]:
    """Return the event's schema with one more field."""
    return {**EVENT, "fields": [*EVENT["fields"], {"name": name, "type": "string", **more}]}


def fresh(registry: Registry) -> SchemaRegistryClient:
    """Return a client that remembers nothing."""
    return SchemaRegistryClient({"url": registry.url, "timeout": 5, "max.retries": 0})


def test_a_registered_schema_is_found_by_id_and_by_version(registry: Registry, client: SchemaRegistryClient) -> None:
    """One schema has one id, in whatever subjects it is; each subject counts its own versions."""
    first = client.register_schema("orders-value", Schema(json.dumps(EVENT)))
    second = client.register_schema("orders-value", Schema(json.dumps(with_field("b", default=""))))
    assert client.register_schema("copies-value", Schema(json.dumps(EVENT))) == first != second
    with fresh(registry) as other:
        assert json.loads(other.get_schema(first).schema_str or "") == EVENT
        version = other.get_version("orders-value", 2)
        assert (version.schema_id, version.version, version.subject) == (second, 2, "orders-value")
        assert other.get_latest_version("orders-value").schema_id == second
        assert other.get_versions("orders-value") == [1, 2]
        assert other.lookup_schema("orders-value", Schema(json.dumps(EVENT))).version == 1


def test_a_kind_and_references_are_kept(registry: Registry, client: SchemaRegistryClient) -> None:
    """What a schema refers to is told with it, and of what kind it is."""
    client.register_schema("event", Schema(json.dumps(EVENT)))
    references = [SchemaReference("Event", "event", 1)]
    referring = client.register_schema("orders-value", Schema('"Event"', "AVRO", references))
    other_kind = client.register_schema("proto", Schema('syntax = "proto3";', "PROTOBUF"))
    with fresh(registry) as other:
        found = other.get_schema(referring)
        assert [(each.name, each.subject, each.version) for each in found.references or ()] == [("Event", "event", 1)]
        assert (found.schema_type, other.get_schema(other_kind).schema_type) == ("AVRO", "PROTOBUF")


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda client: client.get_schema(99), 404, 40403),
        (lambda client: client.get_version("nobody", 1), 404, 40401),
        (lambda client: client.get_version("orders-value", 9), 404, 40402),
        (lambda client: client.lookup_schema("orders-value", Schema('"string"')), 404, 40403),
        (lambda client: client.register_schema("orders-value", Schema("{")), 422, 42201),
    ],
)
def test_what_is_not_there_has_a_code_of_its_own(
    client: SchemaRegistryClient,
    ask: Any,  # noqa: ANN401  a function of a client
    status: int,
    code: int,
) -> None:
    """The status alone does not tell a missing id from a wrong address."""
    client.register_schema("orders-value", Schema(json.dumps(EVENT)))
    with pytest.raises(SchemaRegistryError) as caught:
        ask(client)
    assert (caught.value.http_status_code, caught.value.error_code) == (status, code)


def test_a_field_without_default_is_incompatible(client: SchemaRegistryClient) -> None:
    """What was written before the field existed could not be read."""
    client.register_schema("orders-value", Schema(json.dumps(EVENT)))
    assert client.test_compatibility("orders-value", Schema(json.dumps(with_field("b", default=""))))
    assert not client.test_compatibility("orders-value", Schema(json.dumps(with_field("b"))))


def test_credentials_are_demanded() -> None:
    """Without, or with others, nothing is told."""
    with Registry(credentials=("connector", "right")) as registry:
        schema_id = registry.register("orders-value", EVENT)
        for user_info, is_right in (("connector:right", True), ("connector:wrong", False)):
            with SchemaRegistryClient({"url": registry.url, "basic.auth.user.info": user_info}) as client:
                if is_right:
                    assert client.get_schema(schema_id).schema_type == "AVRO"
                    continue
                with pytest.raises(SchemaRegistryError) as caught:
                    client.get_schema(schema_id)
                assert caught.value.http_status_code == 401


def test_tls_is_spoken(tmp_path: Path) -> None:
    """A client that trusts the authority is answered."""
    authority = new_authority(tmp_path)
    with Registry(tls=authority.server_context()) as registry:
        schema_id = registry.register("orders-value", EVENT)
        with SchemaRegistryClient({"url": registry.url, "ssl.ca.location": str(authority.ca_file)}) as client:
            assert client.get_schema(schema_id).schema_type == "AVRO"


def test_it_comes_back_at_its_address_with_its_schemas(registry: Registry) -> None:
    """A restart forgets nothing; while it is down, connections are refused."""
    schema_id = registry.register("orders-value", EVENT)
    url = registry.url
    registry.stop()
    with fresh(registry) as client, pytest.raises(Exception, match=r"[Rr]efused"):
        client.get_schema(schema_id)
    registry.start()
    assert registry.url == url
    with fresh(registry) as client:
        assert client.get_schema(schema_id).schema_type == "AVRO"
