# SPDX-License-Identifier: Apache-2.0
"""What is set for the way to Button reaches the transport, whichever it is: tried on real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector import preflight, wiring
from connector.button.asyncio_transport import AsyncioTransport
from connector.button.httpx2_transport import Httpx2Transport
from connector.button.pyreqwest_transport import PyreqwestTransport
from connector.button.transport import HttpAnswer
from connector.settings import Settings
from tests.support import http_peers as peers
from tests.support.certificates import new_authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.certificates import Authority

EACH = pytest.mark.parametrize("transport", ["auto", "pyreqwest", "httpx2"])
PASSWORD = "hunter2-hunter2"  # noqa: S105  a marked value that must never come out


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give a private authority."""
    return new_authority(tmp_path)


def settings(**button: object) -> Settings:
    """Return settings with these of Button."""
    return Settings.model_validate({"kafka": {"bootstrap_servers": "a:1"}, "button": {"api_key": "sk-x", **button}})


@EACH
async def test_a_private_authority_our_certificate_and_a_proxy_are_used(authority: Authority, transport: str) -> None:
    """All of them at once, as in a company's network."""
    tls = authority.server_context(demands_client=True)
    async with peers.listening(peers.answers(201), tls=tls) as button, peers.listening(peers.tunnels) as proxy:
        given = settings(
            base_url=button.url,
            transport=transport,
            ca_file=authority.ca_file,
            client_cert_file=authority.client_cert_file,
            proxy=proxy.url.replace("://", f"://somebody:{PASSWORD}@"),
        )
        assert PASSWORD not in repr(given) + str(given.describe())
        assert PASSWORD in "".join(wiring.secrets(given, wiring.connection(given.kafka)))
        way = wiring.open_transport(given)
        try:
            answer = await way.send("POST", "/v1/order", {}, b"{}")
        finally:
            await way.close()
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 201
    assert [request.method for request in proxy.requests] == ["CONNECT"]
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
    assert isinstance(way, Httpx2Transport if transport == "httpx2" else PyreqwestTransport)


def test_calls_are_made_on_the_event_loop_unless_a_proxy_is_in_between() -> None:
    """What knows no proxies is not taken where there is one, and refused by name where it was asked for."""
    assert isinstance(wiring.open_transport(settings()), AsyncioTransport)
    assert isinstance(wiring.open_transport(settings(transport="asyncio")), AsyncioTransport)
    given = settings(transport="asyncio", proxy="http://proxy.example:3128")
    (problem,) = preflight.refused_settings(given, wiring.connection(given.kafka))
    assert problem.setting == "button.proxy"
    assert "Set button.transport to pyreqwest or httpx2" in problem.message


@EACH
async def test_a_connection_that_was_idle_for_long_is_not_used_again(transport: str) -> None:
    """With next to no patience every call has a connection of its own; with the default all share one."""
    for idle_timeout_seconds, connections in ((0.000_001, 3), (30, 1)):
        async with peers.listening(peers.answers(200)) as button:
            given = settings(base_url=button.url, transport=transport, idle_timeout_seconds=idle_timeout_seconds)
            way = wiring.open_transport(given)
            try:
                for _ in range(3):
                    assert isinstance(await way.send("GET", "/", {}, None), HttpAnswer)
            finally:
                await way.close()
            assert button.accepted == connections


@EACH
@pytest.mark.parametrize("option", ["ca_file", "client_cert_file"])
def test_a_file_that_is_no_certificate_is_refused_before_the_start(
    tmp_path: Path,
    transport: str,
    option: str,
) -> None:
    """The problem names the setting, the file and the remedy."""
    file = tmp_path / "bad.pem"
    file.write_text(PASSWORD)
    given = settings(transport=transport, **{option: file})
    (problem,) = preflight.refused_settings(given, wiring.connection(given.kafka))
    assert problem.setting == f"button.{option}"
    assert problem.message.startswith(f"{file}: ")
    assert "Give a readable PEM file that holds" in problem.message
    assert PASSWORD not in problem.message


def test_settings_that_nobody_refuses_are_no_problem() -> None:
    """The client is asked without being connected to anybody."""
    given = settings()
    assert preflight.refused_settings(given, wiring.connection(given.kafka)) == []
