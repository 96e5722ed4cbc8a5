# SPDX-License-Identifier: Apache-2.0
"""Rules of which expressions are accepted before any event is seen."""

from __future__ import annotations

import pytest

from connector.avro.expressions import Expression, ExpressionProblem, compile_expression
from connector.avro.schemas import load_schema
from connector.avro.writer_schema import AvroType, writer_schema
from connector.domain.orders import Reject


def _event() -> AvroType:
    prepared = writer_schema(load_schema("commerce_event"))
    assert not isinstance(prepared, Reject)
    return prepared.root


@pytest.mark.parametrize(
    "text",
    [
        "@",
        "mpid",
        "custom_attributes.anything",
        'integration_attributes."1022"."com.usebutton.source_token"',
        "product_action.products[0].id",
        "product_action.products[-1].custom_attributes.x",
        "product_action.products[1:].id | [0]",
        "product_action.products[?price > `1`].id | [0]",
        "product_action.products[*].[id, name][]",
        "user_identities[?identity_type=='email'].identity | [0]",
        "consent_state.gdpr.*.consented | [0]",
        "consent_state.gdpr.advertising.consented",
        "mpid || session_id || event_id",
        "mpid && !session_id",
        "not_null(mpid, event_id)",
        "max_by(product_action.products, &id).name",
        "sort_by(product_action.products, &id)[0].name",
        "map(&id, product_action.products)[0]",
        "join('-', [mpid, event_id])",
        "{a: mpid, b: product_action}.a",
        "keys(custom_attributes)[0]",
        "to_number(custom_attributes.total)",
        "merge(custom_attributes, user_attributes).x",
        "source_channel == 'native' && 'app' || `null`",
    ],
)
def test_what_an_event_can_have_may_be_asked_for(text: str) -> None:
    """Through lists, maps, filters and functions; keys of a map may be anything."""
    assert isinstance(compile_expression(text, (_event(),)), Expression)


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("custom_atributes.x", 1, "no field 'custom_atributes'; did you mean custom_attributes?"),
        ("product_action.total", 16, "no field 'total'; did you mean total_amount?"),
        ("product_action.qqq", 16, "no field 'qqq'; there are action, affiliation"),
        ("product_action.products.id", 25, "because this is a list; write [] or an index"),
        ("product_action.products[0].idd", 28, "did you mean id?"),
        ("product_action.products[?prise > `1`].id", 26, "did you mean price?"),
        ("product_action.products[?price > `1`].skuu", 39, "no field 'skuu'"),
        ("product_action.products[*].[id, nam]", 33, "did you mean name?"),
        ("product_action.products[].[id] | [0].x", 38, "because this is a list"),
        ("max_by(product_action.products, &pric).id", 34, "did you mean price?"),
        ("max_by(product_action.products, &price).idd", 41, "did you mean id?"),
        ("sort_by(product_action.products, &id)[0].idd", 42, "did you mean id?"),
        ("not_null(mpid, session_idd)", 16, "did you mean session_id?"),
        ("{a: mpid, b: mpidd}", 14, "did you mean mpid?"),
        ('mpid || "mpid 2"', 9, "no field 'mpid 2'"),
        ("mpid && !sessio_id", 10, "did you mean session_id?"),
        ("user_identities[?identity_type==email].identity", 33, "write 'email' in single quotes"),
        ("mpid.x", 6, "because this is a number or text"),
        ("mpid[0]", 1, "a list is expected here, and this is a number or text"),
        ("product_action[0]", 1, "this is a record"),
        ("product_action.total_amount[]", 16, "a list is expected here"),
        ("consent_state.gdpr.*.consent", 22, "did you mean consented?"),
        ("consent_state.gdpr.x.consent", 22, "did you mean consented?"),
        ("nope(mpid)", 1, "there is no function nope()"),
        ("lenght(mpid)", 1, "did you mean length?"),
        ("mpid || length()", 9, "length() takes 1 argument(s), not 0"),
        ("length(mpid, mpid)", 1, "length() takes 1 argument(s), not 2"),
        ("a..b", 3, "this is no JMESPath"),
        ("mpid.", 6, "this is no JMESPath"),
        ("", 1, "this is no JMESPath"),
        ("product_action.products[?price > 1].id", 34, "this is no JMESPath"),
    ],
)
def test_what_no_event_can_have_is_named_with_its_place(text: str, position: int, said: str) -> None:
    """JMESPath itself would give null for it in every event, for ever."""
    problem = compile_expression(text, (_event(),))
    assert isinstance(problem, ExpressionProblem), text
    assert problem.position == position, problem
    assert said in problem.what
    assert str(problem).startswith(f"{text!r}, character {position}: ")


def test_of_several_schemas_one_that_has_the_field_is_enough() -> None:
    """Events may come alone and in batches."""
    other = AvroType("record", 0, fields={"shop": AvroType("string", 1)})
    assert isinstance(compile_expression("shop", (_event(), other)), Expression)
    assert isinstance(compile_expression("shop || mpid", (_event(), other)), Expression)
    assert isinstance(compile_expression("shop.x", (_event(), other)), ExpressionProblem)


def test_an_unknown_function_hidden_behind_a_choice_is_found() -> None:
    """Asking the expression once would not find it: the first choice answers."""
    assert isinstance(compile_expression("'x' || nope(mpid)", (_event(),)), ExpressionProblem)
