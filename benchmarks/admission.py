# SPDX-License-Identifier: Apache-2.0
"""What the admission finds by itself, on real sockets: how many calls at once, and how many a second.

Owns the rig: the engine with its real client and transport in this process, orders from memory, and an API in a process
of its own: one that says yes after a while, or the sandbox with a limit. No Kafka, no ledger, no Avro: what is measured
is who may send. A minute in all.

    python -m benchmarks.admission
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson
import psutil
import uvloop

from connector.button.asyncio_transport import AsyncioTransport
from connector.button.client import ButtonClient
from connector.button.transport import TransportOptions
from connector.engine.engine import EngineOptions
from connector.engine.observations import AttemptFinished
from tests.simulation.bench import Bench
from tests.support.fakes import purchase

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDER_TEST_CORE, SURROUNDINGS_CORE = 0, 1
ORDERS = 100_000
WARM_UP_SECONDS, WINDOW_SECONDS, LIMITED_WINDOW_SECONDS = 3.0, 5.0, 20.0
CALLS_A_SECOND = 200


class Result(NamedTuple):
    """Calls per second that were served and refused, and the limit at the end."""

    served: float
    refused: float
    limit: int


def _counts(bench: Bench) -> Counter[str]:
    return Counter(each.result for each in bench.seen.of(AttemptFinished))


@contextlib.contextmanager
def _api(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  our own modules
        try:
            psutil.Process(server.pid).cpu_affinity([SURROUNDINGS_CORE])
            yield server
        finally:
            server.kill()


async def _run(url: str, options: EngineOptions, seconds: float) -> Result:
    transport = AsyncioTransport(TransportOptions(base_url=url))
    bench = Bench(options, max_records=5000, orders=ButtonClient(transport, lambda: "sk-sandbox"))
    for number in range(ORDERS):
        bench.emit(number % 8, purchase(f"o-{number}"))
    async with bench.running():
        bench.source.assign(*range(8))
        await asyncio.sleep(WARM_UP_SECONDS)
        before = _counts(bench)
        await asyncio.sleep(seconds)
        counted = _counts(bench) - before
        limit = bench.engine.admission.limit
    await transport.close()
    return Result(counted["applied"] / seconds, (counted.total() - counted["applied"]) / seconds, limit)


def _say(what: str, result: Result) -> None:
    sys.stdout.write(
        f"{what:<34}{result.served:8,.0f} served/s {result.refused:6.1f} refused/s, limit {result.limit}\n",
    )


def _concurrency() -> None:
    for latency_ms in (0, 10, 50):
        for concurrency in (None, 64, 512):
            with _api("benchmarks.ack_server", "--latency-ms", str(latency_ms)) as server:
                assert server.stdout is not None  # noqa: S101  it was asked for
                url = f"http://127.0.0.1:{int(server.stdout.readline())}"
                result = uvloop.run(_run(url, EngineOptions(concurrency=concurrency), WINDOW_SECONDS))
            _say(f"{latency_ms} ms, {'adaptive' if concurrency is None else f'{concurrency} at once'}", result)


def _rate(headers: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        limit = ["--set", f"rate_limit_per_second={CALLS_A_SECOND}", "--set", f"rate_limit_headers={headers}"]
        with _api("connector", "sandbox", "--port", "0", "--ready-file", str(ready), *limit):
            while not ready.exists() or not ready.read_bytes():
                time.sleep(0.05)
            url = orjson.loads(ready.read_bytes())["url"]
            _say(
                f"429 above {CALLS_A_SECOND}/s ({headers})",
                uvloop.run(_run(url, EngineOptions(), LIMITED_WINDOW_SECONDS)),
            )


def main() -> None:
    """Run all cases, one after the other."""
    psutil.Process().cpu_affinity([UNDER_TEST_CORE])
    _concurrency()
    _rate("retry_after_seconds")


if __name__ == "__main__":
    main()
