# SPDX-License-Identifier: Apache-2.0
"""``schemas``: against a registry over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.avro_records import schema, single_object
from tests.support.command_line import call, settings_file
from tests.support.http_peers import refused_url
from tests.support.registry import Registry

FILES = Path(__file__).resolve().parents[3] / "schemas" / "avro"


def test_list_names_every_schema_with_the_fingerprint_that_the_wire_has() -> None:
    """Little-endian there, and a number here."""
    rows = {row["name"]: row for row in json.loads(call("schemas", "list", "--json").stdout)}
    assert rows.keys() == {file.stem for file in FILES.glob("*.avsc")}
    value = single_object({"btn_ref": None, "observed_at": 0}, schema("session_attribution"))
    assert rows["session_attribution"]["fingerprint"] == value[2:10][::-1].hex()
    assert rows["commerce_event"]["record"] == "commerce.events.CommerceEvent"


def test_show_prints_the_file() -> None:
    """Byte for byte."""
    assert call("schemas", "show", "commerce_event").stdout == (FILES / "commerce_event.avsc").read_text(
        encoding="utf-8",
    )


def test_register_puts_the_schema_under_the_topic_s_subject_and_may_be_repeated(tmp_path: Path) -> None:
    """What is there already keeps its id."""
    with Registry() as registry:
        areas = {
            "kafka": {"bootstrap_servers": "a:1", "topics": ["shop-events"]},
            "button": {"api_key": "sk-x"},
            "schema_registry": {"url": registry.url},
        }
        file = settings_file(tmp_path, areas)
        first, second = (call("schemas", "register", "-c", file) for _ in range(2))
        assert (first.returncode, first.stderr) == (0, "")
        assert first.stdout == second.stdout == "shop-events-value: commerce_event has id 1; the newest version is 1\n"
        sessions = call("schemas", "register", "session_attribution", "--json", "-c", file)
        assert json.loads(sessions.stdout) == [{"subject": "session-attribution-value", "id": 2, "version": 1}]


def test_a_registry_needs_no_settings_file() -> None:
    """A build that registers schemas has no API key, and no brokers."""
    with Registry() as registry:
        done = call("schemas", "register", "--registry-url", registry.url, "--subject", "mine")
        assert (done.returncode, done.stdout) == (0, "mine: commerce_event has id 1; the newest version is 1\n")


def test_check_says_whether_the_schema_fits_beside_what_is_there() -> None:
    """0 where it does or nothing is there, 1 where it does not."""
    other = {"type": "record", "name": "CommerceEvent", "fields": [{"name": "occurred_at", "type": "string"}]}
    with Registry() as registry:
        registry.register("same", schema("commerce_event"))
        registry.register("other", other)
        said = {
            subject: call("schemas", "check", "--registry-url", registry.url, "--subject", subject)
            for subject in ("same", "other", "new")
        }
    assert {subject: done.returncode for subject, done in said.items()} == {"same": 0, "other": 1, "new": 0}
    assert said["same"].stdout == "same: commerce_event is compatible with the newest version\n"
    assert said["other"].stdout.startswith("other: commerce_event is NOT compatible with the newest version")
    assert said["new"].stdout == "new: there is no such subject yet; commerce_event would be its first version\n"


@pytest.mark.parametrize("command", ["register", "check"])
def test_what_stops_it_is_one_line(command: str) -> None:
    """No registry named: 2. None there, or credentials refused: 1."""
    unnamed = call("schemas", command)
    assert (unnamed.returncode, unnamed.stdout) == (2, "")
    assert unnamed.stderr == "error: schema_registry.url is not set. Set it, or give --registry-url.\n"
    down = call("schemas", command, "--registry-url", refused_url())
    with Registry(credentials=("user", "pass")) as registry:
        refused = call("schemas", command, "--registry-url", registry.url)
    assert (down.returncode, refused.returncode) == (1, 1)
    assert "Connection refused" in down.stderr
    assert "it refuses the credentials (401); check schema_registry.username and password" in refused.stderr
    assert down.stderr.count("\n") == refused.stderr.count("\n") == 1
