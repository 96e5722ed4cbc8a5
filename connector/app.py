# SPDX-License-Identifier: Apache-2.0
"""The composition root: settings in, a running connector out.

Owns which part is given which other, and the order of start and stop. Holds no rule of any of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import uvloop

from connector.avro.decoding import AvroDecoder
from connector.avro.registered import RegisteredOptions, RegisteredWriters
from connector.avro.session_decoding import SessionDecoder
from connector.button.client import ButtonClient
from connector.button.pyreqwest_transport import PyreqwestTransport
from connector.button.transport import TransportOptions
from connector.engine.admission import State
from connector.engine.backoff import Backoff
from connector.engine.engine import Engine, EngineOptions, Ports
from connector.kafka.compaction import check_compaction, refuse_when_reachable
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.follower import TopicFollower
from connector.kafka.options import DeadLetterOptions, FollowerOptions, KafkaConnection, SourceOptions
from connector.kafka.source import KafkaSource
from connector.kafka.topics import check_topics
from connector.ops import table
from connector.ops.health import Health, younger_than
from connector.ops.logs import adopt_libraries, open_log
from connector.ops.metrics import open_metrics
from connector.ops.observer import OpsObserver
from connector.ops.redaction import Redactor
from connector.ops.server import OpsServer
from connector.tables.sessions import Sessions
from connector.version import version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connector.kafka.failures import KafkaFailure
    from connector.ops.logs import Log
    from connector.settings import Settings

EXIT_OK = 0
EXIT_FAILED = 1

_FIRST_GENERATION_OBJECTS = 50_000
"""With a thousand records in memory the collector's default of 700 costs 10 to 20 % of the CPU."""


def run(settings: Settings) -> int:
    """Run the connector until it is told to stop, or has to; return the process's exit status."""
    redactor = Redactor()
    log = open_log(sys.stderr, settings.log.level, settings.log.format, redactor)
    adopt_libraries(sys.stderr, settings.log.level, settings.log.format, redactor)
    connection = KafkaConnection(settings.kafka.bootstrap_servers)
    problems = check_topics(connection, _topics(settings))
    is_reachable = not problems
    if is_reachable:
        must_be_known = settings.sessions.compaction_unknown == "refuse"
        compaction = check_compaction(connection, settings.sessions.topic, must_be_known=must_be_known)
        problems = [] if compaction is None else [compaction]
    for problem in problems:
        write, line = (log.warning, "starting all the same") if problem.may_pass else (log.error, "cannot start")
        write(line, key=problem.setting, message=problem.message)
    if any(not problem.may_pass for problem in problems):
        return EXIT_FAILED
    gc.set_threshold(_FIRST_GENERATION_OBJECTS, 20, 20)
    return uvloop.run(Connector(settings, log, redactor, was_reachable=is_reachable).run())


def _topics(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {
        "kafka.topics": settings.kafka.topics,
        "sessions.topic": (settings.sessions.topic,),
        "dead_letters.topic": (settings.dead_letters.topic,),
    }


class _WallClock:
    """The engine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Connector:
    """All parts of one process."""

    def __init__(self, settings: Settings, log: Log, redactor: Redactor, *, was_reachable: bool) -> None:
        """Take what is needed; the parts are put together on the loop that runs them."""
        self._settings = settings
        self._was_reachable = was_reachable
        self._log = log
        self._redactor = redactor

    def _build(self) -> None:
        settings = self._settings
        delivery = settings.delivery
        connection = KafkaConnection(settings.kafka.bootstrap_servers)
        self._metrics = open_metrics(version())
        observer = OpsObserver(self._metrics, self._log)
        self._sessions = Sessions(
            SessionDecoder(),
            observer,
            clock_skew_ms=round(settings.sessions.clock_skew_seconds * 1000),
        )
        follower_options = FollowerOptions(connection, settings.sessions.topic, "sessions", "sessions.topic")
        self._follower = TopicFollower(follower_options, self._sessions, observer)
        self._letters = KafkaDeadLetters(DeadLetterOptions(connection, settings.dead_letters.topic), observer)
        self._transport = PyreqwestTransport(
            TransportOptions(
                base_url=settings.button.base_url,
                connect_timeout_seconds=settings.button.connect_timeout_seconds,
                request_timeout_seconds=settings.button.request_timeout_seconds,
                max_connections=delivery.concurrency,
            ),
        )
        self._source = KafkaSource(
            SourceOptions(
                connection=connection,
                group_id=settings.kafka.group_id,
                topics=settings.kafka.topics,
                start=settings.kafka.start,
                session_timeout_ms=settings.kafka.session_timeout_ms,
                max_poll_interval_ms=settings.kafka.max_poll_interval_ms,
                metadata_refresh_interval_ms=settings.kafka.metadata_refresh_interval_ms,
                drain_seconds=delivery.drain_seconds,
                max_uncommitted_records=delivery.max_uncommitted_records,
            ),
            observer,
        )
        api_version = settings.button.api_version
        self._engine = Engine(
            Ports(
                source=self._source,
                decoder=AvroDecoder(registered=self._registered_writers(observer)),
                orders=ButtonClient(
                    self._transport,
                    self._read_api_key,
                    version=version(),
                    api_version=api_version.isoformat() if api_version else None,
                ),
                sessions=self._sessions,
                dead_letters=self._letters,
                clock=_WallClock(),
                observer=observer,
            ),
            EngineOptions(
                concurrency=delivery.concurrency,
                commit_after_events=max(1, delivery.max_uncommitted_records // 4),
                commit_interval_seconds=delivery.commit_interval_seconds,
                drain_seconds=delivery.drain_seconds,
                retry=Backoff(delivery.retry_initial_seconds, delivery.retry_max_seconds),
            ),
            Random(),  # noqa: S311  jitter, not cryptography
        )

    async def run(self) -> int:
        """Start everything, wait for a reason to stop, stop everything in order."""
        self._build()
        loop = asyncio.get_running_loop()
        told_to_stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, partial(_stop, told_to_stop))
        ops = OpsServer(self._settings.ops.host, self._settings.ops.port, self._health(), self._metrics.registry)
        async with ops:
            self._track()
            self._log.info("started", version=version(), ops_port=ops.port, group=self._settings.kafka.group_id)
            engine = asyncio.create_task(self._engine.run(), name="engine")
            self._follower.start(loop)
            self._source.start(self._engine, loop)
            reason = await self._reason_to_stop(engine, told_to_stop)
            return await self._stop(engine, reason)

    async def _reason_to_stop(self, engine: asyncio.Task[None], told_to_stop: asyncio.Event) -> str | None:
        """Return ``None`` when told to stop, else why the connector cannot go on."""
        watched: dict[asyncio.Task[object], Callable[[asyncio.Task[object]], str | None]] = {
            _watch(told_to_stop.wait()): lambda _: None,
            _watch(asyncio.shield(engine)): lambda task: f"the engine failed: {task.exception()!r}",
            _watch(self._source.failed()): _failure,
            _watch(self._follower.failed()): _failure,
            _watch(self._letters.failed()): _failure,
        }
        if not self._was_reachable:
            watched[_watch(self._sessions_refused())] = _failure
        done, others = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        reasons = [watched[task](task) for task in watched if task in done]
        return next((reason for reason in reasons if reason is not None), None)

    async def _stop(self, engine: asyncio.Task[None], reason: str | None) -> int:
        began = time.monotonic()
        self._log.info("stopping", draining_at_most_seconds=self._settings.delivery.drain_seconds)
        # Leaving the group first: calls on their way finish, and what they finish is committed.
        await self._source.stop(self._settings.delivery.shutdown_seconds)
        engine.cancel()
        with contextlib.suppress(BaseException):  # Its reason, if it had one, is known already.
            await engine
        await self._follower.stop()
        unwritten = await self._letters.close(1.0)
        await self._transport.close()
        took_seconds = round(time.monotonic() - began, 3)
        if unwritten:
            self._log.warning("dead letters were under way; their records are read again", count=unwritten)
        if reason is None:
            self._log.info("stopped", took_seconds=took_seconds)
            return EXIT_OK
        self._log.error("gave up", message=reason, took_seconds=took_seconds)
        return EXIT_FAILED

    def _health(self) -> Health:
        health = Health()
        bound_seconds = self._settings.ops.liveness_timeout_seconds
        health.live_when("kafka_poll_thread", younger_than(bound_seconds, self._poll_age_seconds))
        health.started_when("sessions", self._sessions_unfinished)
        health.ready_when("sending", self._not_sending)
        return health

    def _registered_writers(self, observer: OpsObserver) -> RegisteredWriters | None:
        registry = self._settings.schema_registry
        if registry.url is None:
            return None
        # Not at the top of the file: it is slow to load, and many need none.
        from connector.avro.registry import ConfluentRegistry, RegistryOptions  # noqa: PLC0415  see above

        options = RegistryOptions(
            url=registry.url,
            username=registry.username,
            read_password=self._read_registry_password,
            ca_file=registry.ca_file,
            client_cert_file=registry.client_cert_file,
            client_key_file=registry.client_key_file,
            request_timeout_seconds=registry.request_timeout_seconds,
        )
        how = RegisteredOptions(
            unknown_id_seconds=registry.unknown_id_seconds,
            takes_doubles=self._settings.avro.double_amounts == "shortest",
        )
        return RegisteredWriters(ConfluentRegistry(options), how, observer, Random())  # noqa: S311  as above

    def _read_registry_password(self) -> str:
        secret = self._settings.schema_registry.read_password()
        password = secret.get_secret_value() if secret is not None else ""
        self._redactor.learn(password)
        return password

    async def _sessions_refused(self) -> KafkaFailure:
        sessions = self._settings.sessions
        must_be_known = sessions.compaction_unknown == "refuse"
        connection = KafkaConnection(self._settings.kafka.bootstrap_servers)
        return await refuse_when_reachable(connection, sessions.topic, must_be_known=must_be_known)

    def _read_api_key(self) -> str:
        key = self._settings.button.read_api_key().get_secret_value()
        self._redactor.learn(key)
        return key

    def _poll_age_seconds(self) -> float:
        return time.monotonic() - self._source.last_poll_at

    def _sessions_unfinished(self) -> str | None:
        progress = self._follower.progress
        if progress.is_caught_up:
            return None
        return f"reading the sessions topic: {progress.remaining_at_start} records to go"

    def _not_sending(self) -> str | None:
        state = self._engine.admission.state
        return None if state is not State.HALTED else "halted: Button refuses the API key"

    def _lag(self) -> dict[tuple[str | int, ...], float]:
        ends = self._source.end_offsets
        committed = self._engine.committed_offsets().items()
        return {each: max(0, ends[each] - offset) for each, offset in committed if each in ends}

    def _track(self) -> None:
        engine = self._engine
        self._metrics.track(table.ASSIGNED_PARTITIONS, lambda: engine.assigned_partitions)
        self._metrics.track(table.UNCOMMITTED_RECORDS, lambda: self._source.uncommitted_records)
        self._metrics.track(table.LAG, self._lag)
        self._metrics.track(table.CALLS_IN_FLIGHT, lambda: engine.in_flight)
        self._metrics.track(table.LANES, lambda: engine.lanes)
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


def _failure(task: asyncio.Task[object]) -> str:
    failure: KafkaFailure = task.result()  # type: ignore[assignment]  # what the failed() methods return
    return failure.reason
