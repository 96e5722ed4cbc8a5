# SPDX-License-Identifier: Apache-2.0
"""The proxy of the tests misbehaves as it is told to, and no otherwise."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.support.brokers_or_skips import or_skip
from tests.support.kafka_broker import unique_topic
from tests.support.polling import wait_until
from tests.support.tcp_proxy import Direction, TcpProxy, proxied_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

MUCH = bytes(range(256)) * 4_096


@contextmanager
def _echo() -> Iterator[tuple[str, int]]:
    """Serve what comes back as it came; a client that ends gets what is left and then the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(peer: socket.socket) -> None:
            with peer, suppress(OSError):
                while chunk := peer.recv(65_536):
                    peer.sendall(chunk)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def _proxied(seed: int = 0) -> Iterator[TcpProxy]:
    with _echo() as server, TcpProxy(server, seed=seed) as proxy:
        yield proxy


def _connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def _ask(client: socket.socket, sent: bytes = b"hello") -> bytes:
    client.sendall(sent)
    return client.recv(65_536)


def test_bytes_pass_unchanged_and_in_order() -> None:
    """A proxy that was told nothing changes nothing, with delays or without."""
    with _proxied() as proxy, _connect(proxy) as client:
        proxy.delay(0.01, 0.02)
        threading.Thread(target=client.sendall, args=(MUCH,), daemon=True).start()
        got = b""
        while len(got) < len(MUCH):
            got += client.recv(65_536)
    assert got == MUCH


def test_a_delay_is_one_of_its_direction() -> None:
    """Bytes come so much later in the direction that was named, and at once when it is healed."""
    with _proxied() as proxy, _connect(proxy) as client:
        proxy.delay(0.2, 0.0, Direction.ANSWERS)
        began = time.monotonic()
        assert _ask(client) == b"hello"
        assert time.monotonic() - began >= 0.2
        proxy.delay(30.0, 0.0, Direction.ANSWERS)
        proxy.heal()
        # The client waits for 5 s at most.
        assert _ask(client) == b"hello"


def test_a_stalled_direction_says_nothing_and_loses_nothing() -> None:
    """Connections and bytes are taken while stalled; what was held back comes once healed."""
    with _proxied() as proxy:
        proxy.stall(Direction.ANSWERS)
        with _connect(proxy) as client:
            client.sendall(b"hello")
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(1)
            proxy.heal()
            client.settimeout(5)
            assert client.recv(16) == b"hello"


def test_a_cut_is_a_reset_for_those_that_were_open() -> None:
    """An open connection is reset, a new one works."""
    with _proxied() as proxy, _connect(proxy) as client:
        assert _ask(client) == b"hello"
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            _ask(client)
        with _connect(proxy) as another:
            assert _ask(another) == b"hello"


def test_the_seed_chooses_which_connections_are_cut() -> None:
    """The same seed cuts the same of the connections in their order, another seed others."""

    def survivors(seed: int) -> list[int]:
        with _proxied(seed) as proxy:
            clients = [_connect(proxy) for _ in range(12)]
            for client in clients:
                assert _ask(client) == b"hello"
            proxy.cut(0.5)
            alive = [number for number, client in enumerate(clients) if _is_alive(client)]
            for client in clients:
                client.close()
            return alive

    assert survivors(1) == survivors(1) != survivors(2)


def _is_alive(client: socket.socket) -> bool:
    try:
        return _ask(client) == b"hello"
    except ConnectionError:
        return False


def test_a_half_closed_direction_ends_while_the_other_goes_on() -> None:
    """The client sees an end in good order; what it still sends is taken."""
    with _proxied() as proxy, _connect(proxy) as client:
        assert _ask(client) == b"hello"
        assert proxy.half_close(Direction.ANSWERS) == 1
        assert client.recv(1) == b""
        client.sendall(b"still here")
        assert proxy.connections == 1


def test_refused_connections_are_accepted_again_once_healed() -> None:
    """While it refuses, nobody connects and nobody is connected."""
    with _proxied() as proxy, _connect(proxy) as client:
        assert _ask(client) == b"hello"
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            _ask(client)
        with pytest.raises(ConnectionRefusedError):
            _connect(proxy).close()
        proxy.heal()
        with _connect(proxy) as another:
            assert _ask(another) == b"hello"


def test_the_clients_of_a_proxied_broker_stay_behind_the_proxy() -> None:
    """Whoever starts at the proxy is stopped by it, for the broker tells its address; others go past it."""
    with or_skip(proxied_broker()) as (broker, proxy):
        topic = broker.create_topic(unique_topic("proxied"))
        behind = Producer({"bootstrap.servers": proxy.address, "log_level": 0})
        behind.produce(topic, b"one")
        assert behind.flush(10) == 0
        proxy.stall()
        behind.produce(topic, b"two")
        assert behind.flush(1) == 1
        past = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        past.produce(topic, b"three")
        assert past.flush(10) == 0
        proxy.heal()
        assert behind.flush(20) == 0
        proxy.cut()
        behind.produce(topic, b"four")
        assert behind.flush(20) == 0
        wait_until(lambda: proxy.connections > 0, awaiting="connections")
