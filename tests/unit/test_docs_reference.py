# SPDX-License-Identifier: Apache-2.0
"""The pages that are made from the code say what the code does."""

from __future__ import annotations

from connector.ops import table
from tests.support.reference_pages import LOGS_PAGE, MEANINGS, METRICS_PAGE, log_lines, logs_page, metrics_page


def test_the_reference_of_the_metrics_is_current() -> None:
    """Whoever changes a metric makes its page anew (make docs)."""
    assert METRICS_PAGE.read_text(encoding="utf-8") == metrics_page()


def test_the_reference_of_the_log_is_current() -> None:
    """Whoever changes a log line makes its page anew (make docs)."""
    assert LOGS_PAGE.read_text(encoding="utf-8") == logs_page()


def test_every_label_is_explained_and_no_other() -> None:
    """A label that nobody explains is one whose values nobody can judge."""
    assert {name for row in table.TABLE for name in row.labels} == set(table.LABELS)


def test_every_line_outside_of_observations_is_explained_and_no_other() -> None:
    """An explanation of a line that is gone goes, too."""
    assert set(MEANINGS) <= {line.event for line in log_lines()}
