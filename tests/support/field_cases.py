# SPDX-License-Identifier: Apache-2.0
"""What the table of fields is tried with: cases of each row, and for each source two events that differ there only.

Owns events and what must come of them, written down by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.domain.events import Consent, Device
from connector.domain.policy import (
    DEFAULT_POLICY,
    FirstPurchaseFlag,
    InvalidUpc,
    MissingToken,
    Policy,
    TotalFrom,
    WithoutConsent,
)
from tests.support.commerce import amount, product, purchase

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent

_DAY_MS = 86_400_000
_PURCHASED_MS = 1_500_971_032_000
_FINAL = Policy(sends_finalization_date=True)
_IDENTITY_STRIPPED = Policy(gdpr={"advertising": WithoutConsent.STRIP_IDENTITY})
_NO = Consent({"advertising": False})
_DIGEST = "84059b07d4be67b806386c0aad8070a23f18836bbaae342275dc0a83414c32ee"


class Case(NamedTuple):
    """A purchase and what must come of the row's field: a value, ``None`` for left out, or a reason."""

    event: CommerceEvent
    told: object
    policy: Policy = DEFAULT_POLICY


def _of(**line: Any) -> CommerceEvent:  # noqa: ANN401  any field of a product
    return purchase(product(**line))


def _device(**device: Any) -> CommerceEvent:  # noqa: ANN401  any field of a device
    return purchase(product(), device=Device(**device))


_ID = "a5d934c0-232f-4afc-8e9a-3832d95fc702"
_ZERO = "00000000-0000-0000-0000-000000000000"

CASES: dict[str, list[Case]] = {
    "order_id": [
        Case(purchase(product(), order_id="T-1"), "T-1"),
        Case(purchase(product(), order_id="x" * 255), "x" * 255),
        Case(purchase(product(), order_id="x" * 256), "invalid_transaction_id"),
        Case(purchase(product(), order_id="caf\u00e9"), "invalid_transaction_id"),
        Case(purchase(product(), order_id=".."), "invalid_transaction_id"),
        Case(purchase(product(), order_id=None), "missing_transaction_id"),
    ],
    "total": [
        Case(purchase(total_amount=amount("12.34"), tax_amount=amount("2.00"), shipping_amount=amount("0.34")), 1_000),
        Case(purchase(product(price="1.10"), product(price="2.20")), 330),
        Case(purchase(product(price="1.10"), total_amount=amount("9")), 900),
        Case(purchase(product(price="1.10"), total_amount=amount("9")), 110, Policy(total_from=TotalFrom.LINES)),
        Case(purchase(total_amount=amount("9")), 900, Policy(total_from=TotalFrom.LINES)),
        Case(purchase(product(price="9.00"), total_amount=amount("9")), 900, Policy(lines_must_add_up=True)),
        Case(
            purchase(product(price="9.01"), total_amount=amount("9")),
            "lines_do_not_add_up",
            Policy(lines_must_add_up=True),
        ),
        Case(purchase(total_amount=amount("500"), currency="JPY"), 500),
        Case(purchase(total_amount=amount("21474836.47")), 2_147_483_647),
        Case(purchase(total_amount=amount("21474836.48")), "total_out_of_range"),
        Case(purchase(total_amount=amount("1.001")), "amount_too_precise"),
        Case(purchase(total_amount=amount("-1")), "negative_total"),
        Case(purchase(total_amount=amount("1"), tax_amount=amount("-1")), "negative_amount"),
        Case(purchase(), "missing_total"),
    ],
    "currency": [
        Case(purchase(product(), currency=" usd "), "USD"),
        Case(purchase(product(), currency=None), "missing_currency"),
        Case(purchase(product(), currency=None), "EUR", Policy(default_currency="EUR")),
        Case(purchase(product(), currency="USD"), "USD", Policy(default_currency="EUR")),
        Case(purchase(product(), currency="XAU"), "unknown_currency", Policy(default_currency="EUR")),
    ],
    "purchase_date": [
        Case(purchase(product()), "2017-07-25T08:23:52Z"),
        Case(purchase(product(), purchased_at_ms=_PURCHASED_MS - _DAY_MS + 7), "2017-07-24T08:23:52.007Z"),
        Case(purchase(product(), purchased_at_ms=-1), "invalid_purchase_date"),
    ],
    "finalization_date": [
        Case(purchase(product(), finalized_at_ms=_PURCHASED_MS + _DAY_MS), None),
        Case(purchase(product(), finalized_at_ms=_PURCHASED_MS + _DAY_MS), "2017-07-26T08:23:52Z", _FINAL),
        Case(purchase(product()), None, _FINAL),
        Case(purchase(product(), finalized_at_ms=10**15), "invalid_finalization_date", _FINAL),
    ],
    "btn_ref": [
        Case(purchase(product(), btn_ref="srctok-1"), "srctok-1"),
        Case(
            purchase(product(), integration_attributes={"1022": {"com.usebutton.source_token": "srctok-2"}}),
            "srctok-2",
        ),
        Case(purchase(product()), None),
        Case(purchase(product(), btn_ref="org-1"), None),
        Case(purchase(product(), btn_ref="x" * 255), "x" * 255),
        Case(purchase(product(), btn_ref="x" * 256), None),
        Case(purchase(product()), "missing_token", Policy(missing_token=MissingToken.SKIP)),
        Case(purchase(product(), btn_ref="org-1"), "missing_token", Policy(missing_token=MissingToken.DEAD_LETTER)),
        Case(purchase(product(), btn_ref="fakesrctok-1"), "fakesrctok-1"),
        Case(purchase(product(), btn_ref="fakesrctok-1"), None, Policy(refuses_test_tokens=True)),
        Case(
            purchase(product(), btn_ref="fakesrctok-1", environment="development"),
            "fakesrctok-1",
            Policy(refuses_test_tokens=True, skips_development=False),
        ),
    ],
    "customer.id": [
        Case(purchase(product(), identities={"customer_id": "c"}), "c"),
        Case(purchase(product(), identities={"customerid": "c"}), "c"),
        Case(purchase(product(), identities={"customer": "c"}), "c"),
        Case(purchase(product()), None),
        Case(purchase(product(), identities={"customer_id": "c"}, consent=_NO), None, _IDENTITY_STRIPPED),
    ],
    "customer.email_sha256": [
        Case(purchase(product(), identities={"email": " MyEmailAddress@Example.com"}), _DIGEST),
        Case(purchase(product(), identities={"email": _DIGEST.upper()}), _DIGEST),
        Case(purchase(product(), identities={"email": "  "}), None),
        Case(purchase(product(), identities={"email": "a@b.c"}, consent=_NO), None, _IDENTITY_STRIPPED),
    ],
    "customer.device_id": [
        Case(_device(ios_advertising_id=_ID), _ID),
        Case(_device(android_advertising_id=_ID), _ID),
        Case(_device(ios_advertising_id=_ID, android_advertising_id="other", platform="iOS"), _ID),
        Case(_device(ios_advertising_id="other", android_advertising_id=_ID, platform="Android"), _ID),
        Case(_device(ios_advertising_id=_ZERO, android_advertising_id=""), None),
        Case(_device(ios_advertising_id=_ZERO, android_advertising_id=_ID, platform="iOS"), _ID),
        Case(_device(ios_advertising_id=_ID, limit_ad_tracking=False, att_authorization_status="authorized"), _ID),
        Case(_device(ios_advertising_id=_ID, limit_ad_tracking=True), None),
        Case(_device(ios_advertising_id=_ID, att_authorization_status="denied"), None),
        Case(_device(ios_advertising_id=_ID, att_authorization_status="not_determined"), None),
        Case(_device(ios_advertising_id=_ID, att_authorization_status="restricted"), None),
        Case(_device(ios_advertising_id=_ID, limit_ad_tracking=True, att_authorization_status="authorized"), None),
        Case(_device(ios_advertising_id=_ID)._replace(consent=_NO), None, _IDENTITY_STRIPPED),
        Case(purchase(product()), None),
    ],
    "customer.is_new": [
        Case(purchase(product(), is_new_customer=True), True),  # noqa: FBT003  the value that is told
        Case(purchase(product(), is_new_customer=False), False),  # noqa: FBT003  as above
        Case(purchase(product()), None),
        Case(
            purchase(product(), is_new_customer=True),
            None,
            Policy(first_purchase_flag=FirstPurchaseFlag.IS_NEW_USER),
        ),
        Case(purchase(product(), is_new_customer=True, consent=_NO), None, _IDENTITY_STRIPPED),
    ],
    "customer_order_id": [
        Case(purchase(product(), customer_order_id="N\u00b0 7"), "N\u00b0 7"),
        Case(purchase(product(), customer_order_id="\u00e9" * 127), "\u00e9" * 127),
        Case(purchase(product(), customer_order_id="\u00e9" * 128), "customer_order_id_too_long"),
        Case(purchase(product()), None),
    ],
    "partner_order_channel": [
        Case(purchase(product(), order_channel="app"), "app"),
        Case(purchase(product(), order_channel="WebView"), "webview"),
        Case(purchase(product(), order_channel="web"), None),
        Case(purchase(product()), None),
    ],
    "line_items[].identifier": [
        Case(_of(sku="s", name="Tea"), "s"),
        Case(_of(sku=None, name="Tea"), "Tea"),
        Case(_of(sku=None), "line-1"),
    ],
    "line_items[].total": [
        Case(_of(price="1.50", quantity=amount("3")), 450),
        Case(_of(price="1.50", quantity=amount("3"), discount=amount("0.5")), 400),
        Case(_of(price="1.50", quantity=amount("3"), discount=amount("4.50")), 0),
        Case(_of(price="1.50", quantity=amount("3"), discount=amount("4.51")), "negative_amount"),
        Case(_of(price="1.50", discount=amount("-1")), "negative_amount"),
        Case(_of(price="1.50", discount=amount("0.001")), "amount_too_precise"),
        Case(_of(price="1.505", discount=amount("0.005")), 150),
        Case(_of(price="1.50", total=amount("1.40"), discount=amount("0.10")), 140),
        Case(_of(price=None), "missing_line_total"),
        Case(_of(price="21474836.48"), "total_out_of_range"),
    ],
    "line_items[].quantity": [
        Case(_of(quantity=amount("2.0")), 2),
        Case(_of(), 1),
        Case(_of(quantity=amount("1.5")), "invalid_quantity"),
        Case(_of(quantity=amount("0")), "invalid_quantity"),
    ],
    "line_items[].sku": [
        Case(_of(sku="s"), "s"),
        Case(_of(sku="s" * 255), "s" * 255),
        Case(_of(sku="s" * 256), "sku_too_long"),
        Case(_of(sku=None), None),
    ],
    "line_items[].upc": [
        Case(_of(upc="400000000001"), "400000000001"),
        Case(_of(attributes={"upc": "400000000001"}), "400000000001"),
        Case(_of(upc="400000000001", attributes={"upc": "400000000002"}), "400000000001"),
        Case(_of(upc="01234565"), "012345000065"),
        Case(_of(upc="01234560"), None),
        Case(_of(upc="01234560"), "invalid_upc", Policy(invalid_upc=InvalidUpc.REJECT)),
        Case(_of(), None, Policy(invalid_upc=InvalidUpc.REJECT)),
    ],
    "line_items[].category": [
        Case(_of(categories=("Food", "Tea")), ["Food", "Tea"]),
        Case(_of(categories=tuple("abcdefghi")), list("abcdefg")),
        Case(_of(attributes={"category_3": "Green", "category_1": "Food"}), ["Food", "Green"]),
        Case(_of(categories=("A",), category="B", attributes={"category_1": "C"}), ["A"]),
        Case(_of(category="B", attributes={"category_1": "C"}), ["C"]),
        Case(_of(category="Food/Tea"), ["Food/Tea"]),
        Case(_of(), None),
    ],
    "line_items[].description": [Case(_of(name="Tea"), "Tea"), Case(_of(), None)],
    "line_items[].attributes.coupon_code": [
        Case(_of(coupon_code="line"), "line"),
        Case(_of(coupon_code="line")._replace(coupon_code="order"), "line"),
        Case(_of()._replace(coupon_code="order"), "order"),
        Case(_of(attributes={"coupon_code": "custom"}), "custom"),
        Case(_of(coupon_code="line", attributes={"coupon_code": "custom"}), "line"),
        Case(_of(), None),
    ],
    "line_items[].attributes.brand": [
        Case(_of(brand="b"), "b"),
        Case(_of(brand="b", attributes={"brand": "custom"}), "b"),
        Case(_of(), None),
    ],
    "line_items[].attributes.variant": [Case(_of(variant="red"), "red"), Case(_of(), None)],
    "line_items[].attributes.*": [
        Case(_of(attributes={"size": "M", "upc": "1", "category_2": "x"}), {"line_items[].attributes.size": "M"}),
        Case(_of(), None),
    ],
}


_LINE = product(sku="s", price="10.00", name="Tea")
_KNOWN = _device(ios_advertising_id="1")._replace(
    identities={"customer_id": "c", "email": "a@b.c"},
    is_new_customer=True,
)
_LINE_CHANGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("id", {"sku": "s"}, {"sku": "t"}),
    ("price", {}, {"price": "7.00"}),
    ("quantity", {}, {"quantity": amount("3")}),
    ("discount", {}, {"discount": amount("1")}),
    ("total_product_amount", {}, {"total": amount("1")}),
    ("upc", {}, {"upc": "400000000001"}),
    ("custom_attributes.upc", {}, {"attributes": {"upc": "400000000001"}}),
    ("categories", {}, {"categories": ("a",)}),
    *((f"custom_attributes.category_{n}", {}, {"attributes": {f"category_{n}": "a"}}) for n in range(1, 6)),
    ("category", {}, {"category": "a"}),
    ("name", {"sku": None}, {"sku": None, "name": "Tea"}),
    ("coupon_code", {}, {"coupon_code": "c"}),
    ("custom_attributes.coupon_code", {}, {"attributes": {"coupon_code": "c"}}),
    ("brand", {}, {"brand": "b"}),
    ("custom_attributes.brand", {}, {"attributes": {"brand": "b"}}),
    ("variant", {}, {"variant": "v"}),
    ("custom_attributes.variant", {}, {"attributes": {"variant": "v"}}),
    ("custom_attributes.*", {}, {"attributes": {"size": "M"}}),
]
VARIATIONS: dict[str, tuple[CommerceEvent, CommerceEvent]] = {
    "product_action.transaction_id": (purchase(_LINE), purchase(_LINE, order_id="other")),
    "product_action.total_amount": (purchase(), purchase()),
    "product_action.purchased_at": (purchase(_LINE), purchase(_LINE, purchased_at_ms=_PURCHASED_MS - 1)),
    "product_action.finalized_at": (purchase(_LINE), purchase(_LINE, finalized_at_ms=_PURCHASED_MS + 1)),
    "product_action.customer_order_id": (purchase(_LINE), purchase(_LINE, customer_order_id="7")),
    "product_action.coupon_code": (purchase(_LINE), purchase(_LINE, coupon_code="c")),
    "occurred_at": (purchase(_LINE), purchase(_LINE, occurred_at_ms=_PURCHASED_MS + 1)),
    "currency_code": (purchase(_LINE), purchase(_LINE, currency="KWD")),
    "btn_ref": (purchase(_LINE), purchase(_LINE, btn_ref="srctok-1")),
    "integration_attributes": (purchase(_LINE), purchase(_LINE, integration_attributes={"1022": {"btn_ref": "t"}})),
    "environment": (
        purchase(_LINE, btn_ref="fakesrctok-1"),
        purchase(_LINE, btn_ref="fakesrctok-1", environment="development"),
    ),
    "order_channel": (purchase(_LINE), purchase(_LINE, order_channel="app")),
    "is_new_customer": (purchase(_LINE), purchase(_LINE, is_new_customer=False)),
    "user_identities.customer_id": (purchase(_LINE), purchase(_LINE, identities={"customer_id": "c"})),
    "user_identities.customerid": (purchase(_LINE), purchase(_LINE, identities={"customerid": "c"})),
    "user_identities.customer": (purchase(_LINE), purchase(_LINE, identities={"customer": "c"})),
    "user_identities.email": (purchase(_LINE), purchase(_LINE, identities={"email": "a@b.c"})),
    "device.ios_advertising_id": (purchase(_LINE), _device(ios_advertising_id=_ID)._replace(products=(_LINE,))),
    "device.android_advertising_id": (purchase(_LINE), _device(android_advertising_id=_ID)._replace(products=(_LINE,))),
    "device.platform": (
        _device(ios_advertising_id="1", android_advertising_id="2", platform="iOS"),
        _device(ios_advertising_id="1", android_advertising_id="2", platform="Android"),
    ),
    "device.limit_ad_tracking": (
        _device(ios_advertising_id="1"),
        _device(ios_advertising_id="1", limit_ad_tracking=True),
    ),
    "device.att_authorization_status": (
        _device(ios_advertising_id="1"),
        _device(ios_advertising_id="1", att_authorization_status="denied"),
    ),
    "consent_state": (_KNOWN, _KNOWN._replace(consent=_NO)),
    **{
        f"product_action.{name}": (
            purchase(total_amount=amount("9"), tax_amount=amount("1"), shipping_amount=amount("1")),
            purchase(
                **{
                    "total_amount": amount("9"),
                    "tax_amount": amount("1"),
                    "shipping_amount": amount("1"),
                    name: amount("2.5"),
                },
            ),
        )
        for name in ("total_amount", "tax_amount", "shipping_amount")
    },
    **{
        f"product_action.products[].{name}": (_of(**before), _of(**{**before, **after}))
        for name, before, after in _LINE_CHANGES
    },
}
