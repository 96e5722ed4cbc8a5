# SPDX-License-Identifier: Apache-2.0
"""What a running connector shows at ``/metrics`` is what the documentation lists."""

from __future__ import annotations

import re
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import World
from tests.support.reference_pages import METRICS_PAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


def test_what_is_shown_and_what_is_documented_are_the_same(kafka: Broker, tmp_path: Path) -> None:
    """Every metric of the page is there as soon as the connector runs, and there is none besides."""
    documented = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \|",
        METRICS_PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    with World(kafka, tmp_path) as world:
        connector = world.connector()
        with urllib.request.urlopen(f"{connector.ops_url}/metrics", timeout=10) as answer:  # noqa: S310  our own child
            text = answer.read().decode()
    shown = {
        (f"{family.name}_total" if family.type == "counter" else family.name, family.type)
        for family in text_string_to_metric_families(text)
        if not family.name.endswith("_created")
    }
    assert shown == set(documented)
