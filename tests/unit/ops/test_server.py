# SPDX-License-Identifier: Apache-2.0
"""The endpoints, over a real socket."""

from __future__ import annotations

import signal
import socket

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from connector.ops import table
from connector.ops.health import Health, younger_than
from connector.ops.instruments import Instruments
from connector.ops.metrics import Metrics
from connector.ops.server import OpsServer, PortUnavailableError

HOST = "127.0.0.1"


async def get(server: OpsServer, path: str, accept: str = "*/*") -> httpx2.Response:
    """Ask the server."""
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{server.port}", trust_env=False) as client:
        return await client.get(path, headers={"accept": accept})


async def test_livez_turns_red_when_the_heartbeat_is_old() -> None:
    """And names what is wrong, for whoever looks into why it was restarted."""
    seconds = [0.0]
    health = Health()
    health.live_when("poll", younger_than(60, lambda: seconds[0]))
    async with OpsServer(HOST, 0, health, CollectorRegistry()) as server:
        green = await get(server, "/livez")
        seconds[0] = 61.0
        red = await get(server, "/livez")
    assert (green.status_code, green.json()) == (200, {"ok": True, "reasons": {}})
    assert red.status_code == 503
    assert red.json() == {"ok": False, "reasons": {"poll": "last sign of life 61.0 s ago, allowed are 60 s"}}


async def test_each_probe_has_its_own_verdict() -> None:
    """Alive, not started, hence not ready."""
    health = Health()
    health.started_when("tables", lambda: "reading sessions")
    async with OpsServer(HOST, 0, health, CollectorRegistry()) as server:
        answers = {path: (await get(server, path)).status_code for path in ("/livez", "/readyz", "/startupz", "/x")}
    assert answers == {"/livez": 200, "/readyz": 503, "/startupz": 503, "/x": 404}


async def test_readyz_tells_what_decides_nothing() -> None:
    """Who looks why nothing is sent finds it beside the verdict."""
    health = Health()
    health.tell("admission", lambda: "limited")
    async with OpsServer(HOST, 0, health, CollectorRegistry()) as server:
        ready, live = await get(server, "/readyz"), await get(server, "/livez")
    assert (ready.status_code, ready.json()) == (200, {"ok": True, "reasons": {}, "admission": "limited"})
    assert live.json() == {"ok": True, "reasons": {}}


async def test_metrics_are_readable_in_both_formats() -> None:
    """Prometheus' text for everybody, OpenMetrics for who asks for it."""
    metrics = Metrics(CollectorRegistry(), "1.2.3")
    Instruments(metrics).records_received.inc(7)
    metrics.track(table.LANES, lambda: 3)
    async with OpsServer(HOST, 0, Health(), metrics.registry) as server:
        plain = await get(server, "/metrics")
        modern = await get(server, "/metrics", "application/openmetrics-text;version=1.0.0")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    parsed = openmetrics_families(modern.text)  # type: ignore[no-untyped-call]  # the library has no types here
    for families in (text_string_to_metric_families(plain.text), parsed):
        samples = {sample.name: sample.value for family in families for sample in family.samples}
        assert samples["button_connector_records_received_total"] == 7
        assert samples["button_connector_lanes"] == 3


async def test_a_port_that_is_taken_is_named_with_its_setting() -> None:
    """The message says which setting to change."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortUnavailableError) as caught:
            await OpsServer(HOST, port, Health(), CollectorRegistry()).start()
    assert str(caught.value) == (
        f"ops.host and ops.port: cannot serve health and metrics on 127.0.0.1 port {port} (Address already in use). "
        "Stop what uses it, or set another ops.port (0 takes any free one)."
    )


async def test_signals_are_left_alone() -> None:
    """How the process stops is decided elsewhere."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    async with OpsServer(HOST, 0, Health(), CollectorRegistry()) as server:
        await get(server, "/livez")
        assert {number: signal.getsignal(number) for number in before} == before


async def test_the_port_is_free_again_after_the_stop() -> None:
    """Also when a client keeps its connection open, as Prometheus does."""
    server = OpsServer(HOST, 0, Health(), CollectorRegistry())
    await server.start()
    async with httpx2.AsyncClient(trust_env=False) as client:
        await client.get(f"http://{HOST}:{server.port}/livez")
        await server.stop()
    async with OpsServer(HOST, server.port, Health(), CollectorRegistry()) as heir:
        assert (await get(heir, "/livez")).status_code == 200


async def test_a_server_that_never_served_stops_at_once() -> None:
    """A start that fails halfway can be cleaned up without asking how far it came."""
    server = OpsServer(HOST, 0, Health(), CollectorRegistry())
    await server.stop()
    await server.start()
    await server.stop()
