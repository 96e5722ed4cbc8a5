# SPDX-License-Identifier: Apache-2.0
"""What becomes of one event, as data.

Owns what an explanation holds and its form for machines. Takes every decision from the domain, as the engine does;
touches nothing outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from connector.button.client import ORDER_PATH, order_path
from connector.domain.attribution import Found, Missing, attribute, is_attributable, needs_lookup
from connector.domain.bodies import create_body
from connector.domain.facts import Known
from connector.domain.lifecycle import decide
from connector.domain.orders import Await, Cancel, Create, Lookup, Note, Reject, Skip, Update
from connector.explain.policies import Applied, applied, unsent_tokens
from connector.explain.view import event_view, field_values, masked, personal_values

if TYPE_CHECKING:
    from connector.domain.attribution import SessionLookup
    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Decision
    from connector.domain.policy import Policy

_NOT_LOOKED_UP = "not_looked_up"
_IDENTITY = "explained"
_SOURCES = {
    "event": "it is on the event itself",
    "session": "the event's session has it",
    "user": "another session of the event's user has it",
    "only_newer": "session and user have tokens, but every one was seen after the event",
    "none": "neither the event nor its session nor its user has one that may be sent",
}


class Token(NamedTuple):
    """The attribution token, and where it came from; ``notes`` say why others were not taken."""

    value: str | None
    source: str
    why: str
    notes: tuple[str, ...] = ()


class Request(NamedTuple):
    """What would be sent; the key is in a header that is not shown."""

    method: str
    path: str
    body: dict[str, Any] | None


class Refusal(NamedTuple):
    """Why nothing is sent: ``kind`` is ``skipped``, ``dead_letter``, or ``depends`` (on what is known elsewhere)."""

    kind: str
    stage: str
    reason: str
    message: str


class Mapped(NamedTuple):
    """A field that smart mapping took from elsewhere."""

    field: str
    expression: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of an event; of a record that gave none there is only the verdict."""

    verdict: Request | Refusal
    event: dict[str, Any] | None = None
    mapped: tuple[Mapped, ...] = ()
    token: Token | None = None
    policies: tuple[Applied, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        verdict = self.verdict
        return {
            "event": self.event,
            "smart_mapping": [each._asdict() for each in self.mapped],
            "token": None if self.token is None else self.token._asdict(),
            "policies": [each._asdict() for each in self.policies],
            "outcome": "sent" if isinstance(verdict, Request) else verdict.kind,
            "request": verdict._asdict() if isinstance(verdict, Request) else None,
            "refusal": verdict._asdict() if isinstance(verdict, Refusal) else None,
        }


class Sources(NamedTuple):
    """What an explanation is made from.

    ``lookup`` is the answer of the sessions table, or why it was not asked. ``unmapped`` is the event without smart
    mapping, where it is one then; ``expressions`` are the configured ones by field.
    """

    event: CommerceEvent
    lookup: SessionLookup | str
    unmapped: CommerceEvent | None
    expressions: dict[str, str]


def not_an_event(stage: str, reject: Reject) -> Explanation:
    """Return what becomes of a record, or an event, that could not be read."""
    return Explanation(Refusal("dead_letter", stage, reject.reason, reject.message))


def skipped_record(reason: str, message: str) -> Explanation:
    """Return what becomes of a record that is passed over."""
    return Explanation(Refusal("skipped", "decode", reason, message))


def explain(sources: Sources, policy: Policy, *, has_ledger: bool, shows_personal: bool) -> Explanation:
    """Return what becomes of an event; with a ledger, of one whose order is not known there yet."""
    event = sources.event
    token = _token(sources, policy)
    decision = decide(event, Known(_IDENTITY) if has_ledger else None, token.value, policy)
    whole = Explanation(
        verdict=_verdict(decision),
        event=event_view(event),
        mapped=_mapped(sources),
        token=token if is_attributable(event, policy) else None,
        policies=tuple(applied(event, token.value, policy, is_looked_up=token.source != _NOT_LOOKED_UP)),
    )
    return whole if shows_personal else _masked(whole, _personal(sources))


def _token(sources: Sources, policy: Policy) -> Token:
    event = sources.event
    notes = tuple(unsent_tokens(event, policy))
    lookup = sources.lookup
    if isinstance(lookup, str):
        found = attribute(event, Missing(), policy)
        why = lookup if needs_lookup(event, policy) else _SOURCES[found.source]
        return Token(found.token, _NOT_LOOKED_UP if needs_lookup(event, policy) else found.source, why, notes)
    found = attribute(event, lookup, policy)
    why = _SOURCES[found.source]
    if isinstance(lookup, Found) and found.token is not None and found.source != "event":
        before_ms = event.occurred_at_ms - lookup.observed_at_ms
        why += f", seen {abs(before_ms) / 1000:g} s {'before' if before_ms >= 0 else 'after'} the event"
    return Token(found.token, found.source, why, notes)


def _verdict(decision: Decision) -> Request | Refusal:
    match decision:
        case Create(order=order):
            return Request("POST", ORDER_PATH, create_body(order))
        case Cancel(order_id=order_id):
            return Request("DELETE", order_path(order_id), None)
        case Lookup(order_id=order_id):
            return Refusal(
                "depends",
                "map",
                "needs_the_order",
                "the refund is taken off what the order ledger has of the order (see button-connector orders show); of "
                f"an order that is not there, Button is asked first: GET {order_path(order_id)}",
            )
        case Update() | Await() | Note():
            message = f"{type(decision).__name__} of an order of which nothing is known"
            raise TypeError(message)
        case Skip(reason=reason):
            return Refusal("skipped", "map", reason, "the event is not for Button; it is counted under this name")
        case Reject(reason=reason, message=message):
            return Refusal("dead_letter", "map", reason, message)
        case _:
            assert_never(decision)


def _mapped(sources: Sources) -> tuple[Mapped, ...]:
    paths = frozenset(sources.expressions)
    before = {} if sources.unmapped is None else field_values(sources.unmapped, paths)
    after = field_values(sources.event, paths)
    return tuple(Mapped(path, sources.expressions[path], before.get(path), after[path]) for path in after)


def _personal(sources: Sources) -> frozenset[str]:
    own = personal_values(sources.event)
    return own if sources.unmapped is None else own | personal_values(sources.unmapped)


def _masked(whole: Explanation, personal: frozenset[str]) -> Explanation:
    verdict = whole.verdict
    hidden = (
        Request(verdict.method, verdict.path, masked(verdict.body, personal))
        if isinstance(verdict, Request)
        else verdict._replace(message=masked(verdict.message, personal))
    )
    mapped = [
        # The name of the field says whether it is personal.
        each._replace(before=_field(each.field, each.before, personal), after=_field(each.field, each.after, personal))
        for each in whole.mapped
    ]
    return Explanation(hidden, masked(whole.event, personal), tuple(mapped), whole.token, whole.policies)


def _field(path: str, value: Any, personal: frozenset[str]) -> Any:  # noqa: ANN401  any JSON
    parent, _, name = path.rpartition(".")
    within = masked({parent: {name: value}} if parent else {name: value}, personal)
    return within[parent][name] if parent else within[name]
