# SPDX-License-Identifier: Apache-2.0
"""Rules of by what an event is known again."""

from __future__ import annotations

from connector.domain.identity import identity_of
from tests.support.commerce import purchase

_WHERE = ("lkc-1", "topic-id", 3, 77, 1)


def test_the_message_s_id_goes_before_the_event_s_and_that_before_the_position() -> None:
    """The better the producer names an event, the more duplicates are found; prefixes keep the three apart."""
    assert identity_of(purchase(source_message_id="a", event_id="b"), *_WHERE) == "m:a"
    assert identity_of(purchase(source_message_id="", event_id="a"), *_WHERE) == "e:a"
    assert identity_of(purchase(), *_WHERE) == "p:lkc-1:topic-id:3:77:1"
