# SPDX-License-Identifier: Apache-2.0
"""Rules of the names of product actions."""

from __future__ import annotations

import pytest

from connector.domain.actions import name_of


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("purchase", "purchase"),
        ("PURCHASE", "purchase"),
        ("Refund", "refund"),
        ("add_to_cart", "add_to_cart"),
        ("remove_from_wishlist", "remove_from_wish_list"),
        ("REMOVE_FROM_WISH_LIST", "remove_from_wish_list"),
        ("", "none"),
    ],
)
def test_an_action_is_counted_by_its_name_in_any_case(action: str, name: str) -> None:
    """SDKs write capitals, events do not, and one action has two spellings."""
    assert name_of(action) == name


def test_a_name_is_compared_as_a_whole() -> None:
    """An initiated refund is no refund yet."""
    assert name_of("refund_initiated") == "refund_initiated"
    assert name_of("refunded") == "unknown"
    assert name_of("purchase ") == "unknown"
