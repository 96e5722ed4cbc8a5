# SPDX-License-Identifier: Apache-2.0
"""Smart mapping: fields of an event that are taken from elsewhere in the same event.

Owns which expressions are accepted at the start, and the replacement of an event's fields by what they give. An
expression's answer *is* the field: null says that the field is absent, whatever stood in its own place. Reads nothing
but the record; costs nothing where it is not configured.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.avro.batch import EVENTS
from connector.avro.converters import BadValueError
from connector.avro.expressions import Expression, ExpressionProblem, compile_expression
from connector.avro.plain import to_plain
from connector.avro.targets import CONSENT, DEVICE, EVENT, IDENTITIES, PRODUCT, TARGETS, Target, taken
from connector.avro.writers import MappingProblem
from connector.domain.customers import CUSTOMER_ID_TYPES
from connector.domain.events import CommerceEvent, Consent, Device
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connector.avro.writer_schema import AvroType

    Fill = Callable[[Any, Sequence[CommerceEvent | Reject]], list[CommerceEvent | Reject]]


class _Rule(NamedTuple):
    target: Target
    expression: Expression

    def value(self, plain: object) -> Any:  # noqa: ANN401  whatever the field holds
        """Return what goes into the field; raises ``BadValueError``."""
        try:
            found = self.expression.search(plain)
        except Exception as error:  # noqa: BLE001  what functions do with a value they do not expect; it may quote it
            problem = f"{self.target.path} is mapped to {self.expression.text!r}, which failed ({type(error).__name__})"
            raise BadValueError(Reject("bad_mapping", f"{problem}; correct mapping.fields or the event")) from None
        return taken(self.target, found, self.expression.text)


class SmartMapping:
    """Rules that were checked; :func:`smart_mapping` makes one."""

    def __init__(self, rules: Sequence[_Rule]) -> None:
        """Sort the rules by what they fill."""
        self.paths = frozenset(rule.target.path for rule in rules)
        self._of = {
            owner: [rule for rule in rules if rule.target.owner == owner]
            for owner in (EVENT, DEVICE, CONSENT, IDENTITIES, PRODUCT)
        }

    def bind(self, root: AvroType, *, is_batch: bool) -> Fill:
        """Return what fills the events of this writer's records; a batch's own fields stand for those of its events."""
        change = to_plain(root)

        def fill(datum: Any, events: Sequence[CommerceEvent | Reject]) -> list[CommerceEvent | Reject]:  # noqa: ANN401  as fastavro reads it
            plain = change(datum) if change else datum
            rows = [_in_batch(row, plain) for row in plain.get(EVENTS) or ()] if is_batch else [plain]
            return [self._filled(event, row) for event, row in zip(events, rows, strict=True)]

        return fill

    def _filled(self, event: CommerceEvent | Reject, plain: Mapping[str, Any]) -> CommerceEvent | Reject:
        if isinstance(event, Reject):
            return event
        try:
            return self.fill(event, plain)
        except BadValueError as error:
            return error.reject

    def fill(self, event: CommerceEvent, plain: Mapping[str, Any]) -> CommerceEvent:
        """Return the event with what its plain form has elsewhere; raises ``BadValueError``."""
        changes = self._values(EVENT, plain)
        if self._of[DEVICE]:
            changes["device"] = (event.device or Device())._replace(**self._values(DEVICE, plain))
        if self._of[CONSENT]:
            changes["consent"] = (event.consent or Consent({}))._replace(**self._values(CONSENT, plain))
        if self._of[IDENTITIES]:
            changes["identities"] = _identities(event.identities, self._values(IDENTITIES, plain))
        if self._of[PRODUCT]:
            rows = (plain.get("product_action") or {}).get("products") or ()
            changes["products"] = tuple(
                product._replace(**self._values(PRODUCT, row))
                for product, row in zip(event.products, rows, strict=True)
            )
        return event._replace(**changes)

    def _values(self, owner: str, plain: object) -> dict[str, Any]:
        return {rule.target.name: rule.value(plain) for rule in self._of[owner]}


def smart_mapping(fields: Mapping[str, str], roots: Sequence[AvroType]) -> SmartMapping | tuple[MappingProblem, ...]:
    """Check expressions, each by the field that it is for, against schemas of events or batches.

    An expression is right when one of the schemas has what it asks for. Returns the mapping, or all that is wrong.
    """
    events = tuple(_event_of(root) for root in roots)
    products = tuple(row for event in events for row in _products_of(event))
    rules, problems = [], []
    for path, text in fields.items():
        target = TARGETS.get(path)
        if target is None:
            problems.append(MappingProblem(path, _unknown(path)))
            continue
        compiled = compile_expression(text, products if target.owner == PRODUCT else (*events, *roots))
        if isinstance(compiled, ExpressionProblem):
            problems.append(MappingProblem(path, str(compiled)))
        else:
            rules.append(_Rule(target, compiled))
    return tuple(problems) or SmartMapping(rules)


def _unknown(path: str) -> str:
    near = difflib.get_close_matches(path, TARGETS, 1, 0.5)
    meant = f"; did you mean {near[0]}?" if near else f"; those that can be are: {', '.join(TARGETS)}"
    return f"there is no such field that could be mapped{meant}"


def _event_of(root: AvroType) -> AvroType:
    rows = root.fields[EVENTS].only("array") if EVENTS in root.fields else None
    return rows.items if rows and rows.items else root


def _products_of(event: AvroType) -> tuple[AvroType, ...]:
    action = event.fields["product_action"].only("record") if "product_action" in event.fields else None
    rows = action.fields["products"].only("array") if action and "products" in action.fields else None
    return rows.items.alternatives() if rows and rows.items else ()


def _in_batch(row: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event's plain form with what the batch says and it does not."""
    return {**batch, **{name: value for name, value in row.items() if value or name not in batch}}


def _identities(before: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    replaced = {*values, *(CUSTOMER_ID_TYPES if "customer_id" in values else ())}
    kept = {name: identity for name, identity in before.items() if name not in replaced}
    return kept | {name: identity for name, identity in values.items() if identity}
