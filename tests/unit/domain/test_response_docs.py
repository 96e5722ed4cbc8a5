# SPDX-License-Identifier: Apache-2.0
"""``docs/responses.md`` says what the tables say."""

from __future__ import annotations

import re

from connector.domain.response_table import Verdict
from connector.settings.schema import leaves
from tests.support.response_docs import PAGE, tables, written

_TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_has_the_tables_of_the_code() -> None:
    """Row by row and cell by cell; ``make docs`` writes them anew."""
    assert written(_TEXT) == tables()


def test_every_outcome_is_explained() -> None:
    """A word that stands in the table stands below it, too; found and not found speak for themselves."""
    explained = set(re.findall(r"^\| ([a-z ,]+) \| (?!status|outcome|---)", _TEXT, re.MULTILINE))
    words = {word.strip() for cell in explained for word in cell.split(",")}
    named = {each.name.lower().replace("_", " ") for each in Verdict} - {"found", "not found"}
    assert named <= words


def test_every_setting_that_the_page_names_exists() -> None:
    """By its key."""
    named = set(re.findall(r"`button\.(\w+)", _TEXT))
    assert named == {"ambiguous", "responses", "settle_seconds", "update_sends", "visibility_seconds"}
    assert {("button", name) for name in named} <= leaves().keys()
