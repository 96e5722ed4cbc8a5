# SPDX-License-Identifier: Apache-2.0
"""What a replay takes, and what it leaves alone.

Owns the rules: an order is replayed as a whole, all of its open letters in their original order; one that was replayed
too often is left alone with its order, so that nothing goes round in circles. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.dlq.ordering import by_order
from connector.kafka.letters import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from connector.dlq.choosing import Filter
    from connector.kafka.letters import Letter

MOST_REPLAYS = 3
"""How often an event may have been replayed before it has to be asked for by --force."""


class Refusal(NamedTuple):
    """An order (or a letter without one) that is left alone, and why."""

    letters: list[Letter]
    why: str


class Plan(NamedTuple):
    """What is replayed, order by order; ``added`` were not chosen, but belong to a chosen order.

    ``left`` counts the letters beyond the limit.
    """

    orders: list[list[Letter]]
    refused: list[Refusal]
    added: int
    left: int

    @property
    def letters(self) -> list[Letter]:
        """All letters, in the order in which they are replayed."""
        return [letter for order in self.orders for letter in order]


def plan(letters: Iterable[Letter], chosen: Filter, topics: Collection[str], limit: int, *, forces: bool) -> Plan:
    """Return what to do about the letters that are meant; ``topics`` are those that the connector reads."""
    is_open = [each for each in letters if each.state is State.OPEN]
    meant = {each.place for each in is_open if chosen.takes(each)}
    of_orders = {each.order_id for each in is_open if each.place in meant and each.order_id}
    orders, refused, taken, left = [], [], 0, 0
    for order in by_order(each for each in is_open if each.place in meant or each.order_id in of_orders):
        why = _refused(order, topics, forces=forces)
        if why is not None:
            refused.append(Refusal(order, why))
        elif taken and taken + len(order) > limit:
            left += len(order)
        else:
            orders.append(order)
            taken += len(order)
    added = sum(letter.place not in meant for order in orders for letter in order)
    return Plan(orders, refused, added, left)


def _refused(order: list[Letter], topics: Collection[str], *, forces: bool) -> str | None:
    for letter in order:
        if letter.source.topic not in topics:
            return (
                f"letter {letter.place} came from topic {letter.source.topic!r}, which is not in kafka.topics: nobody "
                "would read it there. Add the topic, or drop the letter."
            )
        if letter.replays >= MOST_REPLAYS and not forces:
            return (
                f"letter {letter.place} ({letter.reason}) was replayed {letter.replays} times and came back. See what "
                "is wrong with it (dlq show), then give --force, or drop it."
            )
    return None
