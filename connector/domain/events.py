# SPDX-License-Identifier: Apache-2.0
"""Commerce events as the connector understands them, whatever they looked like on the wire.

Owns the vocabulary of the input. Holds what was said, not what it means: blank strings are already ``None`` and ids
are already canonical strings (a 64-bit id never becomes a float), but no rule of an order is applied here.

Named tuples, because one event is many of them and a frozen dataclass takes more than twice as long to make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain.money import Amount


class Product(NamedTuple):
    """One product line of a product action.

    ``price`` is of one piece; ``discount`` is on the whole line and already taken off in ``total``. ``categories``
    begin with the most general one.
    """

    sku: str | None
    name: str | None
    category: str | None
    price: Amount | None
    quantity: Amount | None
    total: Amount | None
    coupon_code: str | None
    attributes: Mapping[str, str]
    brand: str | None = None
    variant: str | None = None
    upc: str | None = None
    discount: Amount | None = None
    categories: tuple[str, ...] = ()


class Device(NamedTuple):
    """The device that the event came from; advertising ids as they came, all-zero ones included."""

    platform: str | None = None
    ios_advertising_id: str | None = None
    android_advertising_id: str | None = None
    limit_ad_tracking: bool | None = None
    att_authorization_status: str | None = None


class Consent(NamedTuple):
    """What the user agreed to.

    ``gdpr`` maps a purpose, named by the customer, to whether it was consented to. ``ccpa_opted_out`` is true when
    the sale of data was declined (mParticle calls that ``data_sale_opt_out.consented``).
    """

    gdpr: Mapping[str, bool]
    ccpa_opted_out: bool | None = None


class CommerceEvent(NamedTuple):
    """One commerce event.

    ``action`` is mParticle's product action (``purchase``, ``refund``, ...), empty when the event has none.
    ``order_id`` is the transaction id, ``None`` when absent or blank. Amounts are in the currency's major unit, as
    mParticle sends them: ``total_amount`` includes tax and shipping. ``identities`` maps mParticle's identity type to
    the identity. Times are Unix time in milliseconds: ``occurred_at_ms`` is the event's, ``purchased_at_ms`` the
    order's where it is another one. ``btn_ref`` is an attribution token that the producer knew.
    """

    action: str
    order_id: str | None
    occurred_at_ms: int
    currency: str | None
    total_amount: Amount | None
    tax_amount: Amount | None
    shipping_amount: Amount | None
    coupon_code: str | None
    products: tuple[Product, ...]
    source_message_id: str | None
    event_id: str | None
    session_uuid: str | None
    session_id: str | None
    mpid: str | None
    environment: str | None
    identities: Mapping[str, str]
    integration_attributes: Mapping[str, Mapping[str, str]]
    custom_attributes: Mapping[str, str]
    device: Device | None = None
    consent: Consent | None = None
    affiliation: str | None = None
    btn_ref: str | None = None
    customer_order_id: str | None = None
    order_channel: str | None = None
    is_new_customer: bool | None = None
    purchased_at_ms: int | None = None
    finalized_at_ms: int | None = None
