# SPDX-License-Identifier: Apache-2.0
"""What every transport promises where TLS or a proxy stands between it and the API.

Owns the classification of failed handshakes and tunnels, and that certificate files and proxies do what they should.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.button.transport import HttpAnswer
from connector.domain.responses import NoAnswer, NotSent
from tests.support import http_peers as peers
from tests.support.certificates import Authority, new_authority
from tests.support.transports import BODY, HASTE, assert_is_plain, for_each_that_knows_proxies, for_each_transport, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.transports import Connect


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give a private authority."""
    return new_authority(tmp_path_factory.mktemp("authority"))


@for_each_transport
@pytest.mark.parametrize(
    "behaviour",
    [peers.never_reads, peers.closes_at_once, peers.resets_at_once, peers.speaks_garbage_at_once],
)
async def test_a_failed_handshake_is_not_sent(connect: Connect, behaviour: peers.Behaviour) -> None:
    """The peer does not speak TLS, or hangs up during the handshake."""
    async with peers.listening(behaviour) as peer, connect(peer.url.replace("http:", "https:"), **HASTE) as transport:
        exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert_is_plain(exchange)


@for_each_transport
async def test_an_unknown_authority_is_not_sent(connect: Connect, authority: Authority) -> None:
    """A certificate that nobody we trust has signed ends the handshake on our side."""
    async with peers.listening(peers.answers(), tls=authority.server_context()) as peer, connect(peer.url) as transport:
        exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert "cert" in exchange.message.lower()
    assert_is_plain(exchange)
    assert peer.requests == []


@for_each_transport
async def test_a_certificate_for_another_name_is_not_sent(connect: Connect, authority: Authority) -> None:
    """A trusted authority's certificate for somebody else ends the handshake, too."""
    tls = authority.server_context("elsewhere.example")
    async with (
        peers.listening(peers.answers(), tls=tls) as peer,
        connect(peer.url, ca_file=authority.ca_file) as transport,
    ):
        exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert_is_plain(exchange)
    assert peer.requests == []


@for_each_that_knows_proxies
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_refused_proxy_is_not_sent(connect: Connect, scheme: str) -> None:
    """Nobody listens where the proxy should be."""
    proxy = peers.refused_url().replace("://", "://somebody:hunter2@")
    async with connect(f"{scheme}://127.0.0.1:1", proxy=proxy) as transport:
        exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert_is_plain(exchange)


@for_each_that_knows_proxies
@pytest.mark.parametrize("status", [407, 502])
async def test_a_tunnel_that_the_proxy_refuses_is_not_sent(connect: Connect, status: int) -> None:
    """The proxy answers CONNECT with an error."""
    async with (
        peers.listening(peers.answers(status, b"")) as proxy,
        connect("https://127.0.0.1:1", proxy=proxy.url.replace("://", "://somebody:hunter2@")) as transport,
    ):
        exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert_is_plain(exchange)
    assert {request.method for request in proxy.requests} == {"CONNECT"}


@for_each_that_knows_proxies
async def test_a_tunnel_that_breaks_off_is_never_an_answer(connect: Connect) -> None:
    """The proxy hangs up on CONNECT: nothing was sent, but a library need not be able to tell."""
    async with (
        peers.listening(peers.closes_after_reading) as proxy,
        connect("https://127.0.0.1:1", proxy=proxy.url) as transport,
    ):
        exchange = await post(transport)
    assert isinstance(exchange, NotSent | NoAnswer)
    assert_is_plain(exchange)
    assert {request.method for request in proxy.requests} == {"CONNECT"}


@for_each_that_knows_proxies
async def test_a_proxy_that_hangs_up_on_a_plain_request_is_no_answer(connect: Connect) -> None:
    """Without TLS the proxy reads the request itself, and may have passed it on."""
    async with (
        peers.listening(peers.closes_after_reading) as proxy,
        connect("http://127.0.0.1:1", proxy=proxy.url) as transport,
    ):
        exchange = await post(transport)
    assert isinstance(exchange, NoAnswer)
    assert_is_plain(exchange)


@for_each_transport
async def test_a_private_authority_is_trusted_when_named(
    connect: Connect,
    authority: Authority,
    tmp_path: Path,
) -> None:
    """The CA file may hold several authorities; each of them counts."""
    bundle = tmp_path / "bundle.pem"
    other = tmp_path / "other"
    other.mkdir()
    bundle.write_bytes(new_authority(other).ca_file.read_bytes() + authority.ca_file.read_bytes())
    async with (
        peers.listening(peers.answers(), tls=authority.server_context()) as peer,
        connect(peer.url, ca_file=bundle) as transport,
    ):
        assert isinstance(await post(transport), HttpAnswer)


@for_each_transport
async def test_our_certificate_is_presented(connect: Connect, authority: Authority) -> None:
    """A peer that demands a client certificate is given ours."""
    tls = authority.server_context(demands_client=True)
    async with peers.listening(peers.answers(), tls=tls) as peer:
        files = {"ca_file": authority.ca_file, "client_cert_file": authority.client_cert_file}
        async with connect(peer.url, **files) as transport:
            assert isinstance(await post(transport), HttpAnswer)


@for_each_transport
async def test_a_missing_client_certificate_is_no_answer(connect: Connect, authority: Authority) -> None:
    """With TLS 1.3 the peer refuses us only after our first bytes are out, so we cannot say that nothing was read."""
    tls = authority.server_context(demands_client=True)
    async with (
        peers.listening(peers.answers(), tls=tls) as peer,
        connect(peer.url, ca_file=authority.ca_file) as transport,
    ):
        exchange = await post(transport)
    assert isinstance(exchange, NoAnswer)
    assert_is_plain(exchange)
    assert peer.requests == []


@for_each_transport
@pytest.mark.parametrize("option", ["ca_file", "client_cert_file"])
@pytest.mark.parametrize("content", [None, "", "not a certificate"])
async def test_a_bad_certificate_file_stops_the_start(
    connect: Connect,
    tmp_path: Path,
    option: str,
    content: str | None,
) -> None:
    """A file that is missing, empty or something else is named together with its option, and with what to do."""
    file = tmp_path / "bad.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=rf"{option} .*bad\.pem.*Give a readable PEM file"):
        async with connect("https://127.0.0.1:1", **{option: file}):
            pass


@for_each_that_knows_proxies
async def test_a_proxy_that_is_no_url_stops_the_start(connect: Connect) -> None:
    """The message names the option and never the value, which may hold a password."""
    with pytest.raises(ValueError, match="proxy is not a URL") as caught:
        async with connect("https://127.0.0.1:1", proxy="somebody:hunter2"):
            pass
    assert "hunter2" not in str(caught.value)


@for_each_that_knows_proxies
async def test_a_plain_request_goes_through_the_proxy(connect: Connect) -> None:
    """The proxy is asked for the full URL and passes the request on."""
    async with (
        peers.listening(peers.answers(201, b"{}")) as target,
        peers.listening(peers.tunnels) as proxy,
        connect(target.url, proxy=proxy.url.replace("://", "://somebody:hunter2@")) as transport,
    ):
        answer = await post(transport)
    assert isinstance(answer, HttpAnswer)
    assert answer.status == 201
    assert proxy.requests[0].target == target.url + "/v1/order"
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic c29tZWJvZHk6aHVudGVyMg=="
    assert target.requests[0].body == BODY


@for_each_that_knows_proxies
async def test_a_tls_request_goes_through_a_tunnel(connect: Connect, authority: Authority) -> None:
    """The proxy sees where to, and neither our key nor the order."""
    async with (
        peers.listening(peers.answers(), tls=authority.server_context()) as target,
        peers.listening(peers.tunnels) as proxy,
        connect(target.url, proxy=proxy.url, ca_file=authority.ca_file) as transport,
    ):
        assert isinstance(await post(transport), HttpAnswer)
    assert [(request.method, request.target) for request in proxy.requests] == [("CONNECT", f"127.0.0.1:{target.port}")]
    assert "authorization" not in proxy.requests[0].headers
    assert target.requests[0].body == BODY


@for_each_transport
async def test_proxies_of_the_environment_are_not_used(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where orders go is decided by the settings alone."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, peers.refused_url())
    async with peers.listening(peers.answers()) as peer, connect(peer.url) as transport:
        assert isinstance(await post(transport), HttpAnswer)
