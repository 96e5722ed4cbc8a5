# SPDX-License-Identifier: Apache-2.0
"""The composition root: settings in, a running connector out.

Owns which part is given which other, and the order of start and stop. Holds no rule of any of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import uvloop

from connector import preflight, wiring
from connector.avro.decoding import AvroDecoder
from connector.avro.session_decoding import RegisteredSessionWriters, SessionDecoder
from connector.bookkeeping import Bookkeeping
from connector.button.client import ButtonClient
from connector.engine.admission import State
from connector.engine.engine import Engine, Ports
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.follower import TopicFollower
from connector.kafka.source import KafkaSource
from connector.ops import table
from connector.ops.faults import describe
from connector.ops.health import Health, younger_than
from connector.ops.idleness import warn_when_idle
from connector.ops.logs import adopt_libraries, open_log
from connector.ops.metrics import open_metrics
from connector.ops.observer import OpsObserver
from connector.ops.redaction import Redactor
from connector.ops.server import OpsServer
from connector.ops.watchdog import Watchdog
from connector.scheduling import prefer_throughput
from connector.tables.sessions import Sessions
from connector.version import version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from connector.engine.ports import Origin, TopicPartition
    from connector.kafka.failures import KafkaFailure
    from connector.kafka.options import KafkaConnection
    from connector.ops.logs import Log
    from connector.settings import Settings

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_MISUSED = 2

_REST_SECONDS = 2.0
"""What a stop keeps for all that comes after leaving the group."""
_LAST_SPANS_SECONDS = 1.0
_LAST_WORDS_SECONDS = 2.0
_POLL_THREAD = "the thread that polls Kafka"


def run(settings: Settings) -> int:
    """Run the connector until it is told to stop, or has to; return the process's exit status."""
    redactor = Redactor()
    log = open_log(sys.stderr, settings.log.level, settings.log.format, redactor)
    adopt_libraries(sys.stderr, settings.log.level, settings.log.format, redactor)
    through = wiring.connection(settings.kafka)
    for secret in wiring.secrets(settings, through):
        redactor.learn(secret)
    refused = preflight.refused_settings(settings, through)
    for problem in refused:
        log.error("cannot start", key=problem.setting, message=problem.message)
    if refused:
        return EXIT_MISUSED
    prefer_throughput()
    return uvloop.run(Connector(settings, through, log, redactor).run())


class _WallClock:
    """The engine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Connector:
    """All parts of one process."""

    def __init__(self, settings: Settings, through: KafkaConnection, log: Log, redactor: Redactor) -> None:
        """Take what is needed; the parts are put together on the loop that runs them."""
        self._settings = settings
        self._through = through
        self._log = log
        self._redactor = redactor
        self._told_to_stop = asyncio.Event()
        self._metrics = open_metrics(version())
        self._is_cluster_there = False
        self._watchdog = Watchdog(settings.ops.liveness_timeout_seconds, self._end_at_once)

    def _build(self, ledger_partitions: int, origins: Mapping[str, Origin]) -> None:
        settings = self._settings
        observer = OpsObserver(self._metrics, self._log)
        registered = wiring.registered_writers(settings, self._read_registry_password, observer)
        of_sessions = RegisteredSessionWriters.beside(registered) if registered is not None else None
        # The tables' files, where no directory is set for them.
        self._passing = TemporaryDirectory(prefix="button-connector-")
        self._follower = TopicFollower(wiring.sessions_options(settings, self._through), observer)
        self._sessions = Sessions(
            wiring.table_options(settings, "sessions", Path(self._passing.name)),
            SessionDecoder(registered=of_sessions),
            self._follower,
            _WallClock(),
            observer,
            clock_skew_ms=round(settings.sessions.clock_skew_seconds * 1000),
        )
        passing, parts = Path(self._passing.name), (_WallClock(), observer)
        opened = wiring.open_ledger(settings, self._through, ledger_partitions, passing, parts)
        self._books = None if opened is None else Bookkeeping(opened)
        self._letters = KafkaDeadLetters(wiring.dead_letter_options(settings, self._through), observer)
        self._transport = wiring.open_transport(settings)
        self._source = KafkaSource(wiring.source_options(settings, self._through), observer)
        self._tracing = wiring.open_tracing(settings, version())
        api_version = settings.button.api_version
        self._engine = Engine(
            Ports(
                source=self._source,
                decoder=AvroDecoder(
                    registered=registered,
                    elsewhere=wiring.elsewhere(settings),
                ),
                orders=ButtonClient(
                    self._transport,
                    self._read_api_key,
                    version=version(),
                    api_version=api_version.isoformat() if api_version else None,
                    trace_headers=self._tracing.request_headers if self._tracing else None,
                    updates_all=settings.button.update_sends == "all",
                ),
                sessions=self._sessions,
                dead_letters=self._letters,
                clock=_WallClock(),
                observer=observer,
                may_start=self._source.may_start,
                tracer=self._tracing.tracer if self._tracing else None,
                ledger=self._books.ledger if self._books else None,
                origin_of=origins.__getitem__,
                total_partitions=lambda: self._source.total_partitions,
            ),
            wiring.engine_options(settings),
            Random(),  # noqa: S311  jitter, not cryptography
        )

        if self._books is not None:
            resume = partial(self._engine.limit.resume, "somebody gave the command dlq resume")
            self._books.ledger.when_asked_to_go_on(resume)

    async def run(self) -> int:
        """Start everything, wait for a reason to stop, stop everything in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, partial(_stop, self._told_to_stop))
        self._watchdog.start(loop)
        health = self._health()
        ops = OpsServer(self._settings.ops.host, self._settings.ops.port, health, self._metrics.registry)
        async with ops:
            if not await preflight.wait_for_cluster(self._settings, self._through, self._told_to_stop, self._log):
                return EXIT_OK if self._told_to_stop.is_set() else EXIT_FAILED
            asked = preflight.ask_origins(self._settings, self._through, self._told_to_stop, self._log)
            origins, ledger_partitions = await asyncio.gather(asked, self._open_ledger())
            if origins is None or ledger_partitions is None:
                return EXIT_OK if self._told_to_stop.is_set() else EXIT_FAILED
            self._build(ledger_partitions, origins)
            self._log.info("started", version=version(), ops_port=ops.port, group=self._settings.kafka.group_id)
            engine = asyncio.create_task(self._engine.run(), name="engine")
            self._sessions.table.start(loop)
            if self._books is not None:
                self._books.start(loop)
            self._source.start(self._engine, loop)
            self._watchdog.watch(_POLL_THREAD, self._source.thread_id, lambda: self._source.last_poll_at)
            self._watch(health)
            idle = asyncio.create_task(warn_when_idle(lambda: self._engine.assigned_partitions, self._log))
            reason = await self._reason_to_stop(engine)
            idle.cancel()
            return await self._stop(engine, reason)

    async def _open_ledger(self) -> int | None:
        """Return the partitions of the ledger's topic, 0 if there is no ledger, ``None`` if there is to be no start."""
        if not self._settings.ledger.enabled:
            return 0
        topic = await preflight.open_ledger(self._settings, self._through, self._told_to_stop, self._log)
        return None if topic is None else topic.partitions

    async def _reason_to_stop(self, engine: asyncio.Task[None]) -> str | None:
        """Return ``None`` when told to stop, else why the connector cannot go on."""
        watched: dict[asyncio.Task[object], Callable[[asyncio.Task[object]], str | None]] = {
            _watch(self._told_to_stop.wait()): lambda _: None,
            _watch(asyncio.shield(engine)): lambda task: f"the engine failed: {describe(task.exception())}",
            _watch(self._source.failed()): _failure,
            _watch(self._follower.failed()): _failure,
            _watch(self._letters.failed()): _failure,
        }
        if self._books is not None:
            watched[_watch(self._books.failed())] = lambda task: str(task.result())
        done, others = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        reasons = [watched[task](task) for task in watched if task in done]
        return next((reason for reason in reasons if reason is not None), None)

    async def _stop(self, engine: asyncio.Task[None], reason: str | None) -> int:
        began = time.monotonic()
        self._log.info("stopping", draining_at_most_seconds=self._settings.delivery.drain_seconds)
        delivery = self._settings.delivery
        rest_seconds = min(_REST_SECONDS, (delivery.shutdown_seconds - delivery.drain_seconds) / 2)
        self._watchdog.forget(_POLL_THREAD)  # Leaving may take it long, and has a bound of its own.
        # Leaving the group first: calls on their way finish, and what they finish is committed.
        await self._source.stop(delivery.shutdown_seconds - rest_seconds)
        engine.cancel()
        with contextlib.suppress(BaseException):  # Its reason, if it had one, is known already.
            await engine
        _, unwritten, _ = await asyncio.gather(
            self._sessions.table.stop(rest_seconds),
            self._letters.close(rest_seconds),
            self._stop_books(rest_seconds),
        )
        self._passing.cleanup()
        await self._transport.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close, _LAST_SPANS_SECONDS)
        took_seconds = round(time.monotonic() - began, 3)
        if unwritten:
            self._log.warning("dead letters were under way; their records are read again", count=unwritten)
        if reason is None:
            self._log.info("stopped", took_seconds=took_seconds)
            return EXIT_OK
        self._log.error("gave up", message=reason, took_seconds=took_seconds)
        return EXIT_FAILED

    def _end_at_once(self, reason: str) -> None:
        """End the process from another thread; who cannot even say why, because the log is stuck, ends all the same."""
        words = partial(self._log.error, "gave up", message=reason)
        last_words = threading.Thread(target=words, name="last-words", daemon=True)
        last_words.start()
        last_words.join(_LAST_WORDS_SECONDS)
        os._exit(EXIT_FAILED)

    async def _stop_books(self, timeout_seconds: float) -> None:
        if self._books is not None and (unwritten := await self._books.stop(timeout_seconds)):
            self._log.warning("facts were under way; their records are read again", count=unwritten)

    def _health(self) -> Health:
        health = Health()
        health.started_when("kafka", lambda: None if self._is_cluster_there else "waiting for the cluster")
        return health

    def _watch(self, health: Health) -> None:
        """Let health and metrics see the parts, from now on."""
        bound_seconds = self._settings.ops.liveness_timeout_seconds
        health.live_when("kafka_poll_thread", younger_than(bound_seconds, self._poll_age_seconds))
        health.started_when("sessions", partial(_unfinished, "sessions", self._follower))
        if self._books is not None:
            health.started_when("ledger", partial(_unfinished, "ledger", self._books.follower))
        health.tell("admission", lambda: self._engine.admission.state.value)
        health.ready_when("group", lambda: self._source.waits_for)
        health.ready_when("sending", self._not_sending)
        health.ready_when("membership", self._no_member)
        self._track()
        self._is_cluster_there = True

    def _read_registry_password(self) -> str:
        secret = self._settings.schema_registry.read_password()
        password = secret.get_secret_value() if secret is not None else ""
        self._redactor.learn(password)
        return password

    def _read_api_key(self) -> str:
        key = self._settings.button.read_api_key().get_secret_value()
        self._redactor.learn(key)
        return key

    def _poll_age_seconds(self) -> float:
        return time.monotonic() - self._source.last_poll_at

    def _not_sending(self) -> str | None:
        state = self._engine.admission.state
        if state is State.HALTED:
            return "halted: Button refuses the API key"
        return f"halted: {self._engine.limit.why}" if self._engine.limit.is_halted else None

    def _no_member(self) -> str | None:
        if not self._source.lacks_lease:
            return None
        return "no lease: the group has not answered a commit lately, so others may own the partitions"

    def _lag(self) -> dict[tuple[str | int, ...], float]:
        ends = self._source.end_offsets
        committed = self._engine.committed_offsets().items()
        return {each: max(0, ends[each] - offset) for each, offset in committed if each in ends}

    def _track(self) -> None:
        engine = self._engine
        self._metrics.track(table.ASSIGNED_PARTITIONS, lambda: engine.assigned_partitions)
        self._metrics.track(table.LEASE_SECONDS, lambda: self._source.lease_seconds)
        self._metrics.track(table.UNCOMMITTED_RECORDS, lambda: self._source.uncommitted_records)
        self._metrics.track(table.LAG, self._lag)
        self._metrics.track(table.UNFINISHED_RECORDS, lambda: _by_partition(engine.unfinished_records()))
        self._metrics.track(table.OLDEST_UNFINISHED, lambda: _by_partition(engine.oldest_unfinished_seconds()))
        self._metrics.track(table.CALLS_LIMIT, lambda: engine.admission.limit)
        self._metrics.track(table.CALLS_IN_FLIGHT, lambda: engine.in_flight)
        self._metrics.track(table.LANES, lambda: engine.lanes)
        self._metrics.track(table.DEAD_LETTERS_HALTED, lambda: engine.limit.is_halted)
        self._metrics.track(table.LAST_POLL_AGE, self._poll_age_seconds)


def _stop(told_to_stop: asyncio.Event) -> None:
    if told_to_stop.is_set():
        # Asked twice: whoever asks cannot wait. Nothing is lost by it, uncommitted records are read again.
        os._exit(EXIT_FAILED)
    told_to_stop.set()


def _watch(awaitable: Awaitable[object]) -> asyncio.Task[object]:
    async def watch() -> object:
        return await awaitable

    return asyncio.create_task(watch())


def _by_partition(values: Mapping[TopicPartition, float]) -> dict[tuple[str | int, ...], float]:
    return {(topic, partition): value for (topic, partition), value in values.items()}


def _failure(task: asyncio.Task[object]) -> str:
    failure: KafkaFailure = task.result()  # type: ignore[assignment]  # what the failed() methods return
    return failure.reason


def _unfinished(name: str, follower: TopicFollower) -> str | None:
    progress = follower.progress
    if progress.is_caught_up:
        return None
    return f"reading the {name} topic: {progress.remaining_at_start} records to go"
