# SPDX-License-Identifier: Apache-2.0
"""Rules of attribution: which token an order gets, and what is never sent as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.domain.attribution import (
    Found,
    Missing,
    OnlyNewer,
    attribute,
    is_attributable,
    is_token,
    needs_lookup,
    session_keys,
    token_on,
    user_key,
)
from connector.domain.policy import DEFAULT_POLICY
from tests.support.commerce import published, purchase

if TYPE_CHECKING:
    from connector.domain.attribution import SessionLookup
    from connector.domain.events import CommerceEvent

_KIT_KEY = "com.usebutton.source_token"


def _with_attributes(**attributes: str) -> CommerceEvent:
    return purchase(integration_attributes={"1022": attributes})


def test_the_tokens_of_published_links_are_tokens_and_organisations_are_not() -> None:
    """A publisher's link carries its organisation where the shop's carries the token."""
    links = cast("list[dict[str, str | None]]", published("attribution_tokens"))
    assert links
    for link in links:
        (value,) = parse_qs(urlsplit(str(link["link"])).query)["btn_ref"]
        assert is_token(value) == (link["btn_ref"] is not None), link


@pytest.mark.parametrize("text", ["", "a b", "srctok-\u00e9", "srctok-1\n", "srctok-1&x", "a#b", "x" * 256, "org-1"])
def test_what_a_link_cannot_carry_is_no_token(text: str) -> None:
    """Blank, not ASCII, not one query value, longer than 255, or an organisation."""
    assert not is_token(text)


@pytest.mark.parametrize("text", ["x", "x" * 255, "srctok-ABC", "a%20b", "t.o_k~e-n", "YWJj=", "my-org-1"])
def test_a_token_need_not_look_like_button_s_own_ones(text: str) -> None:
    """Button asks not to rely on any prefix."""
    assert is_token(text)


def test_the_key_of_the_kits_goes_before_the_others() -> None:
    """The kits keep the newest token; another key may be the shop's leftover."""
    assert token_on(_with_attributes(**{"btn_ref": "older", _KIT_KEY: "newest"}), DEFAULT_POLICY) == "newest"


def test_btn_ref_is_taken_where_the_kits_wrote_nothing_usable() -> None:
    """What cannot be a token does not stand in the way of one."""
    assert token_on(_with_attributes(btn_ref="web", other="x"), DEFAULT_POLICY) == "web"
    assert token_on(_with_attributes(**{_KIT_KEY: "org-1", "btn_ref": "web"}), DEFAULT_POLICY) == "web"


def test_the_only_value_for_button_is_the_token_whatever_its_key() -> None:
    """On the web the shop chooses the key; with two of its own nobody can tell which it is."""
    assert token_on(_with_attributes(whatever="web"), DEFAULT_POLICY) == "web"
    assert token_on(_with_attributes(one="a", two="b"), DEFAULT_POLICY) is None
    assert token_on(_with_attributes(whatever="org-1"), DEFAULT_POLICY) is None


def test_attributes_of_other_modules_are_not_button_s() -> None:
    """Another partner's click id is no token."""
    assert token_on(purchase(integration_attributes={"83": {"btn_ref": "other"}}), DEFAULT_POLICY) is None
    assert token_on(purchase(integration_attributes={"1022": {}}), DEFAULT_POLICY) is None


def test_the_session_is_looked_up_by_its_uuid_as_written_and_then_by_its_number() -> None:
    """Capitals are kept (iOS writes them), the number may be negative."""
    both = purchase(session_uuid="84E1B361-A282", session_id="-2271448330363288817")
    assert session_keys(both) == ("84E1B361-A282", "-2271448330363288817")
    assert session_keys(both._replace(session_uuid=None)) == ("-2271448330363288817",)
    assert session_keys(both._replace(session_uuid=None, session_id=None)) == ()


def test_the_user_is_looked_up_by_the_plain_id() -> None:
    """The table knows users by what mParticle calls them."""
    assert user_key(purchase(mpid="-7636538281262557000")) == "-7636538281262557000"
    assert user_key(purchase()) is None


@pytest.mark.parametrize(
    ("lookup", "token", "source"),
    [
        (Found("srctok-1", 1, "session"), "srctok-1", "session"),
        (Found("srctok-1", 1, "user"), "srctok-1", "user"),
        (Found("org-1", 1, "session"), None, "none"),
        (OnlyNewer(), None, "only_newer"),
        (Missing(), None, "none"),
    ],
)
def test_a_purchase_without_its_own_token_gets_what_was_looked_up(
    lookup: SessionLookup,
    token: str | None,
    source: str,
) -> None:
    """The source says how, and a value that cannot be a token is none."""
    assert attribute(purchase(), lookup, DEFAULT_POLICY) == (token, source)


def test_the_event_s_own_token_goes_before_any_other() -> None:
    """It was on the device at the moment of the purchase."""
    event = _with_attributes(btn_ref="own")
    assert attribute(event, Found("session's", 1, "session"), DEFAULT_POLICY) == ("own", "event")
    assert not needs_lookup(event, DEFAULT_POLICY)
    assert needs_lookup(purchase(), DEFAULT_POLICY)


def test_only_a_purchase_is_told_with_a_token() -> None:
    """Looking up for what is skipped or cancelled would be for nothing."""
    assert is_attributable(purchase(action="PURCHASE"), DEFAULT_POLICY)
    assert not is_attributable(purchase(action="refund"), DEFAULT_POLICY)
    assert not needs_lookup(purchase(action="view_detail"), DEFAULT_POLICY)
