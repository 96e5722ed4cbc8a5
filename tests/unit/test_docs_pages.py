# SPDX-License-Identifier: Apache-2.0
"""Pages that people wrote name what there is: files, tests, commands, fields, metrics, attributes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector.avro.schemas import load_schema
from connector.ops import table
from connector.settings.schema import leaves
from tests.support.reference_pages import exposed_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_DOCS = ("producers.md", "tracing.md", "ledger.md", "dead-letters.md", "runbook.md", "kubernetes.md")
_PAGES = [_ROOT / "CONTRIBUTING.md", *(_ROOT / "docs" / name for name in _DOCS)]
_METRICS = {exposed_name(row) for row in table.TABLE}


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """Whoever moves a file corrects the pages that send people to it."""
    named = re.findall(r"`((?:connector|tests|schemas|docs|examples)/[\w./-]*)`", _text(page))
    linked = re.findall(r"\]\((?!http)([^)#]+)", _text(page))
    assert [name for name in named if not (_ROOT / name).exists()] == []
    assert [name for name in linked if not (page.parent / name).exists()] == []


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_heading_that_a_page_links_to_is_there(page: Path) -> None:
    """Whoever is woken at night has no time to look for it."""
    for file, anchor in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", _text(page)):
        headings = re.findall(r"^#+ (.+)$", _text(page.parent / file if file else page), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
        assert anchor in anchors, f"{file}#{anchor}"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_metric_that_a_page_names_is_exposed(page: Path) -> None:
    """A dashboard is made of what pages say."""
    named = set(re.findall(r"`(button_connector_\w+)", _text(page)))
    assert named <= _METRICS


def test_every_target_of_the_contributors_page_can_be_made() -> None:
    """Commands that are recommended exist."""
    targets = set(re.findall(r"\bmake (\w+)(?: |`|$)", _text(_ROOT / "CONTRIBUTING.md"), re.MULTILINE)) - {"anew"}
    known = set(re.findall(r"^(\w+):", _text(_ROOT / "Makefile"), re.MULTILINE))
    assert targets >= {"check", "test", "format", "docs", "lock"}
    assert targets <= known


def test_every_field_of_the_producers_page_is_in_the_schemas() -> None:
    """By its path in the event."""
    page = _text(_ROOT / "docs" / "producers.md")
    paths = set(_paths(load_schema("commerce_event")))
    rows = re.findall(r"^\| ((?:`[\w.]+`(?:, )?)+) \|", page[page.index("## The event") :], re.MULTILINE)
    in_rows = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert len(in_rows) > 10
    assert [name for name in in_rows if name not in paths] == []
    dotted = re.findall(r"`((?:product_action|consent_state)\.[\w.]+)`", page)
    assert [name for name in dotted if name not in paths] == []
    in_sessions = {field["name"] for field in load_schema("session_attribution")["fields"]}
    assert {"btn_ref", "observed_at", "previous", "session_uuid", "session_id", "mpid"} <= in_sessions


def test_every_attribute_of_the_tracing_page_is_written_and_no_other() -> None:
    """What a span holds is what the page says that it holds."""
    page, code = _text(_ROOT / "docs" / "tracing.md"), _text(_ROOT / "connector" / "telemetry" / "tracer.py")
    ours = {f"button_connector.{name}" for name in re.findall(r'_PREFIX \+ "(\w+)"', code)}
    others = set(re.findall(r'"((?:messaging|http)\.[\w.]+)"', code))
    assert set(re.findall(r"`((?:messaging|http|button_connector)\.[\w.]+)`", page)) == ours | others
    assert ("tracing", "enabled") in leaves()


def test_contributing_is_one_page() -> None:
    """Nobody reads a second one."""
    assert len(_text(_ROOT / "CONTRIBUTING.md").splitlines()) < 100


def _paths(schema: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  any JSON
    if isinstance(schema, list):
        for branch in schema:
            yield from _paths(branch, path)
    if isinstance(schema, dict):
        for field in schema.get("fields", ()):
            below = f"{path}.{field['name']}" if path else field["name"]
            yield below
            yield from _paths(field["type"], below)
        for inner in ("type", "items", "values"):
            if isinstance(schema.get(inner), (dict, list)):
                yield from _paths(schema[inner], path)
