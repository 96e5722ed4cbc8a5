# SPDX-License-Identifier: Apache-2.0
"""The customer of an order, as far as Button may know them.

Owns everything that is told about a person: the shop's id, the hash of the e-mail address, the advertising id and
whether it is their first purchase. Nothing of it is told where consent forbids it, and no advertising id of a device
that limits tracking.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from connector.domain.consent import judge
from connector.domain.orders import Customer
from connector.domain.policy import FirstPurchaseFlag, WithoutConsent

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent, Device
    from connector.domain.policy import Policy

# mParticle's documents, its Python SDK and its Firehose each have their own name for it.
CUSTOMER_ID_TYPES = ("customer_id", "customerid", "customer")

_SHA_256_DIGITS = 64
_HEX_DIGITS = "0123456789abcdef"
_AUTHORIZED = "authorized"
_ANDROID = "android"


def customer_from(event: CommerceEvent, policy: Policy) -> Customer | None:
    """Return the customer, ``None`` when nothing is known or nothing may be told."""
    if event.consent is not None and judge(event.consent, policy).consequence is not WithoutConsent.IGNORE:
        return None
    identities = event.identities
    customer_id = None
    for name in CUSTOMER_ID_TYPES:
        customer_id = customer_id or identities.get(name) or None
    email_sha256 = hash_email(identities.get("email") or "")
    device_id = None if event.device is None else device_id_of(event.device)
    is_new = event.is_new_customer
    if customer_id is None and email_sha256 is None and device_id is None and is_new is None:
        return None
    if policy.first_purchase_flag is FirstPurchaseFlag.IS_NEW:
        return Customer(customer_id, email_sha256, device_id, is_new)
    return Customer(customer_id, email_sha256, device_id, None, is_new)


def hash_email(address: str) -> str | None:
    """Return the SHA-256 that Button knows an e-mail address by, in lower-case hex; ``None`` for a blank one.

    What is such a hash already is no address, and hashing it again would find nobody.
    """
    canonical = address.strip().lower()
    if not canonical:
        return None
    if len(canonical) == _SHA_256_DIGITS and not canonical.strip(_HEX_DIGITS):
        return canonical
    return sha256(canonical.encode()).hexdigest()


def device_id_of(device: Device) -> str | None:
    """Return the advertising id that may be told: of the device's own platform, else of the other.

    None where tracking is limited or not authorized. All zeros are what systems say instead of an id.
    """
    if device.limit_ad_tracking or not _is_tracking_authorized(device.att_authorization_status):
        return None
    ids = device.ios_advertising_id, device.android_advertising_id
    if (device.platform or "").lower() == _ANDROID:
        ids = ids[::-1]
    return next((text.strip() for text in ids if text and _is_an_id(text)), None)


def _is_tracking_authorized(status: str | None) -> bool:
    """Return whether Apple's permission was given, or not asked for: other devices have no such status."""
    return not status or status.isspace() or status.strip().lower() == _AUTHORIZED


def _is_an_id(text: str) -> bool:
    return bool(text.strip().strip("0-"))
