# SPDX-License-Identifier: Apache-2.0
"""An event as people may see it: by the names of the schema, and without what is personal.

Owns what counts as personal: every identity, the user's id, advertising ids, and what is made of them. Masked values
keep what tells them apart from nothing, and no more.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connector.avro.targets import CONSENT, DEVICE, EVENT, PRODUCT, PRODUCTS, TARGETS
from connector.domain.money import Amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.avro.targets import Target
    from connector.domain.events import CommerceEvent

Json = Any

MASK = "***"
_PERSONAL = frozenset({"mpid", "ios_advertising_id", "android_advertising_id", "device_id", "email_sha256"})
_ADDRESS = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+")
_SHORTEST_SEARCHED = 4
"""Shorter values stand in too many other texts by chance."""


def event_view(event: CommerceEvent) -> dict[str, Json]:
    """Return what an event says, under the names of the schema; what it does not say is left out."""
    view: dict[str, Json] = {}
    for target in TARGETS.values():
        if target.owner in {EVENT, DEVICE, CONSENT}:
            _put(view, target.path, _value(event, target))
    products = [_product_view(product) for product in event.products]
    _put(view, "product_action.products", products)
    _put(view, "product_action.affiliation", event.affiliation)
    _put(view, "user_identities", dict(event.identities))
    _put(view, "integration_attributes", {key: dict(value) for key, value in event.integration_attributes.items()})
    _put(view, "custom_attributes", dict(event.custom_attributes))
    return view


def field_values(event: CommerceEvent, paths: frozenset[str]) -> dict[str, Json]:
    """Return the values of fields by their paths; of the products' fields one for each product."""
    return {path: _value(event, TARGETS[path]) for path in TARGETS if path in paths}


def personal_values(event: CommerceEvent) -> frozenset[str]:
    """Return the texts of an event that stand for a person."""
    device = event.device
    ids = (device.ios_advertising_id, device.android_advertising_id) if device else ()
    return frozenset(value for value in (*event.identities.values(), event.mpid, *ids) if value)


def masked(value: Json, personal: frozenset[str], name: str = "") -> Json:
    """Return the same without what is personal, wherever it stands."""
    match value:
        case dict():
            is_identities = name == "user_identities"
            is_customer = name == "customer"
            return {
                key: _mask(each)
                if is_identities or key in _PERSONAL or (is_customer and key == "id")
                else masked(each, personal, key)
                for key, each in value.items()
            }
        case list() | tuple():
            return [masked(each, personal, name) for each in value]
        case str():
            return _without(value, personal)
        case _:
            return value


def _mask(value: Json) -> Json:
    """Mask whole texts, also within lists; that a value is absent may be seen."""
    if isinstance(value, list | tuple):
        return [_mask(each) for each in value]
    return value if value is None else MASK


def _without(text: str, personal: frozenset[str]) -> str:
    if text in personal:
        return MASK
    for value in personal:
        if len(value) >= _SHORTEST_SEARCHED:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text, flags=re.IGNORECASE)
    return _ADDRESS.sub(MASK, text)


def _product_view(product: Any) -> dict[str, Json]:  # noqa: ANN401  a named tuple, asked by name
    view: dict[str, Json] = {}
    for target in TARGETS.values():
        if target.owner == PRODUCT:
            _put(view, target.path.removeprefix(PRODUCTS), _plain(getattr(product, target.name), target.path))
    return view


def _value(event: CommerceEvent, target: Target) -> Json:
    match target.owner:
        case "event":
            return _plain(getattr(event, target.name), target.path)
        case "identities":
            return event.identities.get(target.name)
        case "product":
            return [_plain(getattr(product, target.name), target.path) for product in event.products]
        case _:
            owner = event.device if target.owner == DEVICE else event.consent
            return None if owner is None else _plain(getattr(owner, target.name), target.path)


def _plain(value: object, path: str) -> Json:
    match value:
        case Amount():
            return str(value)
        case int() if path.endswith("_at"):
            return _time(value)
        case tuple():
            return list(value)
        case None | str() | bool() | int():
            return value
        case _:
            return dict(value)  # type: ignore[call-overload]  # what is left are mappings


def _time(unix_ms: int) -> Json:
    try:
        return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return unix_ms


def _put(view: dict[str, Json], path: str, value: Json) -> None:
    if value is None or value in ({}, [], ""):
        return
    *parents, name = path.split(".")
    for parent in parents:
        view = view.setdefault(parent, {})
    view[name] = value


def _walk(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _walk(each, f"{path}.{key}" if path else key)
    else:
        yield path, value


def lines_of(view: Json) -> list[tuple[str, Json]]:
    """Return a view as dotted names with their values; lists stay whole."""
    return list(_walk(view))
