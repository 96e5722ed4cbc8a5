# SPDX-License-Identifier: Apache-2.0
"""What the merchant wants told, as far as that is the merchant's choice.

Owns the choices and their defaults. Holds no rule: each is applied where it belongs, and what it was applied to is
counted under a name of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from connector.domain.actions import PURCHASE, REFUND

if TYPE_CHECKING:
    from collections.abc import Mapping

ADVERTISING = "advertising"
"""The purpose that a paid partnership falls under, unless the merchant says otherwise."""


class WithoutConsent(StrEnum):
    """What becomes of a purchase whose shopper said no; the later one of several goes before the others."""

    IGNORE = "ignore"
    STRIP_IDENTITY = "strip_identity"
    SKIP = "skip"


class MissingToken(StrEnum):
    """What becomes of a purchase that has no attribution token."""

    SEND_UNATTRIBUTED = "send_unattributed"
    SKIP = "skip"
    DEAD_LETTER = "dead_letter"


class InvalidUpc(StrEnum):
    """What becomes of a line's UPC that Button does not take."""

    OMIT = "omit"
    REJECT = "reject"


class TotalFrom(StrEnum):
    """Where an order's total is taken from: the event's amounts where it has them, or always the sum of its lines."""

    AMOUNTS = "amounts"
    LINES = "lines"


class FirstPurchaseFlag(StrEnum):
    """What Button calls the flag of a customer's first purchase; its documents and its partners disagree."""

    IS_NEW = "is_new"
    IS_NEW_USER = "is_new_user"


class ChangedPurchase(StrEnum):
    """What becomes of a purchase that says something else of an order than an earlier one did."""

    UPDATE = "update"
    REJECT = "reject"
    SKIP = "skip"


class RefundAmountIs(StrEnum):
    """What the amount of a refund means: what is given back, or what the order is worth afterwards."""

    DELTA = "delta"
    NEW_TOTAL = "new_total"


class AmountRefundLines(StrEnum):
    """What a refund of an amount does to the lines: takes from each in proportion, or leaves them alone."""

    PROPORTIONAL = "proportional"
    ORDER_LEVEL = "order_level"


class OverRefund(StrEnum):
    """What becomes of a refund of more than is left of its order."""

    REJECT = "reject"
    CLAMP = "clamp"


@dataclass(frozen=True, slots=True)
class Policy:
    """The merchant's choices.

    Names of actions are in lower case. ``gdpr`` says, for each purpose, what a no means; ``gdpr_not_asked`` what it
    means when an event carries answers, but none for such a purpose. ``ccpa_opt_out`` is for who declined the sale
    of data. ``refuses_test_tokens`` takes ``fakesrctok-`` tokens for none wherever the event is not of development.
    ``default_currency`` is an ISO 4217 code, for events that do not say. The last five need to know what an order was
    before, and have no say without a ledger; ``changed_after_refund`` is for orders of which something was taken back
    already.
    """

    purchase_actions: frozenset[str] = frozenset({PURCHASE})
    refund_actions: frozenset[str] = frozenset({REFUND})
    skips_development: bool = True
    gdpr: Mapping[str, WithoutConsent] = field(
        default_factory=lambda: MappingProxyType({ADVERTISING: WithoutConsent.SKIP}),
    )
    gdpr_not_asked: WithoutConsent = WithoutConsent.IGNORE
    ccpa_opt_out: WithoutConsent = WithoutConsent.SKIP
    missing_token: MissingToken = MissingToken.SEND_UNATTRIBUTED
    refuses_test_tokens: bool = False
    default_currency: str | None = None
    total_from: TotalFrom = TotalFrom.AMOUNTS
    lines_must_add_up: bool = False
    invalid_upc: InvalidUpc = InvalidUpc.OMIT
    first_purchase_flag: FirstPurchaseFlag = FirstPurchaseFlag.IS_NEW
    sends_finalization_date: bool = False
    changed_purchase: ChangedPurchase = ChangedPurchase.UPDATE
    changed_after_refund: ChangedPurchase = ChangedPurchase.REJECT
    refund_amount_is: RefundAmountIs = RefundAmountIs.DELTA
    amount_refund_lines: AmountRefundLines = AmountRefundLines.PROPORTIONAL
    over_refund: OverRefund = OverRefund.REJECT

    def is_purchase(self, action: str) -> bool:
        """Return whether an action is a purchase; compared as a whole and in any case."""
        return action in self.purchase_actions or action.lower() in self.purchase_actions

    def is_refund(self, action: str) -> bool:
        """Return whether an action is a refund; compared as a whole and in any case."""
        return action in self.refund_actions or action.lower() in self.refund_actions


DEFAULT_POLICY = Policy()
