# SPDX-License-Identifier: Apache-2.0
"""A broker, or a test that is skipped because this machine has none.

Owns the only reason for which a test of Kafka may be left out: that no broker can be had at all. Whatever goes wrong
with one that was there is a failure. Continuous integration turns red for a skip.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.support.kafka_broker import NoBrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T")


@contextmanager
def or_skip(starting: AbstractContextManager[T]) -> Iterator[T]:
    """Give what is started; skip the test where there is no broker to start."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(starting)
        except NoBrokerError as reason:
            pytest.skip(str(reason))
        yield started
