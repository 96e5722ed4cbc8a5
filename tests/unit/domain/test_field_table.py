# SPDX-License-Identifier: Apache-2.0
"""The table of fields, the documentation and what is really told say the same."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector.domain.attribution import Missing, attribute
from connector.domain.bodies import create_body
from connector.domain.field_table import DECIDES, FIELDS, NOT_TOLD
from connector.domain.lifecycle import decide
from connector.domain.orders import Create, Customer, LineItem, Order, Reject, Skip
from connector.domain.policy import DEFAULT_POLICY, FirstPurchaseFlag, Policy, WithoutConsent
from tests.support.commerce import product, purchase
from tests.support.field_cases import CASES, VARIATIONS, Case
from tests.support.field_docs import PAGE, tables, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.domain.events import CommerceEvent

_SCHEMA = Path(__file__).parents[3] / "schemas" / "avro" / "commerce_event.avsc"
_BUTTON_FIELDS = [row.button for row in FIELDS]


def _told(event: CommerceEvent, policy: Policy = DEFAULT_POLICY) -> dict[str, Any] | str:
    """Return the body's fields by the table's names, lines by their first one; or the reason why there is none."""
    decision = decide(event, None, attribute(event, Missing(), policy).token, policy)
    if isinstance(decision, Skip | Reject):
        return decision.reason
    assert isinstance(decision, Create)
    return dict(_flat(create_body(decision.order), ""))


def _flat(value: object, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from _flat(value[0], f"{path}[]")
    else:
        yield path, value


def test_every_row_has_its_cases() -> None:
    """Nothing is in the table that is not tried, and the other way round."""
    assert list(CASES) == _BUTTON_FIELDS


@pytest.mark.parametrize(
    ("field", "case"),
    [pytest.param(field, case, id=f"{field}-{index}") for field in CASES for index, case in enumerate(CASES[field])],
)
def test_each_row_of_the_table_is_kept(field: str, case: Case) -> None:
    """By rule, up to the limit, and as it says for what is absent or bad."""
    told = _told(case.event, case.policy)
    if isinstance(told, str):
        assert told == case.told
        row = next(row for row in FIELDS if row.button == field)
        assert told in f"{row.absent} {row.bad}"
    elif field.endswith("*"):
        assert {name: value for name, value in told.items() if name.startswith(field[:-1])} == (case.told or {})
    else:
        assert told.get(field) == case.told


@pytest.mark.parametrize("field", _BUTTON_FIELDS)
def test_each_reason_in_the_table_was_met(field: str) -> None:
    """A reason that no case meets would be a promise that nobody tried; a reason that is not a row's, a surprise."""
    row = next(row for row in FIELDS if row.button == field)
    named = {word.strip(",():") for word in f"{row.absent} {row.bad}".split() if "_" in word}
    met = {told for case in CASES[field] if isinstance(told := _told(case.event, case.policy), str)}
    assert {word for word in named if "." not in word} == met


def test_the_flag_of_a_first_purchase_has_the_name_that_the_policy_gives_it() -> None:
    """Button's documents and its partners call it differently; one of them is told, never both."""
    event = purchase(product(), is_new_customer=True)
    told = _told(event, Policy(first_purchase_flag=FirstPurchaseFlag.IS_NEW_USER))
    assert isinstance(told, dict)
    assert told["customer.is_new_user"] is True
    assert "customer.is_new" not in told


def test_the_table_has_every_field_that_can_be_told() -> None:
    """A field of the order that has no row fails here."""
    at_order = set(Order._fields) - {"customer", "line_items"}
    at_customer = {f"customer.{name}" for name in Customer._fields} - {"customer.is_new_user"}
    at_line = {f"line_items[].{name}" for name in LineItem._fields} - {"line_items[].attributes"}
    assert at_order | at_customer | at_line == {field for field in _BUTTON_FIELDS if ".attributes." not in field}


def test_the_documentation_has_the_table_that_the_code_has() -> None:
    """In both directions, cell by cell; ``python -m tests.support.field_docs`` writes it anew."""
    assert written(PAGE.read_text(encoding="utf-8")) == tables()


def _leaves(schema: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  a schema is JSON
    """Yield the names of what a schema holds; of a map or a list of anything but products, its own name."""
    for branch in schema if isinstance(schema, list) else [schema]:
        kind = branch["type"] if isinstance(branch, dict) else branch
        if kind == "record":
            for field in branch["fields"]:
                yield from _leaves(field["type"], f"{path}.{field['name']}" if path else field["name"])
        elif kind == "array" and path == "product_action.products":
            yield from _leaves(branch["items"], f"{path}[]")
        elif kind != "null":
            yield path


def _schema_name(source: str) -> str:
    for container in ("custom_attributes", "user_identities"):
        source = source.split(f"{container}.", maxsplit=1)[0] + container if f"{container}." in source else source
    return source


def test_every_field_of_the_schema_is_in_one_of_the_tables() -> None:
    """What a producer can send is told, decides, or is said not to be told; and no row names a field that is not."""
    leaves = {
        "consent_state" if leaf.startswith("consent_state.") else leaf
        for leaf in _leaves(json.loads(_SCHEMA.read_text(encoding="utf-8")))
    }
    sources = {_schema_name(source) for row in FIELDS for source in row.sources}
    mentioned = sources | {path for path in DECIDES if path != "product_action.products"}
    not_told = {row.where.split()[-1].rstrip(")") for row in NOT_TOLD if "mParticle product_action." in row.where}
    not_told |= {row.field for row in NOT_TOLD}
    assert mentioned <= leaves
    assert leaves - mentioned <= not_told


_LOOKED_UP = {"session_uuid", "session_id", "mpid"}
_TELLING = Policy(
    sends_finalization_date=True,
    refuses_test_tokens=True,
    skips_development=False,
    gdpr={"advertising": WithoutConsent.STRIP_IDENTITY},
)


@pytest.mark.parametrize("source", sorted({*chain.from_iterable(row.sources for row in FIELDS)} - _LOOKED_UP))
def test_a_source_changes_exactly_the_fields_whose_rows_name_it(source: str) -> None:
    """The table says neither more nor less than what the code does."""
    before, after = (_told(event, _TELLING) for event in VARIATIONS[source])
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert {_row_of(name) for name in changed} == {row.button for row in FIELDS if source in row.sources}


def _row_of(name: str) -> str:
    return name if name in _BUTTON_FIELDS else f"{name.rsplit('.', 1)[0]}.*"


def test_every_source_is_varied() -> None:
    """The rule above is tried for each; what is looked up has its own rules among those of attribution."""
    assert {*VARIATIONS} == {*chain.from_iterable(row.sources for row in FIELDS)} - _LOOKED_UP
