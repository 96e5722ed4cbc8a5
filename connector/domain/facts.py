# SPDX-License-Identifier: Apache-2.0
"""Facts: what the order ledger holds, one for each event of an order.

Owns the data between the rules (:mod:`connector.domain.lifecycle`, :mod:`connector.domain.folding`) and the ledger's
topic. A fact says what its event said and what Button was told with it, never what the order "is": the state of an
order is the fold of its facts, the same for every order in which they arrived. Holds no personal data: whoever
amends or cancels an order does not need to know whose it is.

What a fact says (``said``) is one of: a purchase, a refund, what Button showed when it was asked (``observed``), or a
mark, which takes no part in the fold.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain.money import Amount
    from connector.domain.orders import Order

OBSERVED_ID = "observed"
"""What begins the identity of a fact that holds what Button showed of an order; no event's begins like it."""


class UnreadableFactError(Exception):
    """A fact of an order cannot be read, so nothing can be decided about the order; the message says what to do."""


class RefundedLine(NamedTuple):
    """One product of a refund as the event said it; amounts in the major unit of the refund's currency.

    ``quantity`` is ``None`` where the event had none. ``unit_price`` and ``total`` are gross or net as the shop sends
    them: they choose the line of a repeated SKU and are never told to Button.
    """

    sku: str | None
    name: str | None
    quantity: int | None
    unit_price: Amount | None
    total: Amount | None


class Purchase(NamedTuple):
    """What a purchase said: the order as it would be told alone (without its customer).

    ``gross_total`` is the event's total with tax and shipping in minor units, ``None`` where it gave none.
    """

    order: Order
    gross_total: int | None


class Refund(NamedTuple):
    """What a refund said. Without lines and amount it takes back the whole order.

    Amounts are gross, in the major unit of ``currency`` (``None``: the order's). ``is_new_total`` says that the amount
    is what the order is worth afterwards, not what was given back; ``is_order_level`` that an amount leaves the lines
    alone. Both are what the policy was when the event was read: a policy that is changed does not change the past, and
    replicas that are configured differently still fold alike.
    """

    lines: tuple[RefundedLine, ...] = ()
    amount: Amount | None = None
    tax: Amount | None = None
    shipping: Amount | None = None
    currency: str | None = None
    is_new_total: bool = False
    is_order_level: bool = False


class Observed(NamedTuple):
    """What Button showed when it was asked for the order."""

    order: Order
    is_cancelled: bool = False


class MarkKind(StrEnum):
    """What a mark says of its event.

    ``PARKED``: the event is a dead letter that later events of the order wait for
    (:mod:`connector.domain.parking`). ``GIVEN_UP``: the refund waited for
    its purchase for too long (or could not be applied to it) and is a dead letter; it takes no part any more.
    """

    PARKED = "parked"
    GIVEN_UP = "given_up"


class Mark(NamedTuple):
    """A note about an event."""

    kind: MarkKind
    reason: str = ""


Said = Purchase | Refund | Observed | Mark


class Position(NamedTuple):
    """Where an event came from; ``event_index`` counts events within the record."""

    cluster: str
    topic_id: str
    topic: str
    partition: int
    offset: int
    event_index: int


class Fact(NamedTuple):
    """One event's fact.

    ``event_id`` is the event's identity. ``told`` are the identities of all facts that Button was told of in the call
    that was made with it, its own included; empty if it waits (and for marks). ``base`` is the ledger's offset of the
    order's last entry that its writer had read when it decided, -1 for none. ``call`` is what was called
    (``create``, ``update``, ``cancel``, empty for none) and ``answer`` what came of it. ``written_at_ms`` is when the
    fact was written. ``record`` is the source record of a fact that waits, so that it can become a dead letter.
    """

    event_id: str
    said: Said
    occurred_at_ms: int
    told: tuple[str, ...] = ()
    base: int = -1
    call: str = ""
    answer: str = ""
    button_order_id: str | None = None
    token_source: str = ""
    source: Position | None = None
    written_at_ms: int = 0
    record: WaitingRecord | None = None


class WaitingRecord(NamedTuple):
    """A source record, kept whole while its fact waits."""

    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int


class OrderFacts(NamedTuple):
    """All that the ledger holds of one order, within the horizon.

    ``facts`` are by event identity, marks included; ``last`` is the ledger's offset of the order's newest entry, -1
    if there is none.
    """

    facts: Mapping[str, Fact]
    last: int


NO_FACTS = OrderFacts(MappingProxyType({}), -1)


class Known(NamedTuple):
    """What is known of an order when an event of it is decided.

    ``identity`` is the event's own. ``is_absent_at_button`` says that Button was asked for the order since the event
    came, and knows none. ``now_ms`` is Unix time in milliseconds, and ``horizon_ms`` how old an event may be at most
    (``None``: as old as it likes). ``is_replay`` says that the event was a dead letter and comes once more.
    """

    identity: str
    order: OrderFacts = NO_FACTS
    is_absent_at_button: bool = False
    now_ms: int = 0
    horizon_ms: int | None = None
    is_replay: bool = False
