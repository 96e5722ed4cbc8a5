# SPDX-License-Identifier: Apache-2.0
"""The order ledger's protocol, looked at in every state that a small world can be in.

Owns the worlds that a test has time for; ``python -m tests.simulation.ledger_model`` explores larger ones.
"""

from __future__ import annotations

import pytest

from tests.simulation.ledger_model import BROKEN, Model, Setting

TWO, THREE_ON_TWO, THREE = (0, 1), (0, 1, 0), (0, 1, 2)


@pytest.mark.parametrize(
    "setting",
    [
        Setting(TWO, faults=2, compacts=True, late_appends=True),
        Setting(TWO, faults=2, compacts=True, late_appends=True, waits_for=0),
        Setting(THREE_ON_TWO, faults=1, compacts=True, late_appends=True),
        Setting(THREE_ON_TWO, faults=1, compacts=True, late_appends=True, waits_for=0),
        Setting(THREE_ON_TWO, faults=1, compacts=True, late_appends=True, waits_for=1),
        Setting(THREE_ON_TWO, faults=2, compacts=True, late_appends=True, waits_for=2),
        Setting(THREE_ON_TWO, faults=1, compacts=True, late_appends=True, catches_up=False),
        Setting(THREE, waits_for=0),
    ],
    ids=str,
)
def test_no_state_at_rest_has_lost_an_event_and_every_run_comes_to_rest(setting: Setting) -> None:
    """Crashes, late appends, compaction and fresh replicas at any moment: Button was told last of every event."""
    finding = Model(setting).explore()
    assert finding.holds, "\n".join(finding.trace)
    assert finding.rests > 0


@pytest.mark.parametrize(
    ("rule", "setting"),
    [
        ("an unclean entry is trusted", Setting(TWO)),
        (
            "an entry is judged without those that it may have crossed",
            Setting(THREE_ON_TWO, faults=1, late_appends=True),
        ),
        ("a repeat is spared because it is known", Setting(THREE_ON_TWO, faults=1, compacts=True, late_appends=True)),
        ("a repeat is spared because its entry was clean", Setting(THREE, faults=2, late_appends=True)),
        ("one state for each order", Setting(THREE_ON_TWO, faults=1, compacts=True, late_appends=True)),
    ],
)
def test_each_rule_of_the_design_is_needed(rule: str, setting: Setting) -> None:
    """Without it there is a state at rest that has lost an event, and the exploration shows the way to it."""
    finding = Model(setting, BROKEN[rule]).explore()
    assert finding.trace, f"{finding.states} states, none of {finding.rests} at rest has lost anything"


def test_a_call_that_lands_after_its_heir_s_is_the_named_limit() -> None:
    """Button has no version to fence with: what excludes such a call are time limits, not the ledger."""
    assert Model(Setting(TWO, faults=1, late_calls=True)).explore().trace
