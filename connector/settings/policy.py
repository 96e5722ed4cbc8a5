# SPDX-License-Identifier: Apache-2.0
"""Settings of what may be told to Button, and how.

Owns their names, defaults and single-value rules, and the way to the domain's policy. Holds no rule of it.
"""

from types import MappingProxyType
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from connector.domain.money import find_currency
from connector.domain.policy import (
    DEFAULT_POLICY,
    AmountRefundLines,
    ChangedPurchase,
    FirstPurchaseFlag,
    InvalidUpc,
    MissingToken,
    OverRefund,
    Policy,
    RefundAmountIs,
    TotalFrom,
    WithoutConsent,
)
from connector.settings.base import AnyCase, Area, refusal


def _names(value: object) -> object:
    """Take a list, or text with commas, in any case."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    return tuple(part.strip().lower() if isinstance(part, str) else part for part in parts)


def _are_named(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(names):
        what = "holds an action without a name"
        raise refusal(what, "Give names such as purchase; events without an action are never orders.")
    return names


def _is_currency(code: str) -> str:
    currency = find_currency(code)
    if currency is None:
        what = "is not a currency with a minor unit"
        raise refusal(what, "Give a three-letter code of ISO 4217, for example USD.")
    return currency.code


Actions = Annotated[tuple[str, ...], BeforeValidator(_names), AfterValidator(_are_named), Field(min_length=1)]


class PolicySettings(Area):
    """What is told to Button."""

    purchase_actions: Actions = Field(
        default=("purchase",),
        description="Product actions that are purchases; compared as a whole, in any case.",
    )
    refund_actions: Actions = Field(
        default=("refund",),
        description="Product actions that are refunds.",
    )
    skip_development: bool = Field(
        default=True,
        description="Skip and count events that say environment: development.",
    )
    gdpr: dict[str, Annotated[WithoutConsent, AnyCase]] = Field(
        default={**DEFAULT_POLICY.gdpr},
        description="What a declined purpose of consent means for a purchase: skip it, strip_identity (no customer), "
        "or ignore. Purposes that are not named here mean nothing.",
        examples=["{advertising: skip, personalization: strip_identity}"],
    )
    gdpr_not_asked: Annotated[WithoutConsent, AnyCase] = Field(
        default=DEFAULT_POLICY.gdpr_not_asked,
        description="The same for an event that carries answers, but none for a purpose named in policy.gdpr.",
    )
    ccpa_opt_out: Annotated[WithoutConsent, AnyCase] = Field(
        default=DEFAULT_POLICY.ccpa_opt_out,
        description="The same for a shopper who opted out of the sale of data (CCPA).",
    )
    missing_token: Annotated[MissingToken, AnyCase] = Field(
        default=DEFAULT_POLICY.missing_token,
        description="What becomes of a purchase without attribution token. Button asks for all orders, with it or not.",
    )
    refuse_test_tokens: bool = Field(
        default=False,
        description="Take tokens that start with fakesrctok- for none, unless the event is of development.",
    )
    default_currency: Annotated[str, AfterValidator(_is_currency)] | None = Field(
        default=None,
        description="The currency of events that name none. Without it such a purchase is a dead letter.",
        examples=["USD"],
    )
    total_from: Annotated[TotalFrom, AnyCase] = Field(
        default=DEFAULT_POLICY.total_from,
        description="amounts: the event's total less tax and shipping, or the sum of the lines where it has none; "
        "lines: always the sum of the lines where there are any.",
    )
    lines_must_add_up: bool = Field(
        default=False,
        description="Make a purchase a dead letter when its lines do not come to its net total.",
    )
    invalid_upc: Annotated[InvalidUpc, AnyCase] = Field(
        default=DEFAULT_POLICY.invalid_upc,
        description="What becomes of a UPC that Button does not take: omit it, or reject the order.",
    )
    first_purchase_flag: Annotated[FirstPurchaseFlag, AnyCase] = Field(
        default=DEFAULT_POLICY.first_purchase_flag,
        description="What the flag of a customer's first purchase is called at Button.",
    )
    send_finalization_date: bool = Field(
        default=False,
        description="Tell Button when orders become final; it overrides what was agreed with Button, which advises "
        "against it.",
    )
    changed_purchase: Annotated[ChangedPurchase, AnyCase] = Field(
        default=DEFAULT_POLICY.changed_purchase,
        description="What becomes of a later purchase that says something else of the same order: update the order, "
        "reject the event, or skip it. This and the following settings need the order ledger.",
    )
    changed_after_refund: Annotated[ChangedPurchase, AnyCase] = Field(
        default=DEFAULT_POLICY.changed_after_refund,
        description="The same once something of the order was refunded; after a cancel it is always rejected.",
    )
    refund_amount_is: Annotated[RefundAmountIs, AnyCase] = Field(
        default=DEFAULT_POLICY.refund_amount_is,
        description="What total_amount of a refund without products means: delta, what is given back; new_total, what "
        "the order is worth afterwards. Both with tax and shipping.",
    )
    amount_refund_lines: Annotated[AmountRefundLines, AnyCase] = Field(
        default=DEFAULT_POLICY.amount_refund_lines,
        description="What a refund without products does to the lines: proportional takes from each by its share; "
        "order_level leaves them as they are and lowers the total alone.",
    )
    over_refund: Annotated[OverRefund, AnyCase] = Field(
        default=DEFAULT_POLICY.over_refund,
        description="What becomes of a refund of more than is left: reject the event, or clamp it to what is left.",
    )

    @model_validator(mode="after")
    def _means_one_thing_by_an_action(self) -> Self:
        both = sorted(set(self.purchase_actions) & set(self.refund_actions))
        if both:
            what = f"holds {', '.join(both)}, which policy.purchase_actions holds, too"
            raise refusal(what, "Name each action in one of them.", key="refund_actions")
        return self

    def to_policy(self) -> Policy:
        """Return what the domain decides by."""
        return Policy(
            purchase_actions=frozenset(self.purchase_actions),
            refund_actions=frozenset(self.refund_actions),
            skips_development=self.skip_development,
            gdpr=MappingProxyType(dict(self.gdpr)),
            gdpr_not_asked=self.gdpr_not_asked,
            ccpa_opt_out=self.ccpa_opt_out,
            missing_token=self.missing_token,
            refuses_test_tokens=self.refuse_test_tokens,
            default_currency=self.default_currency,
            total_from=self.total_from,
            lines_must_add_up=self.lines_must_add_up,
            invalid_upc=self.invalid_upc,
            first_purchase_flag=self.first_purchase_flag,
            sends_finalization_date=self.send_finalization_date,
            changed_purchase=self.changed_purchase,
            changed_after_refund=self.changed_after_refund,
            refund_amount_is=self.refund_amount_is,
            amount_refund_lines=self.amount_refund_lines,
            over_refund=self.over_refund,
        )
