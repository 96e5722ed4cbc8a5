# SPDX-License-Identifier: Apache-2.0
"""Which attribution token (``btn_ref``) an order gets.

Owns the order of precedence: the token on the event itself, else its session's as of the event's time, else the
user's, else none. A token that was seen only after the purchase cannot have caused it. What cannot be a token, or may
not be sent as one, is treated as if it were not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, assert_never

from connector.domain.environments import is_development

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent
    from connector.domain.policy import Policy

_BUTTON_MODULE_ID = "1022"
"""mParticle's number for Button among the integration attributes."""

# The first is what mParticle's kits for apps write. On the web the key is whatever the shop chose.
_TOKEN_KEYS = ("com.usebutton.source_token", "btn_ref")

# In a publisher's link btn_ref is the publisher's organisation, which Button replaces by a token on the way.
_ORGANISATION_PREFIX = "org-"

# What Button asks integrations to be tested with.
_TEST_PREFIX = "fakesrctok-"

_SUSPECT_PREFIXES = (_ORGANISATION_PREFIX, _TEST_PREFIX)

# Button promises "URL safe", at most 255 characters, and asks not to look for more. The characters are those that can
# stand in the value of a URL's query parameter (RFC 3986), which is where a token comes from.
_TOKEN = re.compile(r"[A-Za-z0-9._~!$'()*+,;=:@/?%-]{1,255}")


class Found(NamedTuple):
    """A token, when it was seen (Unix milliseconds), and by which key: ``session`` or ``user``."""

    token: str
    observed_at_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class OnlyNewer:
    """The keys have tokens, but every one of them was seen after the event."""


@dataclass(frozen=True, slots=True)
class Missing:
    """None of the keys has ever had a token."""


SessionLookup = Found | OnlyNewer | Missing


class Attribution(NamedTuple):
    """The token of an order, if any, and its source: ``event``, ``session``, ``user``, ``only_newer`` or ``none``."""

    token: str | None
    source: str


_ONLY_NEWER = Attribution(None, "only_newer")
_NONE = Attribution(None, "none")


def is_attributable(event: CommerceEvent, policy: Policy) -> bool:
    """Return whether the event is one that a token is told with: a purchase."""
    return policy.is_purchase(event.action)


def needs_lookup(event: CommerceEvent, policy: Policy) -> bool:
    """Return whether the event's token must be looked up by session and user: a purchase without one of its own."""
    return is_attributable(event, policy) and token_on(event, policy) is None


def attribute(event: CommerceEvent, lookup: SessionLookup, policy: Policy) -> Attribution:
    """Return the event's token; ``lookup`` is not looked at when the event has one of its own."""
    token = token_on(event, policy)
    if token is not None:
        return Attribution(token, "event")
    match lookup:
        case Found():
            return Attribution(lookup.token, lookup.by) if _is_usable(lookup.token, event, policy) else _NONE
        case OnlyNewer():
            return _ONLY_NEWER
        case Missing():
            return _NONE
        case _:
            assert_never(lookup)


def token_on(event: CommerceEvent, policy: Policy) -> str | None:
    """Return the token that the event itself carries.

    As the producer says it, else by the keys that mParticle's kits and Button use, else the only value there is for
    Button: on the web, mParticle leaves the name of the key to the shop.
    """
    if event.btn_ref is not None and _is_usable(event.btn_ref, event, policy):
        return event.btn_ref
    attributes = event.integration_attributes.get(_BUTTON_MODULE_ID)
    if not attributes:
        return None
    for key in _TOKEN_KEYS:
        token = attributes.get(key)
        if token is not None and _is_usable(token, event, policy):
            return token
    only, *others = attributes.values()
    return only if not others and _is_usable(only, event, policy) else None


def is_token(text: str) -> bool:
    """Return whether a text can be an attribution token; its letters' case matters, and it has no meaning for us."""
    return _TOKEN.fullmatch(text) is not None and not text.startswith(_ORGANISATION_PREFIX)


def may_be_sent(token: str, event: CommerceEvent, policy: Policy) -> bool:
    """Return whether a token may stand in this event's order: no organisation, and no test outside of tests."""
    if not token.startswith(_SUSPECT_PREFIXES):
        return True
    return token.startswith(_TEST_PREFIX) and (is_development(event) or not policy.refuses_test_tokens)


def _is_usable(token: str, event: CommerceEvent, policy: Policy) -> bool:
    return is_token(token) and may_be_sent(token, event, policy)


def session_keys(event: CommerceEvent) -> tuple[str, ...]:
    """Return the keys under which the event's session may be found, the better one first.

    The session's UUID as it was written (iOS writes capitals), then its decimal number.
    """
    uuid, number = event.session_uuid, event.session_id
    if uuid and number:
        return uuid, number
    return (uuid,) if uuid else (number,) if number else ()


def user_key(event: CommerceEvent) -> str | None:
    """Return the key under which the event's user may be found: the plain mParticle id."""
    return event.mpid or None
