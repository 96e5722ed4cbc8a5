# SPDX-License-Identifier: Apache-2.0
"""The control endpoints, the page, and the Python interface beside them."""

from __future__ import annotations

import asyncio
import json
import threading
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import pytest

from connector.sandbox import Sandbox, SandboxOptions, SandboxThread, SwitchError, Switches
from tests.support.polling import eventually, wait_until
from tests.support.sandbox_api import KEY, Api, calling, message, order_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytest_plugins = ["connector.sandbox.pytest_plugin"]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """Give a sandbox and a caller."""
    async with calling() as api:
        yield api


async def test_orders_are_shown_whole_without_a_key(api: Api) -> None:
    """The control endpoints need no key and show what was reported, and how often it changed."""
    await api.create(customer_order_id="C-1")
    await api.update(total=6000)
    await api.cancel()
    async with httpx2.AsyncClient(base_url=api.sandbox.url) as anybody:
        shown = (await anybody.get("/_sandbox/orders")).json()["orders"]
    assert shown["order-1"]["fields"] == {
        **order_body(),
        "total": 6000,
        "customer_order_id": "C-1",
        "customer": {"id": "customer-1", "is_new": True},
    }
    assert (shown["order-1"]["cancelled"], shown["order-1"]["status"], shown["order-1"]["changes"]) == (
        True,
        "cancelled",
        3,
    )


async def test_the_request_log_is_read_in_pages(api: Api) -> None:
    """``since`` and ``limit`` page through the log, oldest first, with nothing twice and nothing left out."""
    for number in range(5):
        await api.create(f"order-{number}")
    seen: list[str] = []
    since, more = 0, True
    while more:
        page = (await api.client.get(f"/_sandbox/requests?since={since}&limit=2")).json()
        seen += [request["order_id"] for request in page["requests"]]
        since, more = page["next_since"], page["more"]
    assert seen == [f"order-{number}" for number in range(5)]
    assert (await api.client.get("/_sandbox/requests?since=5")).json()["requests"] == []


async def test_a_request_is_logged_with_all_that_a_checker_needs(api: Api) -> None:
    """Body, status, fault, whether it changed anything, and the times."""
    api.sandbox.add_fault("order-1", "drop_after")
    with pytest.raises(httpx2.RemoteProtocolError):
        await api.create()
    [request] = (await api.client.get("/_sandbox/requests")).json()["requests"]
    assert request["body"] == order_body()
    expected = {
        "sequence": 1,
        "connection": 1,
        "method": "POST",
        "path": "/v1/order",
        "operation": "create",
        "order_id": "order-1",
        "attempt": 1,
        "fault": "drop_after",
        "status": "dropped",
        "outcome": "dropped",
        "result": 200,
        "applied": True,
    }
    assert expected.items() <= request.items()
    assert request["started_ms"] <= request["taken_ms"] <= request["finished_ms"]
    assert request["at_ms"] > 1_700_000_000_000
    assert request["host"] == urlsplit(api.sandbox.url).netloc


async def test_no_key_is_shown_or_logged(api: Api) -> None:
    """Neither the valid key nor one that was tried appears anywhere."""
    await api.client.get("/v1/order/x", auth=("sk-tried", ""))
    api.sandbox.set(api_key="sk-secret", next_api_key="sk-next")
    for path in ("/", "/_sandbox/requests", "/_sandbox/switches", "/_sandbox/stats", "/_sandbox/orders"):
        text = (await api.client.get(path)).text
        assert not [key for key in ("sk-tried", "sk-secret", "sk-next", KEY) if key in text]
    assert (await api.client.get("/_sandbox/switches")).json()["switches"]["api_key"] == "***"


async def test_the_log_is_bounded_and_the_counts_are_not() -> None:
    """The oldest requests are dropped, and how many were lost is said; counts stay right."""
    async with calling(log_limit=3) as api:
        for number in range(10):
            await api.create(f"order-{number}")
        page = (await api.client.get("/_sandbox/requests?since=2")).json()
        assert [request["sequence"] for request in page["requests"]] == [8, 9, 10]
        assert page["lost"] == 5
        requests = (await api.client.get("/_sandbox/stats")).json()["requests"]
        assert (requests["total"], requests["by_status"]) == (10, {"200": 10})


async def test_stats_count_by_operation_status_and_fault(api: Api) -> None:
    """The counts say what was called, what was answered, and what was played."""
    api.sandbox.add_fault("order-2", "fail", times=1)
    await asyncio.gather(api.create("order-1"), api.create("order-2"))
    await api.cancel("order-1")
    stats = (await api.client.get("/_sandbox/stats")).json()
    assert stats["orders"] == {"total": 1, "open": 0, "cancelled": 1}
    assert stats["requests"]["by_operation"] == {"create": 2, "cancel": 1}
    assert stats["requests"]["by_status"] == {"200": 2, "503": 1}
    assert stats["requests"]["by_fault"] == {"fail": 1}
    assert stats["requests"]["open"] == 0
    assert stats["fault_rules"][0]["order_id"] == "order-2"


async def test_switches_are_changed_together_or_not_at_all(api: Api) -> None:
    """A name or a value that does not exist is refused with its name, and nothing changes."""
    for wrong, named in (
        ({"second_cancel": "200", "nope": 1}, "nope"),
        ({"second_cancel": "200", "error_body": "xml"}, "error_body=xml: takes one of message,"),
        ({"second_cancel": "200", "fail_share": 2}, "fail_share=2: takes a number, 0 to 1"),
        ({"second_cancel": "200", "delay_ms": 1.5}, "delay_ms=1.5: takes a whole number, 0 or more"),
        ({"second_cancel": "200", "fail_share": "nan"}, "fail_share=nan: takes a number"),
    ):
        answer = await api.client.post("/_sandbox/switches", json=wrong)
        assert answer.status_code == 400
        assert named in message(answer)
    assert api.sandbox.switches == Switches()
    answer = await api.client.post("/_sandbox/switches", json={"second_cancel": 200, "delay_ms": "5"})
    assert answer.json()["switches"]["second_cancel"] == "200"
    assert (await api.client.get("/_sandbox/stats")).json()["active_switches"] == {
        "second_cancel": "200",
        "delay_ms": 5,
    }


async def test_faults_are_set_and_cleared_over_http(api: Api) -> None:
    """A fault by order id can be planned, seen and taken back from outside."""
    rule = {"order_id": "order-*", "fault": "fail", "operation": "create", "times": 1, "status": 500, "delay_ms": 1}
    assert (await api.client.post("/_sandbox/faults", json=rule)).json()["faults"] == [rule]
    assert [(await api.create()).status_code for _ in range(2)] == [500, 200]
    assert (await api.client.delete("/_sandbox/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({}, "order_id"),
        ({"order_id": "x"}, "fault"),
        ({"order_id": "x", "fault": "explode"}, "fault"),
        ({"order_id": "x", "fault": "fail", "operation": "delete"}, "operation"),
        ({"order_id": "x", "fault": "fail", "times": 0}, "times"),
        ({"order_id": "x", "fault": "fail", "status": 399}, "status"),
        ({"order_id": "x", "fault": "fail", "delay_ms": -1}, "delay_ms"),
        ({"order_id": "x", "fault": "fail", "colour": 1}, "colour"),
    ],
)
async def test_a_wrong_fault_is_refused_by_its_field(api: Api, wrong: dict[str, object], named: str) -> None:
    """400 names the field."""
    answer = await api.client.post("/_sandbox/faults", json=wrong)
    assert answer.status_code == 400
    assert message(answer).startswith(named + ":")


@pytest.mark.parametrize("content", [b"{", b"[]", b'"x"'])
async def test_a_control_body_must_be_an_object(api: Api, content: bytes) -> None:
    """What is not a JSON object changes nothing and is refused."""
    for path in ("/_sandbox/switches", "/_sandbox/faults"):
        assert (await api.client.post(path, content=content)).status_code == 400


async def test_forget_loses_one_order(api: Api) -> None:
    """An order is lost on purpose: the API does not know it any more, and the others stay."""
    await api.create("a/b")
    await api.create("order-2")
    assert (await api.client.post("/_sandbox/forget/a%2Fb")).json() == {"forgotten": "a/b"}
    assert list(api.sandbox.orders) == ["order-2"]
    assert (await api.get("a/b")).status_code == 404
    assert (await api.client.post("/_sandbox/forget/a%2Fb")).status_code == 404


async def test_reset_forgets_everything_but_the_switches(api: Api) -> None:
    """Orders, log, counts, attempts and faults by order id are gone; a call that is open does not upset the counts."""
    api.sandbox.set(second_cancel="410")
    api.sandbox.add_fault("*", "no_answer")
    call = asyncio.create_task(api.create())
    await eventually(lambda: api.sandbox.requests)
    assert (await api.client.post("/_sandbox/reset")).json() == {"reset": True}
    call.cancel()
    assert (await api.create()).status_code == 200
    stats = (await api.client.get("/_sandbox/stats")).json()
    assert (stats["requests"]["total"], stats["requests"]["open"], stats["orders"]["total"]) == (1, 0, 1)
    assert stats["active_switches"] == {"second_cancel": "410"}
    assert [record.attempt for record in api.sandbox.requests] == [1]


async def test_the_control_port_serves_no_orders(api: Api) -> None:
    """Behind the control port there is only the page and the endpoints."""
    async with httpx2.AsyncClient(base_url=api.sandbox.control_url, auth=(KEY, "")) as control:
        assert (await control.post("/v1/order", json=order_body())).status_code == 404
        assert (await control.get("/")).status_code == 200
        assert "/_sandbox/stats" in message(await control.get("/_sandbox/nothing"))
    assert api.sandbox.orders == {}


class _Page(HTMLParser):
    """What a test wants to know of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_page_shows_orders_lines_requests_and_switches(api: Api) -> None:
    """A person sees what is held and what came, escaped, without a customer, and nothing is loaded from elsewhere."""
    api.sandbox.set(second_cancel="410")
    api.sandbox.add_fault("order-9", "fail")
    await api.create("<b>order</b>", customer={"id": "customer-77"})
    await api.create("order-2", line_items=[{"identifier": f"sku-{n}", "total": n} for n in range(6)])
    await api.cancel("order-2")
    answer = await api.client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = _Page()
    page.feed(answer.text)
    for shown in ("<b>order</b>", "2 \N{MULTIPLICATION SIGN} sku-1: 4000", "7000 USD", "and 2 more", "cancelled"):
        assert shown in page.text
    for shown in ("second_cancel=410", "order_id=order-9, fault=fail", "POST create", "DELETE cancel", "open"):
        assert shown in page.text
    assert "customer-77" not in page.text
    assert "b" not in {tag for tag, _ in page.tags}
    loaded = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    assert loaded == ["data:,"]


async def test_the_page_can_be_read_by_a_screen_reader(api: Api) -> None:
    """Language, title, headings in order, and header cells with their scope."""
    await api.create()
    page = _Page()
    page.feed((await api.client.get("/")).text)
    tags = dict(page.tags)
    assert tags["html"]["lang"] == "en"
    assert {"title", "main", "header", "h1"} <= tags.keys()
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.tags if tag == "th")
    assert [tag for tag, _ in page.tags if tag in ("h1", "h2")] == ["h1", "h2", "h2", "h2"]


def test_the_thread_has_every_member_of_the_sandbox() -> None:
    """What can be done inside an event loop can be done without one."""
    own = {"start", "stop", "options", "add_rule", "request_count"}
    assert {name for name in vars(Sandbox) if not name.startswith("_")} - own == {
        name for name in vars(SandboxThread) if not name.startswith("_")
    }


def test_a_sandbox_in_a_thread_serves_code_without_a_loop(button_sandbox: SandboxThread) -> None:
    """The fixture gives a sandbox of its own, which can be asked and changed from the test's thread."""
    with httpx2.Client(base_url=button_sandbox.url, auth=(KEY, "")) as client:
        button_sandbox.add_fault("order-1", "fail", times=1)
        statuses = [client.post("/v1/order", json=order_body()).status_code for _ in range(2)]
        button_sandbox.clear_faults()
        button_sandbox.set(second_cancel="200")
        statuses += [client.delete("/v1/order/order-1").status_code for _ in range(2)]
    assert statuses == [503, 200, 200, 200]
    assert button_sandbox.orders["order-1"].cancelled
    assert [record.sequence for record in button_sandbox.requests_since(2)] == [3, 4]
    assert len(button_sandbox.requests) == 4
    assert button_sandbox.switches.second_cancel == "200"
    assert json.dumps(button_sandbox.stats)
    assert button_sandbox.forget("order-1")
    button_sandbox.reset()
    assert button_sandbox.requests == []
    with pytest.raises(SwitchError, match="There is no switch 'nope'"):
        button_sandbox.set(nope=1)
    assert button_sandbox.control_url.startswith("http://127.0.0.1:")


def test_an_outage_is_played_by_a_thread_too(button_sandbox: SandboxThread) -> None:
    """Down and up again on the same port, over and over, on the loop that threads and processes run."""
    with httpx2.Client(base_url=button_sandbox.url, auth=(KEY, ""), verify=False) as client:

        def status() -> object:
            try:
                return client.get("/v1/order/unknown").status_code
            except httpx2.TransportError as error:
                return type(error)

        for _ in range(3):
            button_sandbox.set(availability="refused")
            wait_until(lambda: status() is httpx2.ConnectError)
            button_sandbox.set(availability="up")
            wait_until(lambda: status() == 404)


def test_a_thread_whose_port_is_taken_says_so_and_ends(button_sandbox: SandboxThread) -> None:
    """A second sandbox on the same port raises and leaves nothing behind."""
    port = int(button_sandbox.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"), SandboxThread(SandboxOptions(port=port)):
        pass
    assert [thread.name for thread in threading.enumerate()].count("button-sandbox") == 1
