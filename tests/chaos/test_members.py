# SPDX-License-Identifier: Apache-2.0
"""Which ends of processes are let pass: none but those that nobody can have noticed."""

from __future__ import annotations

from signal import SIGABRT, SIGSEGV
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from tests.chaos.members import _was_aborted_at_its_start

if TYPE_CHECKING:
    from connector.demo.parts import Connector

_ABORT = "python: rdkafka_queue.h:1086: rd_kafka_enq_once_del_source_return: Assertion `eonce->refcnt > 0' failed.\n"
_AT_WORK = '{"partitions":["events/0 from 0"],"event":"partitions assigned","level":"info"}\n'


def _ended(status: int, log: str) -> Connector:
    child = SimpleNamespace(exit_status=status, read_log=lambda: log)
    return cast("Connector", SimpleNamespace(child=child))


def test_the_librarys_abort_before_any_work_is_let_pass() -> None:
    """It had no partition, so nothing of ours can have been told by it."""
    assert _was_aborted_at_its_start(_ended(-SIGABRT, _ABORT))


@pytest.mark.parametrize(
    ("status", "log"),
    [(-SIGABRT, _AT_WORK + _ABORT), (-SIGABRT, "Aborted\n"), (-SIGSEGV, _ABORT), (1, _ABORT), (-SIGABRT, "")],
)
def test_any_other_end_by_itself_is_a_surprise(status: int, log: str) -> None:
    """An abort at work, another abort, another signal, an exit."""
    assert not _was_aborted_at_its_start(_ended(status, log))
