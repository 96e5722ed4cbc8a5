# SPDX-License-Identifier: Apache-2.0
"""What the connector makes of each thing that a registry can do, over real HTTP and TLS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from connector.avro.fetched import Fetched, Found, SchemaSource, Unavailable, Unknown, Unusable
from connector.avro.registry import ConfluentRegistry, RegistryOptions
from tests.support.certificates import new_authority
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENT: dict[str, Any] = {"type": "record", "name": "Event", "fields": [{"name": "a", "type": "string"}]}
PASSWORD = "hunter2-hunter2"  # noqa: S105  a marked value that must never come out


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Give a running registry."""
    with Registry() as started:
        yield started


async def fetch(registry: Registry, schema_id: int, **options: Any) -> Fetched:  # noqa: ANN401  of many types
    """Ask as the connector does."""
    source: SchemaSource = ConfluentRegistry(RegistryOptions(registry.url, **options))
    return await source.fetch(schema_id)


def problem_of(fetched: Fetched) -> str:
    """Return why the registry says nothing."""
    assert isinstance(fetched, Unavailable)
    return fetched.message


async def test_a_schema_is_found_by_its_id(registry: Registry) -> None:
    """The text becomes JSON, and one request is all it takes."""
    schema_id = registry.register("orders-value", EVENT)
    assert await fetch(registry, schema_id) == Found(EVENT)
    assert registry.requests == [f"GET /schemas/ids/{schema_id}"]


async def test_an_unknown_id_is_told_from_a_registry_that_says_nothing(registry: Registry) -> None:
    """Only the registry's own code blames the id; a bare 404 is a wrong address and blames nobody."""
    assert isinstance(await fetch(registry, 17), Unknown)
    elsewhere = ConfluentRegistry(RegistryOptions(registry.url + "/elsewhere"))
    assert "HTTP 404" in problem_of(await elsewhere.fetch(17))


@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF"])
async def test_a_schema_of_another_kind_is_unusable_for_ever(registry: Registry, kind: str) -> None:
    """An id never changes its schema, so that its records are to blame."""
    schema_id = registry.register("orders-value", "{}", kind=kind)
    assert await fetch(registry, schema_id) == Unusable(f"it is a schema of type {kind}; write the events in Avro")


async def test_avro_that_is_not_even_json_is_unusable(registry: Registry) -> None:
    """A registry of loose habits cannot stop a partition for ever."""
    assert isinstance(await fetch(registry, registry.register("orders-value", "{")), Unusable)


async def test_what_a_schema_refers_to_comes_before_it(registry: Registry) -> None:
    """Each lies behind those it uses itself, once, deleted versions included."""
    registry.register("leaf", {"type": "enum", "name": "Leaf", "symbols": ["A"]})
    leaf = {"name": "Leaf", "subject": "leaf", "version": 1}
    branch_schema = {"type": "record", "name": "Branch", "fields": [{"name": "leaf", "type": "Leaf"}]}
    registry.register("my branch", branch_schema, references=[leaf])
    branch = {"name": "Branch", "subject": "my branch", "version": 1}
    root = {
        "type": "record",
        "name": "Root",
        "fields": [{"name": "b", "type": "Branch"}, {"name": "l", "type": "Leaf"}],
    }
    fetched = await fetch(registry, registry.register("orders-value", root, references=[leaf, branch]))
    assert isinstance(fetched, Found)
    assert fetched.schema == root
    assert [schema["name"] for schema in fetched.references] == ["Leaf", "Branch"]


async def test_a_reference_that_is_not_there_yet_may_come(registry: Registry) -> None:
    """A schema and what it refers to arrive at a replica one after the other."""
    reference = {"name": "Leaf", "subject": "leaf", "version": 1}
    schema_id = registry.register("orders-value", '"Leaf"', references=[reference])
    assert isinstance(await fetch(registry, schema_id), Unknown)


async def test_schemas_that_refer_to_one_another_end(registry: Registry) -> None:
    """No registry should hold them; one that does costs some requests and blames its own schema."""
    for one, other in (("a", "b"), ("b", "a")):
        registry.register(one, f'"{other}"', references=[{"name": other, "subject": other, "version": 1}])
    fetched = await fetch(registry, 1)
    assert isinstance(fetched, Unusable)
    assert "more than 100" in fetched.message


async def test_credentials_are_sent_and_a_refusal_names_the_setting(tmp_path: Path) -> None:
    """The password is read anew for each request, so that a rotated one works; it is never shown."""
    password_file = tmp_path / "password"
    password_file.write_text("outdated")
    with Registry(credentials=("connector", PASSWORD)) as registry:
        schema_id = registry.register("orders-value", EVENT)
        options = RegistryOptions(registry.url, username="connector", read_password=password_file.read_text)
        source = ConfluentRegistry(options)
        refused = problem_of(await source.fetch(schema_id))
        assert "refuses the credentials (401)" in refused
        assert "schema_registry.username" in refused
        assert "outdated" not in refused + repr(options)
        password_file.write_text(PASSWORD)
        assert isinstance(await source.fetch(schema_id), Found)
        password_file.unlink()
        assert "cannot be read (No such file" in problem_of(await source.fetch(schema_id))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, b'{"error_code": 40301, "message": "no"}', "forbids reading schemas (403)"),
        (500, b'{"error_code": 50001, "message": "the store fell over"}', "HTTP 500: the store fell over"),
        (503, b"<html>a proxy's own page</html>", "HTTP 503; check"),
        (302, b"", "HTTP 302"),
        (429, b"{}", "HTTP 429"),
        (422, b'{"error_code": 42201, "message": "no"}', "HTTP 422"),
        (200, b"<html>a captive portal</html>", "JSONDecodeError"),
        (200, b"[]", ""),
        (200, b'"text"', ""),
        (200, b"{}", "holds no schema"),
        (200, b"", ""),
        (404, b"[]", "HTTP 404"),
    ],
)
async def test_an_answer_that_says_nothing_of_the_id_blames_no_record(
    registry: Registry,
    status: int,
    body: bytes,
    words: str,
) -> None:
    """Errors of the registry, and what is no registry at all, are waited out; foreign pages are never quoted."""
    schema_id = registry.register("orders-value", EVENT)
    registry.faults.status, registry.faults.body = status, body
    problem = problem_of(await fetch(registry, schema_id))
    assert problem.startswith(registry.url)
    assert words in problem
    assert "<html>" not in problem


async def test_a_registry_that_is_down_is_told_and_comes_back(registry: Registry) -> None:
    """A refused connection blames nobody."""
    schema_id = registry.register("orders-value", EVENT)
    registry.stop()
    assert "ConnectError" in problem_of(await fetch(registry, schema_id))
    registry.start()
    assert isinstance(await fetch(registry, schema_id), Found)


async def test_the_next_address_is_asked_when_the_first_is_down(registry: Registry) -> None:
    """Several addresses are of one registry."""
    with Registry() as other:
        schema_id = other.register("orders-value", EVENT)
        registry.stop()
        source = ConfluentRegistry(RegistryOptions(f"{registry.url},{other.url}"))
        assert isinstance(await source.fetch(schema_id), Found)


async def test_silence_ends(registry: Registry) -> None:
    """A registry that takes the request and says nothing is as one that is down."""
    registry.faults.delay_seconds = 1.0
    assert "ReadTimeout" in problem_of(await fetch(registry, 1, request_timeout_seconds=0.1))


async def test_an_answer_of_single_bytes_ends_too(registry: Registry) -> None:
    """Each byte comes in time, and the whole never does."""
    schema_id = registry.register("orders-value", {**EVENT, "doc": "x" * 1_000})
    registry.faults.is_dripping = True
    fetched = await fetch(registry, schema_id, request_timeout_seconds=0.1)
    assert "no whole answer within 1 s" in problem_of(fetched)


async def test_a_private_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    """By default it is not; the problem says what is wrong with the certificate."""
    authority = new_authority(tmp_path)
    with Registry(tls=authority.server_context()) as registry:
        schema_id = registry.register("orders-value", EVENT)
        assert "CERTIFICATE_VERIFY_FAILED" in problem_of(await fetch(registry, schema_id))
        assert isinstance(await fetch(registry, schema_id, ca_file=authority.ca_file), Found)


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    """Whoever stands between us and the registry could otherwise hand out schemas."""
    authority = new_authority(tmp_path)
    with Registry(tls=authority.server_context("registry.example")) as registry:
        fetched = await fetch(registry, registry.register("orders-value", EVENT), ca_file=authority.ca_file)
        assert "CERTIFICATE_VERIFY_FAILED" in problem_of(fetched)


async def test_our_certificate_is_presented(tmp_path: Path) -> None:
    """A registry may want one; key and certificate may lie in one file or in two."""
    authority = new_authority(tmp_path)
    issued = authority.ca.issue_cert("client@connector.example")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    with Registry(tls=authority.server_context(demands_client=True)) as registry:
        source = RegistryOptions(registry.url, ca_file=authority.ca_file)
        schema_id = registry.register("orders-value", EVENT)
        without = await ConfluentRegistry(source).fetch(schema_id)
        in_one = replace(source, client_cert_file=authority.client_cert_file)
        in_two = replace(source, client_cert_file=certificate, client_key_file=key)
        assert problem_of(without)
        for options in (in_one, in_two):
            assert isinstance(await ConfluentRegistry(options).fetch(schema_id), Found)


async def test_a_certificate_file_that_broke_since_the_start_is_told(tmp_path: Path) -> None:
    """It may be replaced at any time; the connector waits for a good one."""
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    with Registry() as registry:
        problem = problem_of(await fetch(registry, 1, ca_file=broken))
        assert "schema_registry.ca_file" in problem
        foreign = tmp_path / "foreign.pem"
        trustme.CA().cert_pem.write_to_path(foreign)
        assert "schema_registry" in problem_of(await fetch(registry, 1, client_cert_file=foreign))
