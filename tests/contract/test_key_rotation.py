# SPDX-License-Identifier: Apache-2.0
"""A key that is rotated, end to end: engine, client, transport, key file and the sandbox, all real but the topic."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from connector.button.client import ButtonClient
from connector.engine.admission import State
from connector.engine.backoff import Backoff
from connector.engine.engine import EngineOptions
from connector.ops.logs import open_log
from connector.ops.metrics import Metrics
from connector.ops.observer import OpsObserver
from connector.sandbox import Sandbox
from connector.settings import ButtonSettings
from tests.simulation.bench import Bench
from tests.support.fakes import purchase
from tests.support.polling import eventually
from tests.support.transports import for_each_transport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from connector.engine.observations import Observation
    from tests.support.transports import Connect

pytestmark = [for_each_transport, pytest.mark.timeout(60)]

OLD, NEW = "sk-sandbox", "sk-next"
CONCURRENCY = 64
OPTIONS = EngineOptions(
    concurrency=CONCURRENCY,
    retry=Backoff(0.01, 0.05),
    probe=Backoff(0.02, 0.1),
    commit_interval_seconds=0.05,
)


def log_of(observations: Iterable[Observation]) -> list[dict[str, object]]:
    """Return the log lines that these observations make, from info on."""
    stream = io.StringIO()
    observer = OpsObserver(Metrics(CollectorRegistry(), ""), open_log(stream, "info", "json"))
    for each in observations:
        observer(each)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_rotated_key_is_waited_for_picked_up_from_its_file_and_said_once(
    connect: Connect,
    tmp_path: Path,
) -> None:
    """[25] [27] Halt, read the file, probe, resume: no order lost, none a dead letter, one line for all of them."""
    file = tmp_path / "api-key"
    file.write_text(OLD + "\n", encoding="utf-8")
    settings = ButtonSettings(api_key_file=file)
    bench = Bench(OPTIONS)
    async with asyncio.timeout(50), Sandbox() as sandbox, connect(sandbox.url) as transport:
        client = ButtonClient(transport, lambda: settings.read_api_key().get_secret_value())
        bench.button.send = client.send  # type: ignore[method-assign]  # the real one in place of the bench's
        async with bench.running():
            bench.source.assign(0)
            for number in range(50):
                bench.emit(0, purchase(f"before-{number}"))
            await bench.at_rest()
            sandbox.set(api_key=NEW)
            for number in range(300):
                bench.emit(0, purchase(f"after-{number}"))
            await eventually(lambda: bench.engine.admission.state is State.HALTED)
            halted_at = sandbox.request_count
            # As many probes as orders are in flight would be none: they go one at a time, and go on.
            await eventually(lambda: sandbox.request_count >= halted_at + CONCURRENCY + 5)
            assert bench.engine.admission.state is State.HALTED
            assert bench.committed(0) == 50
            file.write_text(NEW + "\n", encoding="utf-8")
            await bench.at_rest()
        assert len(sandbox.orders) == 350
        refused = [request for request in sandbox.requests if request.status == 401]
    assert bench.letters.letters == []
    lines = log_of(bench.seen.seen)
    assert [line["state"] for line in lines if line["event"] == "admission changed"] == ["halted", "running"]
    assert len([line for line in lines if "401" in json.dumps(line)]) == 1
    assert len(refused) > CONCURRENCY
    said = json.dumps(lines)
    assert OLD not in said
    assert NEW not in said


async def test_a_key_that_never_was_right_holds_everything_and_blames_no_record(connect: Connect) -> None:
    """[27] Nothing is committed, nothing is a dead letter, and probes come one at a time."""
    bench = Bench(OPTIONS)
    async with asyncio.timeout(50), Sandbox() as sandbox, connect(sandbox.url) as transport:
        bench.button.send = ButtonClient(transport, lambda: "sk-wrong").send  # type: ignore[method-assign]  # as above
        async with bench.running():
            bench.source.assign(0)
            for number in range(200):
                bench.emit(0, purchase(f"order-{number}"))
            await eventually(lambda: sandbox.request_count >= CONCURRENCY + 10)
        assert sandbox.orders == {}
        probes = sandbox.requests[CONCURRENCY:]
    assert all(request.status == 401 for request in probes)
    assert bench.committed(0) == 0
    assert bench.letters.letters == []
    assert len([line for line in log_of(bench.seen.seen) if line.get("state") == "halted"]) == 1
