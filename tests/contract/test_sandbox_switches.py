# SPDX-License-Identifier: Apache-2.0
"""Every value of every switch of the sandbox, over real HTTP.

What each must do is written down here from the list of what Button leaves open, not taken from the sandbox.
"""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from connector.sandbox.switches import Switches, catalogue, changed
from tests.support.polling import eventually
from tests.support.sandbox_api import LINES, Api, calling, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLAYED: set[tuple[str, str]] = set()


def plays(name: str, expected: dict[str, object], **others: object) -> pytest.MarkDecorator:
    """Run a test once per value of a switch, with what is expected of it, and remember that it was played."""
    PLAYED.update((name, value) for value in expected)
    cases = [({name: value, **others}, wanted) for value, wanted in expected.items()]
    return pytest.mark.parametrize(("api", "expected"), cases, indirect=["api"], ids=list(expected))


@pytest.fixture
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """Give a sandbox with the switches of the case."""
    async with calling(changed(Switches(), getattr(request, "param", {}))) as api:
        yield api


def held(api: Api, order_id: str = "order-1") -> dict[str, object]:
    """Return the fields of an order as they are held."""
    return api.sandbox.orders[order_id].fields


def test_every_value_of_every_switch_is_played() -> None:
    """No switch has a value that no test of this module has set."""
    wanted = {(name, value) for name, row in catalogue().items() for value in row.choices}
    assert wanted - PLAYED == set()


async def test_defaults_are_what_the_evidence_favours(api: Api) -> None:
    """Without a switch an order lives the life that Button's documentation and clients describe."""
    assert (await api.create()).status_code == 200
    assert (await api.create(total=1)).status_code == 409
    assert (await api.get()).json()["object"]["total"] == 7000
    assert (await api.update(total=6000)).json()["object"]["line_items"] == LINES
    cancelled = await api.cancel()
    assert (cancelled.status_code, cancelled.json()) == (200, {"meta": {"status": "ok"}, "object": None})
    answers = [await api.cancel(), await api.get(), await api.update(total=1), await api.create()]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 409]
    assert (await api.update("unknown", total=1)).status_code == 404
    assert (await api.cancel("unknown")).status_code == 404


async def test_an_order_is_found_by_buttons_own_id_too(api: Api) -> None:
    """The id in a path is the merchant's, or the one that Button gave."""
    own_id = (await api.create()).json()["object"]["button_order_id"]
    assert own_id.startswith("btnorder-")
    assert (await api.get(own_id)).json()["object"]["order_id"] == "order-1"
    assert (await api.update(own_id, total=5)).status_code == 200
    assert held(api)["total"] == 5


async def test_orders_are_listed_by_token(api: Api) -> None:
    """One token may stand for several orders; the answer is a list, and may be empty."""
    await api.create("order-1")
    await api.create("order-2")
    await api.create("order-3", btn_ref="srctok-other")
    found = (await api.client.get("/v1/order/btn-ref/fakesrctok-0123456789abcdef")).json()["objects"]
    assert [order["order_id"] for order in found] == ["order-1", "order-2"]
    assert (await api.client.get("/v1/order/btn-ref/nobody")).json()["objects"] == []


@plays("create_of_known_id", {"409": (409, 7000), "200_echo": (200, 7000), "200_upsert": (200, 1)})
async def test_create_of_a_known_id(api: Api, expected: tuple[int, int]) -> None:
    """A second create is refused, answered with what is held, or replaces it."""
    await api.create()
    answer = await api.create(total=1)
    assert (answer.status_code, held(api)["total"]) == expected
    if answer.status_code == 200:
        assert answer.json()["object"]["total"] == expected[1]


@plays("create_of_cancelled_id", {"409": (409, True), "200_new": (200, False)})
async def test_create_of_a_cancelled_id(api: Api, expected: tuple[int, bool]) -> None:
    """A cancelled order stays cancelled, or a new one takes its place."""
    await api.create()
    await api.cancel()
    answer = await api.create()
    assert (answer.status_code, api.sandbox.orders["order-1"].cancelled) == expected


@plays(
    "create_answers",
    {
        "200": [(200, True, True), (400, False, False)],
        "202_validated_later": [(202, False, True), (202, False, False)],
        "202_dropped_later": [(202, False, False), (400, False, False)],
    },
)
async def test_create_answers(api: Api, expected: list[tuple[int, bool, bool]]) -> None:
    """202 never names Button's id; a good order stays or vanishes, a bad one is never held."""
    seen = []
    for order_id, total in (("good", 7000), ("bad", -1)):
        answer = await api.create(order_id, total=total)
        names_it = bool((answer.json().get("object") or {}).get("button_order_id"))
        seen.append((answer.status_code, names_it, order_id in api.sandbox.orders))
    assert seen == expected


@pytest.mark.parametrize(
    "api",
    [{"create_answers": "202_dropped_later", "vanish_after_ms": 60}],
    indirect=True,
    ids=["vanish_after_ms"],
)
async def test_a_dropped_order_vanishes_after_its_time(api: Api) -> None:
    """An order that was answered 202 can be read back at first, and not for ever."""
    await api.create()
    assert (await api.get()).status_code == 200
    await eventually(lambda: not api.sandbox.orders)
    assert (await api.get()).status_code == 404


@plays("update_of_unknown_id", {"404": 404, "400": 400})
async def test_update_of_an_unknown_id(api: Api, expected: int) -> None:
    """An update never makes an order."""
    assert (await api.update(total=1)).status_code == expected
    assert api.sandbox.orders == {}


@plays("update_of_cancelled_id", {"404": 404, "409": 409, "410": 410})
async def test_update_of_a_cancelled_id(api: Api, expected: int) -> None:
    """An update does not bring an order back."""
    await api.create()
    await api.cancel()
    assert (await api.update(total=1)).status_code == expected
    assert held(api)["total"] == 7000


@plays("update_missing_fields", {"merge": (LINES, True, "USD"), "replace": ([], False, "USD")})
async def test_update_with_missing_fields(api: Api, expected: tuple[object, bool, str]) -> None:
    """What an update leaves out is kept, or lost."""
    await api.create()
    answer = (await api.update(total=6000)).json()["object"]
    assert answer["total"] == 6000
    assert (answer["line_items"], answer["btn_ref"] is not None, answer["currency"]) == expected


@plays("after_finalization", {"403": 403, "409": 409, "422": 422}, finalization_seconds=0.001)
async def test_update_and_cancel_of_a_final_order(api: Api, expected: int) -> None:
    """After its window an order can no longer be changed."""
    await api.create()
    await eventually(lambda: _is_refused(api, expected))
    assert (await api.cancel()).status_code == expected
    assert not api.sandbox.orders["order-1"].cancelled


async def _is_refused(api: Api, status: int) -> bool:
    return (await api.update(total=6000)).status_code == status


@plays("cancel_of_unknown_id", {"404": 404, "400": 400})
async def test_cancel_of_an_unknown_id(api: Api, expected: int) -> None:
    """There is nothing to take back."""
    assert (await api.cancel()).status_code == expected


@plays("second_cancel", {"404": 404, "200": 200, "409": 409, "410": 410})
async def test_a_second_cancel(api: Api, expected: int) -> None:
    """A second cancel changes nothing, whatever is said of it."""
    await api.create()
    await api.cancel()
    assert (await api.cancel()).status_code == expected
    assert [record.applied for record in api.sandbox.requests] == [True, True, False]


@plays("cancel_answers", {"200_null": (200, None), "200_object": (200, "cancelled"), "204": (204, b"")})
async def test_cancel_answers(api: Api, expected: tuple[int, object]) -> None:
    """A cancel is told by a null, by the order, or by nothing at all; the connection serves on."""
    await api.create()
    answer = await api.cancel()
    body = answer.json() if answer.content else {"object": answer.content}
    shown = body["object"]["status"] if isinstance(body["object"], dict) else body["object"]
    assert (answer.status_code, shown) == expected
    assert (await api.get()).status_code == 404


@plays("get_of_cancelled", {"404": (404, None), "200_cancelled": (200, "cancelled")})
async def test_get_of_a_cancelled_order(api: Api, expected: tuple[int, object]) -> None:
    """A cancelled order is gone, or shown as cancelled."""
    await api.create()
    await api.cancel()
    answer = await api.get()
    assert (answer.status_code, answer.json().get("object", {}).get("status")) == expected


@plays("get_includes_lines", {"yes": LINES, "no": []})
async def test_get_includes_lines(api: Api, expected: list[object]) -> None:
    """An order is read back with its lines or without; it is held with them."""
    await api.create()
    assert (await api.get()).json()["object"]["line_items"] == expected
    assert held(api)["line_items"] == LINES


@plays("get_shows", {"all": 7000, "id": None})
async def test_get_shows(api: Api, expected: int | None) -> None:
    """An order is read back whole, or only the id that it was given is."""
    await api.create()
    shown = (await api.get()).json()["object"]
    assert shown["button_order_id"].startswith("btnorder-")
    assert shown.get("total") == expected


@pytest.mark.parametrize("api", [{"visible_after_ms": 80}], indirect=True, ids=["visible_after_ms"])
async def test_an_order_is_visible_after_its_time(api: Api) -> None:
    """For a while an order exists for a create, and not yet for a get."""
    await api.create()
    assert (await api.get()).status_code == 404
    assert (await api.client.get("/v1/order/btn-ref/fakesrctok-0123456789abcdef")).json()["objects"] == []
    assert (await api.create()).status_code == 409
    await eventually(lambda: _is_visible(api))


async def _is_visible(api: Api) -> bool:
    return (await api.get()).status_code == 200


LINE = {"identifier": "sku-1", "quantity": 1}


SILENT_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("negative_line_total", {"total": 0, "line_items": [{**LINE, "total": -1}]}, "line_items[0].total"),
    ("zero_line_total", {"total": 0, "line_items": [{**LINE, "total": 0}]}, "line_items[0].total"),
    ("line_sum_mismatch", {"total": 1}, "line_items"),
    ("absent_customer", {"customer": ...}, "customer"),
    ("absent_line_items", {"line_items": ...}, "line_items"),
    ("other_order_channel", {"partner_order_channel": "web"}, "partner_order_channel"),
    ("bad_order_id", {"order_id": "best\u00e4tigt"}, "order_id"),
    ("bad_order_id", {"order_id": "x" * 256}, "order_id"),
]
PLAYED.update((name, value) for name, _, _ in SILENT_FIELDS for value in ("accept", "400"))


@pytest.mark.parametrize(("name", "body", "field"), SILENT_FIELDS)
async def test_fields_that_button_may_or_may_not_take(name: str, body: dict[str, Any], field: str) -> None:
    """Where Button is silent a field is taken, or refused with 400 and its name."""
    for value, status in (("accept", 200), ("400", 400)):
        async with calling(changed(Switches(), {name: value})) as api:
            order_id = body.get("order_id", "order-1")
            answer = await api.create(order_id, **{key: what for key, what in body.items() if key != "order_id"})
            assert answer.status_code == status
            assert (order_id in api.sandbox.orders) is (status == 200)
            if status == 400:
                assert message(answer).startswith(field + ":")


@plays("path_slash", {"decode": 200, "404": 404})
async def test_an_encoded_slash_in_a_path(api: Api, expected: int) -> None:
    """An id with a slash is decoded, or leads nowhere; other encoded characters are always decoded."""
    await api.create("a/b")
    await api.create("a b?c#d%")
    assert (await api.get("a/b")).status_code == expected
    assert (await api.get("a b?c#d%")).status_code == 200
    assert (await api.client.get("/v1/order/a/b")).status_code == 404


@plays("first_purchase_flag", {"is_new": {"is_new"}, "is_new_user": {"is_new_user"}, "both": {"is_new", "is_new_user"}})
async def test_the_name_of_the_first_purchase_flag(api: Api, expected: set[str]) -> None:
    """A flag of another name is ignored, and a known one must be a boolean."""
    await api.create()
    customer = held(api)["customer"]
    assert isinstance(customer, dict)
    assert customer.keys() - {"id"} == expected
    answer = await api.create("order-2", customer=dict.fromkeys(expected, "yes"))
    assert answer.status_code == 400
    assert message(answer).startswith("customer.is_new")


@plays(
    "error_body",
    {
        "message": b'{"meta":{"status":"error"},"error":{"message":"Order not found: order-1"}}',
        "typed": (
            b'{"meta":{"status":"error"},"error":{"message":"Order not found: order-1",'
            b'"type":"OrderNotFound","details":{"order_id":"order-1"}}}'
        ),
        "string": b'{"meta":{"status":"error"},"error":"Order not found: order-1"}',
        "empty": b"",
        "html": b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>",
        "malformed": b'{"meta":{"status":"error"},"error":{"message":"Order not found: orde',
    },
)
async def test_the_shape_of_an_error(api: Api, expected: bytes) -> None:
    """An error has the shape that was asked for, and its status in any case; the connection serves on."""
    answer = await api.get()
    assert (answer.status_code, answer.content[: len(expected)]) == (404, expected)
    assert answer.headers["content-type"] == ("text/html" if expected.startswith(b"<") else "application/json")
    assert (await api.create()).status_code == 200


@plays("availability", {"up": 200, "503": 503, "refused": None})
async def test_availability(api: Api, expected: int | None) -> None:
    """The API answers, fails every call, or is not there; the control port is there always."""
    if expected is None:
        with pytest.raises(httpx2.ConnectError):
            await api.create()
    else:
        assert (await api.create()).status_code == expected
    control = await api.client.post(f"{api.sandbox.control_url}/_sandbox/switches", json={"availability": "up"})
    assert control.status_code == 200
    await eventually(lambda: _is_up(api))


async def _is_up(api: Api) -> bool:
    try:
        return (await api.get("unknown")).status_code == 404
    except httpx2.TransportError:
        return False


async def test_an_outage_refuses_connections_that_were_open(api: Api) -> None:
    """Going down cuts the callers that are there, and coming back serves the same port with the same orders."""
    await api.create()
    api.sandbox.set(availability="refused")
    await eventually(lambda: _is_refusing(api))
    api.sandbox.set(availability="up")
    await eventually(lambda: _is_up(api))
    assert (await api.get()).status_code == 200


async def _is_refusing(api: Api) -> bool:
    try:
        await api.get()
    except httpx2.ConnectError:
        return True
    except httpx2.TransportError:
        return False
    return False


async def test_switching_up_and_down_ends_as_it_was_said_last(api: Api) -> None:
    """Changes of availability that follow at once, or while the last is under way, are not lost."""
    for turns in range(5):
        for availability in ("refused", "up", "refused"):
            api.sandbox.set(availability=availability)
        await eventually(lambda: _is_refusing(api))
        api.sandbox.set(availability="up")
        for _ in range(turns):
            await asyncio.sleep(0)
        api.sandbox.set(availability="refused")
        await eventually(lambda: _is_refusing(api))
        api.sandbox.set(availability="up")
        await eventually(lambda: _is_up(api))


@plays(
    "rate_limit_headers",
    {
        "retry_after_seconds": {"retry-after"},
        "retry_after_date": {"retry-after"},
        "button": {"x-button-limit-remaining", "x-button-limit-reset-seconds"},
        "none": set(),
    },
    rate_limit_per_second=2,
)
async def test_the_rate_limit(api: Api, expected: set[str]) -> None:
    """Beyond n calls in a second the answer is 429, says when to come back as asked, and nothing is taken."""
    answer = await eventually(lambda: _limited(api))
    assert answer is not None
    names = {"retry-after", "x-button-limit-remaining", "x-button-limit-reset-seconds"} & set(answer.headers)
    assert names == expected
    wait = answer.headers.get("retry-after") or answer.headers.get("x-button-limit-reset-seconds")
    if wait and not wait.isdecimal():
        assert 0 < parsedate_to_datetime(wait).timestamp() - time.time() < 4
    elif wait:
        assert wait == "1"
    taken = sum(record.status == 200 for record in api.sandbox.requests)
    assert len(api.sandbox.orders) == taken
    await eventually(lambda: _passes(api), awaiting="the next second")


async def _limited(api: Api) -> httpx2.Response | None:
    answers = await asyncio.gather(*(api.create(f"order-{number}") for number in range(3)))
    return next((answer for answer in answers if answer.status_code == 429), None)


async def _passes(api: Api) -> bool:
    return (await api.get("unknown")).status_code == 404


@pytest.mark.parametrize("key", ["", "sk-wrong", "sk-sandbox:password"])
async def test_another_key_is_answered_401(api: Api, key: str) -> None:
    """Only the one key is valid, with an empty password; the order is not taken."""
    name, _, password = key.partition(":")
    answer = await api.client.get("/v1/order/order-1", auth=(name, password))
    assert (answer.status_code, message(answer)) == (401, "Invalid api_key")


async def test_no_key_or_another_scheme_is_answered_401(api: Api) -> None:
    """A call without Basic credentials is refused, readable or not."""
    async with httpx2.AsyncClient(base_url=api.sandbox.url) as client:
        for credentials in (None, b"Bearer x", b"Basic \xff", b"Basic", b"Basic c2stc2FuZGJveA=="):
            headers = {} if credentials is None else {b"Authorization": credentials}
            answer = await client.get("/v1/order/x", headers=headers)
            assert answer.status_code == 401


@pytest.mark.parametrize(
    "api",
    [{"next_api_key": "sk-next", "rotate_key_after_seconds": 0.05}],
    indirect=True,
    ids=["rotation"],
)
async def test_a_rotation_makes_the_old_key_invalid(api: Api) -> None:
    """From its moment on only the next key is valid."""
    assert (await api.create()).status_code == 200
    await eventually(lambda: _is_unauthorized(api))
    assert (await api.client.get("/v1/order/order-1", auth=("sk-next", ""))).status_code == 200


async def _is_unauthorized(api: Api) -> bool:
    return (await api.get()).status_code == 401


@pytest.mark.parametrize(
    ("api", "statuses"),
    [
        ({"forbidden_order_ids": "order-1"}, [403, 200, 403]),
        ({"forbidden_order_ids": "order-*"}, [403, 403, 403]),
        ({"forbidden_order_ids": "*"}, [403, 403, 403]),
    ],
    indirect=["api"],
)
async def test_forbidden_orders(api: Api, statuses: list[int]) -> None:
    """403 meets one order, some, or every call."""
    answers = [await api.create("order-1"), await api.create("order-2"), await api.cancel("order-1")]
    assert [answer.status_code for answer in answers] == statuses


@plays("delay_mode", {"fixed": (1.0, 1.0), "jitter": (0.5, 1.5), "load": (1.0, 4.0)}, delay_share=1, delay_ms=40)
async def test_the_mode_of_a_delay(api: Api, expected: tuple[float, float]) -> None:
    """A delay is fixed, or spread around its value, or grows with the calls that are open."""
    started = time.monotonic()
    await asyncio.gather(*(api.create(f"order-{number}") for number in range(4)))
    delays = [record.delay_ms / 40 for record in api.sandbox.requests]
    assert expected[0] <= min(delays) <= max(delays) <= expected[1]
    assert (len(set(delays)) > 1) is (expected != (1.0, 1.0))
    assert time.monotonic() - started >= max(delays) * 0.04


@plays("delay_when", {"answer": True, "before": False}, delay_share=1, delay_ms=100)
async def test_when_a_delayed_order_is_taken(api: Api, expected: bool) -> None:  # noqa: FBT001  a parameter of the case
    """The order is taken at once and its answer is late, or it is taken late, even when the caller has gone."""
    call = asyncio.create_task(api.create())
    await eventually(lambda: api.sandbox.requests, interval_seconds=0.001)
    assert bool(api.sandbox.orders) is expected
    call.cancel()
    await eventually(lambda: api.sandbox.requests[0].outcome == "client_gone")
    await eventually(lambda: "order-1" in api.sandbox.orders)
    assert api.sandbox.requests[0].applied
