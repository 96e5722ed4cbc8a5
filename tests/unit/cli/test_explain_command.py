# SPDX-License-Identifier: Apache-2.0
"""``explain``: what becomes of an event from a file, in every form that somebody may have it in."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from tests.support.avro_records import body, encode_event, purchase, refund, schema
from tests.support.command_line import call, settings_file

if TYPE_CHECKING:
    from pathlib import Path

EMAIL, CUSTOMER, DEVICE, MPID = (
    "jane.doe@example.com",
    "customer-4711",
    "AEBE52E7-03EE-455A-B3C4-E57283966239",
    4711471147,
)
TIME_REMEDY = "Write Unix milliseconds, or a time like 2026-01-31T12:00:00Z."
EVENT: dict[str, Any] = {
    "occurred_at": "2026-01-01T00:00:00Z",
    "currency_code": "USD",
    "mpid": MPID,
    "btn_ref": "srctok-1",
    "user_identities": [
        {"identity_type": "email", "identity": EMAIL},
        {"identity_type": "customer_id", "identity": CUSTOMER},
    ],
    "device": {"platform": "iOS", "ios_advertising_id": DEVICE},
    "custom_attributes": {"said": f"write to {EMAIL}", "who": CUSTOMER},
    "product_action": {
        "action": "purchase",
        "transaction_id": "order-1",
        "total_amount": 12.34,
        "products": [{"id": "sku-1", "price": "6.17", "quantity": 2}],
    },
}


def changed(**changes: object) -> bytes:
    """Return the event as JSON; ``product_action`` is changed by its own fields, ``None`` takes a field away."""
    action = changes.pop("product_action", {})
    if isinstance(action, dict):
        action = {**EVENT["product_action"], **action}
    event = {**EVENT, "product_action": action, **changes}
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def explained(given: bytes, *options: str, **environ: str) -> dict[str, Any]:
    """Return the only event's explanation."""
    done = call("explain", "--json", "-", *options, given=given, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    (record,) = json.loads(done.stdout)
    (event,) = record["events"]
    return {**event, "format": record["format"], "notes": record["notes"]}


def test_json_becomes_the_request_that_would_be_sent() -> None:
    """By method, path and body, as Button's reference has them."""
    done = explained(changed(user_identities=[], device=None))
    assert done["outcome"] == "sent"
    assert done["request"] == {
        "method": "POST",
        "path": "/v1/order",
        "body": {
            "total": 1234,
            "currency": "USD",
            "order_id": "order-1",
            "purchase_date": "2026-01-01T00:00:00Z",
            "btn_ref": "srctok-1",
            "line_items": [{"identifier": "sku-1", "total": 1234, "quantity": 2, "sku": "sku-1"}],
        },
    }
    assert done["token"] == {"value": "srctok-1", "source": "event", "why": "it is on the event itself", "notes": []}
    assert {"setting": "policy.purchase_actions", "effect": "'purchase' is a purchase"} in done["policies"]


def _container() -> bytes:
    out = io.BytesIO()
    event_schema = schema("commerce_event")
    fastavro.writer(out, fastavro.parse_schema(event_schema), [_plain_purchase()])
    return out.getvalue()


def _plain_purchase() -> dict[str, Any]:
    event = purchase("order-1")
    return {**event, "product_action": {"action": "purchase", "transaction_id": "order-1"}}


@pytest.mark.parametrize(
    ("given", "form"),
    [
        (_container(), "Avro container file"),
        (encode_event(_plain_purchase()), "a record's value, Avro single-object encoding"),
        (body(_plain_purchase(), schema("commerce_event")), "a bare Avro record without header"),
        (json.dumps(_plain_purchase()).encode(), "JSON"),
    ],
    ids=["container", "single-object", "bare", "json"],
)
def test_every_form_is_told_by_itself_and_says_the_same(given: bytes, form: str) -> None:
    """Nobody has to know which one they have."""
    done = explained(given)
    assert done["format"] == form
    assert done["event"]["product_action"] == {"action": "purchase", "transaction_id": "order-1"}
    assert done["refusal"]["reason"] == "missing_total"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nothing_personal_is_shown_unless_asked_for(options: tuple[str, ...]) -> None:
    """Neither in the event nor in the request nor in an attribute that repeats it."""
    shown = call("explain", "-", *options, given=changed()).stdout
    assert "order-1" in shown
    for personal in (EMAIL, "jane.doe", CUSTOMER, DEVICE, str(MPID)):
        assert personal not in shown
    asked = call("explain", "-", "--show-personal", *options, given=changed()).stdout
    for personal in (EMAIL, CUSTOMER, DEVICE, str(MPID)):
        assert personal in asked


def test_personal_values_in_what_smart_mapping_took_are_masked_too(tmp_path: Path) -> None:
    """Before and after."""
    areas = {
        "kafka": {"bootstrap_servers": "nobody.invalid:1"},
        "button": {"api_key": "sk-x"},
        "mapping": {"fields": {"user_identities.customer_id": "custom_attributes.who", "order_channel": "environment"}},
    }
    event = changed(user_identities=[{"identity_type": "customer_id", "identity": "old-customer"}], environment="app")
    done = explained(event, "-c", settings_file(tmp_path, areas))
    mapped = {each["field"]: (each["before"], each["after"]) for each in done["smart_mapping"]}
    assert mapped == {"user_identities.customer_id": ("***", "***"), "order_channel": (None, "app")}
    assert CUSTOMER not in json.dumps(done)
    assert "old-customer" not in json.dumps(done)
    assert done["request"]["body"]["partner_order_channel"] == "app"


@pytest.mark.parametrize(
    ("change", "reason", "remedy"),
    [
        ({"currency_code": "US$"}, "unknown_currency", "send one of its three-letter codes, such as USD"),
        ({"product_action": {"transaction_id": " "}}, "missing_transaction_id", "send the id under which"),
        ({"product_action": {"total_amount": "1.234"}}, "amount_too_precise", "send amounts in whole minor units"),
    ],
)
def test_a_dead_letter_says_why_and_what_to_do(change: dict[str, Any], reason: str, remedy: str) -> None:
    """As the dead letter itself would."""
    done = explained(changed(**change))
    assert (done["outcome"], done["request"]) == ("dead_letter", None)
    assert done["refusal"]["reason"] == reason
    assert remedy in done["refusal"]["message"]


def test_a_token_of_the_wrong_kind_is_named_and_not_sent() -> None:
    """A publisher's organisation id stands where the token belongs in many a link."""
    done = explained(changed(btn_ref="org-0123"))
    assert "btn_ref" not in done["request"]["body"]
    (note,) = done["token"]["notes"]
    assert note.startswith("btn_ref is a publisher's organisation id (org-...), not a token; send the btn_ref of")


def test_without_a_cluster_it_says_that_nobody_looked() -> None:
    """And what the policy says holds only if nobody would have found one."""
    done = explained(changed(btn_ref=None))
    assert done["token"]["source"] == "not_looked_up"
    assert "--config" in done["token"]["why"]
    effect = "there is no token: the order is told without, if session and user have none"
    assert {"setting": "policy.missing_token", "effect": effect} in done["policies"]


def test_what_a_refund_does_depends_on_its_order() -> None:
    """The ledger knows that, and another command shows it."""
    done = explained(encode_event(refund("order/1")))
    assert (done["outcome"], done["refusal"]["reason"]) == ("depends", "needs_the_order")
    assert "button-connector orders show" in done["refusal"]["message"]
    assert "GET /v1/order/order%2F1" in done["refusal"]["message"]


def test_without_a_ledger_a_refund_is_a_cancellation_of_its_order() -> None:
    """There is no body."""
    done = explained(encode_event(refund("order/1")), BUTTON_CONNECTOR__LEDGER__ENABLED="false")
    assert done["request"] == {"method": "DELETE", "path": "/v1/order/order%2F1", "body": None}
    assert done["token"] is None


@pytest.mark.parametrize(
    ("change", "reason", "setting"),
    [
        ({"environment": "development"}, "environment_development", "policy.skip_development"),
        ({"consent_state": {"ccpa_data_sale_opt_out": True}}, "consent_ccpa", "policy.ccpa_opt_out"),
        ({"consent_state": {"gdpr": {"advertising": {"consented": False}}}}, "consent_gdpr", "policy.gdpr"),
        ({"product_action": {"action": "add_to_cart"}}, "action_add_to_cart", "policy.purchase_actions"),
    ],
)
def test_what_is_skipped_names_the_policy(change: dict[str, Any], reason: str, setting: str) -> None:
    """By the name under which it is counted, and the setting that decides."""
    done = explained(changed(**change))
    assert (done["outcome"], done["refusal"]["reason"]) == ("skipped", reason)
    assert any(each["setting"] == setting and "skipped" in each["effect"] for each in done["policies"])


def test_a_field_that_no_schema_has_is_named_with_what_was_meant() -> None:
    """It would be lost on the way otherwise."""
    assert explained(changed(sesion_uuid="x"))["notes"] == [
        "sesion_uuid is not in the schema and was left out; did you mean session_uuid?",
    ]


def test_several_events_are_told_apart() -> None:
    """A list, lines of JSON, or one batch."""
    both = [json.loads(changed()), json.loads(changed(currency_code="XXX"))]
    for given in (json.dumps(both), "\n".join(map(json.dumps, both))):
        done = call("explain", "--json", "-", given=given.encode())
        assert [record["events"][0]["outcome"] for record in json.loads(done.stdout)] == ["sent", "dead_letter"]
    batch = call("explain", "--json", "-", given=json.dumps({"events": both}).encode())
    (record,) = json.loads(batch.stdout)
    assert [event["outcome"] for event in record["events"]] == ["sent", "dead_letter"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "error: the input is empty. Give one of them, or name the writer's schema by --schema.\n"),
        (b'{"a": ', "error: this is not JSON: Expecting value at line 1, column 7. Correct it.\n"),
        (b'{"currency_code": "USD"}', "error: occurred_at is required and not there. Add it.\n"),
        (
            changed(product_action={"total_amount": "12,34"}),
            "error: product_action.total_amount is text that is no number. Write an amount such as 12.34.\n",
        ),
        (
            changed(occurred_at="yesterday"),
            f"error: occurred_at is text, a time is needed. {TIME_REMEDY}\n",
        ),
        (changed(product_action=[]), "error: product_action is a list, an object is needed. Correct it.\n"),
    ],
    ids=["nothing", "cut", "field-missing", "comma", "time", "list"],
)
def test_what_is_no_event_is_one_line_and_1(given: bytes, said: str) -> None:
    """With the field's name, and never with its value."""
    done = call("explain", "-", given=given)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give either a file (or - for standard input), or --topic with --offset."),
        (("x.json", "--topic", "t", "--offset", "1"), "Give either a file"),
        (("--topic", "t"), "--topic and --offset belong together."),
        (("--topic", "t", "--offset", "1"), "--topic needs --config FILE, which names the cluster."),
        (("absent.json",), "absent.json cannot be read (No such file or directory). Check the path."),
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(arguments: tuple[str, ...], said: str) -> None:
    """What belongs together is said."""
    done = call("explain", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1


def test_an_event_cannot_steer_the_terminal() -> None:
    """Nor be markup."""
    done = call("explain", "-", given=changed(environment="\x1b[31m[bold]x"))
    assert "\x1b" not in done.stdout
    assert "?[31m[bold]x" in done.stdout
