# SPDX-License-Identifier: Apache-2.0
"""Events per second of one process on one core, beside the bare loop in the same run.

Owns the rig: Kafka and the acknowledging server on one core, the process under test alone on the other; both
contenders in turn, several rounds, medians. Requests are counted at the server. A window opens when requests have
flowed for a while, so start-up, the group's join and warming up are left out; so is a first round, in which the
broker's compiler takes most of a core.

    python -m benchmarks.end_to_end --rounds 5 --output results.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml

from benchmarks.workload import load
from tests.support.kafka_broker import shared_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDER_TEST_CORE = 0
SURROUNDINGS_CORE = 1
WARM_UP_SECONDS = 2.0
WINDOW_SECONDS = 8.0
START_SECONDS = 60.0
BARE_LOOP, WITHOUT_LEDGER, CONNECTOR = "bare loop", "connector without ledger", "connector"
FIXED = "connector, fixed concurrency"
CONTENDERS = [BARE_LOOP, WITHOUT_LEDGER, CONNECTOR]
TOPIC, SESSIONS_TOPIC, DEAD_LETTERS_TOPIC = "benchmark-orders", "benchmark-sessions", "benchmark-dead-letters"


@dataclass(frozen=True, slots=True)
class Case:
    """What is compared: an API latency and the calls in flight, which the connector finds itself unless it is FIXED."""

    latency_ms: float
    concurrency: int


CASES = (Case(0, 64), Case(50, 256))


@dataclass(frozen=True, slots=True)
class Result:
    """One run: events per second, CPU microseconds per event, peak memory of the process under test."""

    contender: str
    latency_ms: float
    concurrency: int
    events_per_second: float
    cpu_microseconds_per_event: float
    peak_memory_mb: float


def run_case(case: Case, bootstrap_servers: str, contenders: list[str], rounds: int) -> list[Result]:
    """Let the contenders run in turn."""
    results = []
    for _ in range(rounds):
        for contender in contenders:
            with _ack_server(case.latency_ms) as url, _contender(contender, case, bootstrap_servers, url) as it:
                results.append(_measure(contender, case, url, it))
                _say(results[-1])
    return results


def _measure(contender: str, case: Case, url: str, process: psutil.Process) -> Result:
    deadline = time.monotonic() + START_SECONDS
    while _count(url) == 0:
        if time.monotonic() > deadline or not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            message = f"{contender} made no request within {START_SECONDS:g} s"
            raise RuntimeError(message)
        time.sleep(0.05)
    time.sleep(WARM_UP_SECONDS)
    counted, used, began = _count(url), _cpu_seconds(process), time.perf_counter()
    time.sleep(WINDOW_SECONDS)
    done, cpu, seconds = _count(url) - counted, _cpu_seconds(process) - used, time.perf_counter() - began
    return Result(
        contender,
        case.latency_ms,
        case.concurrency,
        round(done / seconds, 1),
        round(cpu / max(done, 1) * 1e6, 1),
        round(_peak_memory_mb(process.pid), 1),
    )


@contextlib.contextmanager
def _ack_server(latency_ms: float) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.ack_server", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603  our own module
        try:
            psutil.Process(server.pid).cpu_affinity([SURROUNDINGS_CORE])
            assert server.stdout is not None  # noqa: S101  it was asked for
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


@contextlib.contextmanager
def _contender(name: str, case: Case, bootstrap_servers: str, url: str) -> Iterator[psutil.Process]:
    with tempfile.TemporaryDirectory() as folder:
        log, settings = Path(folder) / "log", Path(folder) / "connector.yaml"
        settings.write_text(yaml.safe_dump(_settings(name, case, bootstrap_servers, url)))
        bare_loop = [
            *("-m", "benchmarks.bare_loop", "--bootstrap-servers", bootstrap_servers, "--url", url),
            *("--topic", TOPIC, "--sessions-topic", SESSIONS_TOPIC, "--concurrency", str(case.concurrency)),
        ]
        connector = ["-m", "connector", "run", "--config", str(settings)]
        command = [sys.executable, *(bare_loop if name == BARE_LOOP else connector)]
        with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:  # noqa: S603  our own modules
            watched = psutil.Process(process.pid)
            watched.cpu_affinity([UNDER_TEST_CORE])
            try:
                yield watched
            except RuntimeError:
                sys.stderr.write(log.read_text()[-4000:])
                raise
            finally:
                process.kill()


def _settings(name: str, case: Case, bootstrap_servers: str, url: str) -> dict[str, Any]:
    group = f"benchmark-{time.time_ns()}"
    return {
        "kafka": {"bootstrap_servers": bootstrap_servers, "group_id": group, "topics": [TOPIC]},
        "sessions": {"topic": SESSIONS_TOPIC},
        # A ledger of its own for each run: what one run wrote, the next would not tell again.
        "ledger": {"enabled": name != WITHOUT_LEDGER, "topic": f"{group}-orders", "horizon_days": 3_650},
        "dead_letters": {"topic": DEAD_LETTERS_TOPIC},
        "button": {"base_url": url, "api_key": "sk-benchmark"},
        "delivery": {"max_concurrency": case.concurrency, "adaptive_concurrency": False} if name == FIXED else {},
        "ops": {"host": "127.0.0.1", "port": 0},
        "log": {"level": "warning"},
    }


def _count(url: str) -> int:
    with urllib.request.urlopen(f"{url}/count", timeout=10) as answer:  # noqa: S310  our own server on loopback
        return int(answer.read())


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def table(results: list[Result]) -> str:
    """Return the medians as a table, each case with the ratio to the bare loop."""
    rows = [
        "| API latency | in flight | contender | events/s | of the bare loop | CPU µs/event | peak MB |",
        "|---" * 7 + "|",
    ]
    for case in sorted({(each.latency_ms, each.concurrency) for each in results}):
        of_case = [each for each in results if (each.latency_ms, each.concurrency) == case]
        bare = [each.events_per_second for each in of_case if each.contender == BARE_LOOP]
        for contender in dict.fromkeys(each.contender for each in of_case):
            own = [each for each in of_case if each.contender == contender]
            rate = statistics.median(each.events_per_second for each in own)
            ratio = f"{rate / statistics.median(bare):.0%}" if bare else "-"
            cpu = statistics.median(each.cpu_microseconds_per_event for each in own)
            memory = max(each.peak_memory_mb for each in own)
            rows.append(
                f"| {case[0]:g} ms | {case[1]} | {contender} | {rate:,.0f} | {ratio} | {cpu:.0f} | {memory:.0f} |",
            )
    return "\n".join(rows)


def _say(result: Result) -> None:
    sys.stderr.write(
        f"{result.contender:>10} at {result.latency_ms:g} ms, {result.concurrency} in flight: "
        f"{result.events_per_second:,.0f} events/s, {result.cpu_microseconds_per_event:.0f} us CPU/event\n",
    )


def main() -> None:
    """Run every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=200_000, help="records in the topic; enough for a whole run")
    parser.add_argument("--contender", action="append", choices=[*CONTENDERS, FIXED])
    parser.add_argument("--latency-ms", type=float, action="append", help="only these cases")
    parser.add_argument("--output", type=Path, help="where to write every run as JSON")
    arguments = parser.parse_args()
    contenders = arguments.contender or CONTENDERS
    with shared_broker() as broker:
        for process in psutil.Process().children(recursive=True):
            process.cpu_affinity([SURROUNDINGS_CORE])
        servers = broker.bootstrap_servers
        size = load(servers, TOPIC, SESSIONS_TOPIC, DEAD_LETTERS_TOPIC, arguments.events)
        sys.stderr.write(f"{arguments.events:,} records of {size} bytes on average\n")
        cases = [case for case in CASES if not arguments.latency_ms or case.latency_ms in arguments.latency_ms]
        sys.stderr.write("one round that does not count, in which the broker's code is compiled:\n")
        run_case(cases[0], servers, contenders, 1)
        results = [result for case in cases for result in run_case(case, servers, contenders, arguments.rounds)]
    if arguments.output:
        arguments.output.write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n")
    sys.stdout.write(table(results) + "\n")


if __name__ == "__main__":
    main()
