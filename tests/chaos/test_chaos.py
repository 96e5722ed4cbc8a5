# SPDX-License-Identifier: Apache-2.0
"""Chaos on real parts, once through every kind of trouble; longer by hand: ``python -m tests.chaos``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.checker import complaints, explained
from tests.chaos.run import Plan, run
from tests.chaos.troubles import KINDS
from tests.support.brokers_or_skips import or_skip
from tests.support.tcp_proxy import proxied_broker

if TYPE_CHECKING:
    from pathlib import Path

SEED = 8
"""To play the run of this test alone: ``python -m tests.chaos --seed 8 --minutes 1``."""


@pytest.mark.e2e
@pytest.mark.kafka
@pytest.mark.timeout(480)
def test_nothing_is_lost_told_wrongly_or_told_again_without_cause(tmp_path: Path) -> None:
    """Whatever goes wrong around several connectors, each order ends as the merchant has it, and all is explained."""
    with or_skip(proxied_broker(seed=SEED)) as proxied:
        evidence = run(Plan(SEED), proxied, tmp_path)
    assert complaints(evidence) == []
    assert {trouble.kind for trouble in evidence.troubles} >= {kind.name for kind in KINDS}
    assert len(evidence.input) > 3_000
    print(dict(explained(evidence)))  # noqa: T201  what the repeats were is a part of the proof
