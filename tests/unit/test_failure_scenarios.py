# SPDX-License-Identifier: Apache-2.0
"""The table of failure scenarios is true: every row is there, and every test that it names."""

from __future__ import annotations

import pytest

from tests.support.scenario_docs import COUNT, KINDS, PAGE, Scenario, citations, cited, scenarios, table, written

EACH = pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: str(scenario.number))


def test_every_scenario_has_its_row() -> None:
    """None is left out, none is there twice, and each says what it is."""
    assert [scenario.number for scenario in scenarios()] == list(range(1, COUNT + 1))
    assert all(scenario.what and set(scenario.kind) <= set(KINDS) for scenario in scenarios())


@EACH
def test_every_row_has_a_test_that_was_red_or_a_reason(scenario: Scenario) -> None:
    """A row without either would only say that somebody thought of it."""
    assert scenario.tests or scenario.reason
    assert scenario.broken or scenario.reason
    assert scenario.tests or not scenario.broken, "what was broken needs the test that went red"


@EACH
def test_every_test_of_a_row_is_there_and_says_that_it_is_about_it(scenario: Scenario) -> None:
    """Who renames a test, or takes it away, corrects the table; who reads the test finds the row."""
    there = citations()
    assert [test for test in scenario.tests if test not in there] == []
    assert [test for test in scenario.tests if scenario.number not in there[test]] == []


def test_no_test_cites_a_scenario_that_there_is_not() -> None:
    """A number that means nothing is a slip, or a list somewhere else."""
    known = {scenario.number for scenario in scenarios()}
    assert {test: numbers - known for test, numbers in citations().items() if numbers - known} == {}


def test_citations_are_found_in_each_of_their_forms() -> None:
    """One, several side by side, several together; a name in brackets is none."""
    assert cited("Nothing is lost [1] [25].") == {1, 25}
    assert cited("[4, 36, 37] Whatever comes.") == {4, 36, 37}
    assert cited("As in [RFC 9110] and offsets[0:2].") == set()


def test_the_page_has_the_table() -> None:
    """Row by row; ``make docs`` writes it anew."""
    assert written(PAGE.read_text(encoding="utf-8")) == table()
