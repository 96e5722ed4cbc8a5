# SPDX-License-Identifier: Apache-2.0
"""Orders at Button end up as they are at the merchant, whatever happens on the way.

Owns how much is played, and that the play would notice: each planted fault of the connector is found. A world that
fails is named in the message and is played again, the same, by ``python -m tests.simulation.orders_model SEED``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain import known_orders, lifecycle
from connector.domain.facts import Fact
from connector.domain.orders import Create, Reject
from tests.simulation.orders_model import Tally, World, play

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.domain.events import CommerceEvent
    from connector.domain.facts import Known, Purchase
    from connector.domain.orders import Decision, Order
    from connector.domain.policy import Policy
    from tests.simulation.cluster import Cluster

_SHARES = 4
_STEPS = 100_000 // _SHARES
_AT_LEAST = 500 // _SHARES
_DECISIONS = ("Create", "Update", "Cancel", "Lookup", "Await", "Note", "Skip", "Reject")
_JUDGEMENTS = (
    *("Applied", "AlreadyApplied", "Retry", "Ambiguous", "Refused"),
    *("Finalized", "Halt", "LookUp", "Found", "NotFound"),
)
_JUDGES = ("interpret", "after_lookup")
"""An answer, or an answer and the lookup after it."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("share", range(_SHARES))
def test_orders_at_button_are_those_of_the_merchant(share: int) -> None:
    """Refunds, repeats, reorderings, crashes, late appends, compaction and every answer, 100,000 steps in all [9] [48].

    What becomes a dead letter, and what waits, is what the merchant's books predict, and every outcome of the rules
    was met often enough to mean something.
    """
    tally = Tally()
    seed = share * 1_000_000
    while tally.steps < _STEPS or _too_few(tally):
        assert tally.steps < 2 * _STEPS, f"outcomes that are met too seldom: {_too_few(tally)}"
        play(World(seed), tally)
        seed += 1
    print(tally)  # noqa: T201  the histogram is a part of the proof
    assert tally.refunds_or_repeats >= tally.steps / 3
    assert tally.faults >= tally.steps / 20
    assert tally.unclean > 0
    assert tally.compacted > 0


def _too_few(tally: Tally) -> dict[str, int]:
    met = {each: tally.outcomes[f"decide {each}"] for each in _DECISIONS}
    met |= {each: sum(tally.outcomes[f"{judge} {each}"] for judge in _JUDGES) for each in _JUDGEMENTS}
    return {name: times for name, times in met.items() if times < _AT_LEAST}


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    world=st.builds(
        World,
        seed=st.integers(0, 2**32),
        orders=st.integers(1, 6),
        rounds=st.integers(1, 4),
        replicas=st.integers(1, 4),
        partitions=st.integers(1, 5),
        disturbances=st.integers(0, 4),
    ),
)
def test_orders_of_small_worlds_of_every_shape_are_those_of_the_merchant(world: World) -> None:
    """One replica or four, one partition or five; what fails is made as small as it can be."""
    play(world, Tally())


# Planted faults: each breaks one rule, and the play must notice.


def _is_found(breakage: Callable[[Cluster], None], worlds: int = 150) -> bool:
    """Return whether one of so many worlds fails its comparison with the books, or never comes to rest."""
    for seed in range(worlds):
        try:
            play(World(seed), Tally(), breakage)
        except AssertionError:
            return True
    return False


def test_trust_in_an_unclean_entry_is_found() -> None:
    """Two replicas tell what each knows, and who is later takes the other's refund back."""

    def breakage(cluster: Cluster) -> None:
        cluster.trusts_unclean = True

    assert _is_found(breakage)


def test_one_state_for_each_order_is_found() -> None:
    """Who writes last forgets what he had not read."""

    def breakage(cluster: Cluster) -> None:
        cluster.keeps_states = True

    assert _is_found(breakage)


def test_a_cancel_that_can_be_undone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A purchase of a cancelled order is told instead of refused."""
    decide_purchase = known_orders.decide_purchase

    def undone(event: CommerceEvent, order: Order, purchase: Purchase, known: Known, policy: Policy) -> Decision:
        decision = decide_purchase(event, order, purchase, known, policy)
        if isinstance(decision, Reject) and decision.reason == "purchase_after_cancel":
            return Create(order, Fact(known.identity, purchase, event.occurred_at_ms, (known.identity,)))
        return decision

    monkeypatch.setattr(lifecycle, "decide_purchase", undone)
    assert _is_found(lambda _cluster: None)
