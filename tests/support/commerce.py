# SPDX-License-Identifier: Apache-2.0
"""Commerce events for tests of the domain, and the payloads that others published.

Owns short ways to write an event down. Reads decimals with :mod:`decimal`, not with the code under test.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.domain.events import CommerceEvent, Product
from connector.domain.money import Amount

_VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def published(name: str) -> object:
    """Return a published payload from ``tests/vectors``; see the README there for its source."""
    return json.loads((_VECTORS / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)


def amount(text: str | Decimal | int) -> Amount:
    """Return the amount that the digits say, with as many decimals as were written."""
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return Amount(int(number.scaleb(-min(exponent, 0))), -min(exponent, 0))


def product(sku: str | None = "sku-1", price: str | None = "10.00", **changes: Any) -> Product:  # noqa: ANN401  any field
    """Return one piece of a product."""
    plain = Product(
        sku=sku,
        name=None,
        category=None,
        price=None if price is None else amount(price),
        quantity=None,
        total=None,
        coupon_code=None,
        attributes={},
    )
    return plain._replace(**changes)


def purchase(*products: Product, **changes: Any) -> CommerceEvent:  # noqa: ANN401  any field
    """Return a purchase in USD at 2017-07-25T08:23:52Z of the products, without a total of its own."""
    plain = CommerceEvent(
        action="purchase",
        order_id="1994",
        occurred_at_ms=1_500_971_032_000,
        currency="USD",
        total_amount=None,
        tax_amount=None,
        shipping_amount=None,
        coupon_code=None,
        products=products,
        source_message_id=None,
        event_id=None,
        session_uuid=None,
        session_id=None,
        mpid=None,
        environment=None,
        identities={},
        integration_attributes={},
        custom_attributes={},
    )
    return plain._replace(**changes)
