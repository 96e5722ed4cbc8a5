# SPDX-License-Identifier: Apache-2.0
"""What every test may ask for: a real Kafka; and how strict a run is.

Under pytest-xdist each worker that asks starts a broker of its own; ``--dist loadgroup`` sends all tests that need
the shared one to one worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.support.brokers_or_skips import or_skip
from tests.support.kafka_broker import Broker, shared_broker, start_broker
from tests.support.strict_run import QUICK, SYSTEMS, StrictRun, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an example takes says more of the machine than of the rule; the suite's own timeout bounds the whole test.
settings.register_profile("any machine", deadline=None)
settings.register_profile("long", settings.get_profile("any machine"), max_examples=10_000)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be of one part of the suite."""
    parser.addoption("--part", choices=(QUICK, SYSTEMS), help="the quick tests, or those of whole systems")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the run to its rules; workers of pytest-xdist leave that to their controller."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(StrictRun(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a real Kafka, so that it can be chosen or left out."""
    for item in items:
        if {"kafka", "own_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("kafka"))
    if (part := config.getoption("part")) is not None:
        others = [item for item in items if part_of(item) != part]
        items[:] = [item for item in items if part_of(item) == part]
        config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Give the broker that all tests share; never kill it, and use topics and groups of your own."""
    with or_skip(shared_broker()) as broker:
        yield broker
        broker.keeps_log = request.session.testsfailed > 0


@pytest.fixture
def own_kafka(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Give a broker that only this test uses, and may kill and restart."""
    failed_before = request.session.testsfailed
    with or_skip(start_broker()) as broker:
        yield broker
        broker.keeps_log = request.session.testsfailed > failed_before
