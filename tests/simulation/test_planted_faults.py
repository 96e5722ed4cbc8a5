# SPDX-License-Identifier: Apache-2.0
"""The simulation bites: every fault that is planted into the connector is found, by the promise that it breaks.

Owns within how many seeds.
"""

from __future__ import annotations

import pytest

from tests.simulation.planted import PLANTED, Planted
from tests.simulation.scenario import Size, play, without_cycles_collected

_MOST_SEEDS = 150


@pytest.mark.timeout(300)
@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(planted: Planted) -> None:
    """A simulation that would not notice the mistake says nothing of the connector."""
    size = Size(replicas=planted.replicas, kinds=planted.kinds)
    with planted.plant(), without_cycles_collected() as collect:
        for seed in range(_MOST_SEEDS):
            violation = play(seed, size).violation
            collect(seed)
            if violation is not None:
                print(f"{planted.name}: seed {seed}: {violation[:200]}")  # noqa: T201  how hard it was to find
                assert violation.split(":")[0] in planted.promises
                return
    pytest.fail(f"not found in {_MOST_SEEDS} seeds: {planted.sentence}")


def test_the_scenarios_that_every_such_system_met_are_among_them() -> None:
    """Twelve faults at least, and the best known ones."""
    assert len(PLANTED) >= 12
    assert {1, 2, 6, 7, 8, 9, 12, 19, 25, 26} <= {each.scenario for each in PLANTED.values()}
    assert {"no-lease", "unclean-is-trusted"} <= PLANTED.keys()
