# SPDX-License-Identifier: Apache-2.0
"""From the settings to what each part is told.

Owns which setting becomes which option. Connects nothing and starts nothing.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from connector.avro.decoding import EVENT_SCHEMAS
from connector.avro.registered import RegisteredOptions, RegisteredWriters
from connector.avro.schemas import load_schema
from connector.avro.writer_schema import writer_schema
from connector.avro.writers import Elsewhere, MappingError, MappingProblem
from connector.button.transport import TransportOptions
from connector.domain.orders import Reject
from connector.engine.backoff import Backoff
from connector.engine.dead_letter_limit import LimitOptions
from connector.engine.engine import EngineOptions
from connector.kafka.boot_clock import boot_seconds
from connector.kafka.follower import TopicFollower
from connector.kafka.ledger_log import LedgerLog, LedgerLogOptions
from connector.kafka.ledger_topic import LedgerTopicOptions
from connector.kafka.options import DeadLetterOptions, FollowerOptions, KafkaConnection, SourceOptions
from connector.tables.global_table import TableOptions
from connector.tables.ledger_identity import Takeover
from connector.tables.orders import LedgerOptions, Orders
from connector.tables.store import StoreOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from connector.avro.registry import RegistryOptions
    from connector.button.transport import Transport
    from connector.engine.ports import Clock, Observer
    from connector.settings import KafkaSettings, SchemaRegistrySettings, Settings
    from connector.telemetry.export import Export

_COMMITS_A_WINDOW, _COMMIT_AFTER_EVENTS = 4, 250
_LEDGER_WAIT_MS, _LEDGER_BATCH_BYTES = 20, 100_000

_DAY_MS = 86_400_000


def connection(kafka: KafkaSettings) -> KafkaConnection:
    """Return how every client reaches the cluster; files with secrets are read."""
    return KafkaConnection(
        kafka.bootstrap_servers,
        properties={name: value.get_secret_value() for name, value in kafka.read_properties().items()},
        secret_names=kafka.secret_names(),
        from_files=frozenset(kafka.properties_from_files),
    )


def source_options(settings: Settings, through: KafkaConnection) -> SourceOptions:
    """Return where the events come from."""
    kafka, delivery = settings.kafka, settings.delivery
    return SourceOptions(
        connection=through,
        group_id=kafka.group_id,
        topics=kafka.topics,
        start=kafka.start,
        group_instance_id=kafka.group_instance_id,
        group_protocol=kafka.group_protocol,
        session_timeout_ms=kafka.session_timeout_ms,
        call_seconds=settings.button.request_timeout_seconds,
        max_poll_interval_ms=kafka.max_poll_interval_ms,
        metadata_refresh_interval_ms=kafka.metadata_refresh_interval_ms,
        drain_seconds=delivery.drain_seconds,
        max_uncommitted_records=delivery.max_uncommitted_records,
        max_uncommitted_bytes=delivery.max_uncommitted_bytes,
    )


def sessions_options(settings: Settings, through: KafkaConnection) -> FollowerOptions:
    """Return where the attribution tokens come from."""
    return FollowerOptions(
        through,
        settings.sessions.topic,
        "sessions",
        "sessions.topic",
        settings.kafka.group_id,
        is_identified=settings.tables.directory is not None,
    )


def table_options(settings: Settings, name: str, passing: Path) -> TableOptions:
    """Return how a table is kept: in the configured directory, else in ``passing``, for as long as that exists."""
    tables = settings.tables
    directory = (tables.directory or passing) / name
    store = StoreOptions(directory, "tables.directory", tables.cache_mb * 1024 * 1024)
    return TableOptions(name, store, is_kept=tables.directory is not None)


def dead_letter_options(settings: Settings, through: KafkaConnection) -> DeadLetterOptions:
    """Return where dead letters go."""
    return DeadLetterOptions(
        through,
        settings.dead_letters.topic,
        is_reference=settings.dead_letters.content == "reference",
    )


def ledger_topic_options(settings: Settings, through: KafkaConnection) -> LedgerTopicOptions:
    """Return how the ledger's topic is made, and what it is compared with."""
    ledger = settings.ledger
    return LedgerTopicOptions(
        connection=through,
        topic=ledger.topic,
        group_id=settings.kafka.group_id,
        is_created=ledger.create_topic,
        partitions=ledger.partitions,
        replication_factor=ledger.replication_factor,
        horizon_days=ledger.horizon_days,
        sources=settings.kafka.topics,
        dead_letters=settings.dead_letters.topic,
        hand_over_from=ledger.hand_over_from,
    )


def ledger_log_options(settings: Settings, through: KafkaConnection) -> LedgerLogOptions:
    """Return where facts are written."""
    return LedgerLogOptions(through, settings.ledger.topic)


def ledger_follower_options(settings: Settings, through: KafkaConnection) -> FollowerOptions:
    """Return where facts are read; in large batches, which is what makes reading back cheap."""
    return FollowerOptions(
        through,
        settings.ledger.topic,
        "ledger",
        "ledger.topic",
        settings.kafka.group_id,
        is_identified=settings.tables.directory is not None,
        fetch_wait_max_ms=_LEDGER_WAIT_MS,
        fetch_min_bytes=_LEDGER_BATCH_BYTES,
    )


def ledger_options(settings: Settings, partitions: int) -> LedgerOptions:
    """Return whose the ledger is, and what is remembered for how long; ``partitions`` are those of its topic."""
    ledger = settings.ledger
    takeover = Takeover(settings.kafka.group_id, ledger.hand_over_from)
    return LedgerOptions(ledger.topic, partitions, takeover, ledger.horizon_days, ledger.waiting_refund_days)


class OpenedLedger(NamedTuple):
    """The order ledger with its two sides of the topic; all three can fail, and all are to be closed."""

    orders: Orders
    log: LedgerLog
    follower: TopicFollower


def open_ledger(
    settings: Settings,
    through: KafkaConnection,
    partitions: int,
    passing: Path,
    parts: tuple[Clock, Observer],
) -> OpenedLedger | None:
    """Return the ledger, not started, or ``None`` where nobody wants one; ``partitions`` are those of its topic."""
    if not settings.ledger.enabled:
        return None
    clock, observer = parts
    log = LedgerLog(ledger_log_options(settings, through), observer)
    follower = TopicFollower(ledger_follower_options(settings, through), observer)
    table = table_options(settings, "ledger", passing)
    orders = Orders(ledger_options(settings, partitions), (table, follower), log, clock, observer)
    return OpenedLedger(orders, log, follower)


def engine_options(settings: Settings) -> EngineOptions:
    """Return how much at once, how often again, and what may be told."""
    delivery = settings.delivery
    return EngineOptions(
        concurrency=None if delivery.adaptive_concurrency else delivery.max_concurrency,
        max_concurrency=delivery.max_concurrency,
        rate_limit_per_second=delivery.rate_limit_per_second,
        poison_seconds=delivery.poison_seconds,
        pin_seconds=delivery.pin_seconds,
        commit_after_events=max(1, min(_COMMIT_AFTER_EVENTS, delivery.max_uncommitted_records // _COMMITS_A_WINDOW)),
        commit_interval_seconds=delivery.commit_interval_seconds,
        drain_seconds=delivery.drain_seconds,
        retry=Backoff(delivery.retry_initial_seconds, delivery.retry_max_seconds),
        policy=settings.policy.to_policy(),
        answers=settings.button.to_answers(),
        token_wait_seconds=settings.sessions.wait_seconds,
        horizon_ms=round(settings.ledger.horizon_days * _DAY_MS) if settings.ledger.enabled else None,
        first_topic=settings.kafka.topics[0],
        limit=limit_options(settings),
    )


def limit_options(settings: Settings) -> LimitOptions:
    """Return how many dead letters are too many."""
    letters = settings.dead_letters
    return LimitOptions(
        letters.limit_in_a_row,
        letters.limit_share,
        letters.limit_window_events,
        Backoff(letters.limit_probe_seconds, 10 * letters.limit_probe_seconds),
    )


def open_transport(settings: Settings) -> Transport:
    """Return the way to Button; raises ``ValueError`` naming the option and the remedy."""
    button = settings.button
    options = TransportOptions(
        base_url=button.base_url,
        connect_timeout_seconds=button.connect_timeout_seconds,
        request_timeout_seconds=button.request_timeout_seconds,
        idle_timeout_seconds=button.idle_timeout_seconds,
        max_connections=settings.delivery.max_concurrency,
        ca_file=button.ca_file,
        client_cert_file=button.client_cert_file,
        proxy=button.proxy.get_secret_value() if button.proxy is not None else None,
    )
    # Not at the top of the file: only one of the libraries is needed, and each is slow to load.
    match button.transport, options.proxy:
        case ("httpx2", _):
            from connector.button.httpx2_transport import Httpx2Transport  # noqa: PLC0415  see above

            return Httpx2Transport(options)
        case ("asyncio", _) | ("auto", None):
            from connector.button.asyncio_transport import AsyncioTransport  # noqa: PLC0415  see above

            return AsyncioTransport(options, boot_seconds)
        case _:
            from connector.button.pyreqwest_transport import PyreqwestTransport  # noqa: PLC0415  see above

            return PyreqwestTransport(options)


def registry_options(registry: SchemaRegistrySettings, url: str, read_password: Callable[[], str]) -> RegistryOptions:
    """Return how the schema registry is reached."""
    # Not at the top of the file: it is slow to load, and many need none.
    from connector.avro.registry import RegistryOptions  # noqa: PLC0415  see above

    return RegistryOptions(
        url=url,
        username=registry.username,
        read_password=read_password,
        ca_file=registry.ca_file,
        client_cert_file=registry.client_cert_file,
        client_key_file=registry.client_key_file,
        request_timeout_seconds=registry.request_timeout_seconds,
    )


def registered_writers(
    settings: Settings,
    read_password: Callable[[], str],
    observer: Observer,
) -> RegisteredWriters | None:
    """Return what knows writers' schemas by their ids, or ``None`` without a registry."""
    if settings.schema_registry.url is None:
        return None
    # Not at the top of the file: it is slow to load, and many need none.
    from connector.avro.registry import ConfluentRegistry  # noqa: PLC0415  see above

    options = registry_options(settings.schema_registry, settings.schema_registry.url, read_password)
    how = RegisteredOptions(
        unknown_id_seconds=settings.schema_registry.unknown_id_seconds,
        takes_doubles=settings.avro.double_amounts == "shortest",
        elsewhere=elsewhere(settings),
    )
    return RegisteredWriters(ConfluentRegistry(options), how, observer, Random())  # noqa: S311  jitter, not cryptography


def elsewhere(settings: Settings) -> Elsewhere:
    """Return what events are given besides their own fields; raises ``MappingError`` for what cannot be mapped."""
    defaults = frozenset({"currency_code"} if settings.policy.default_currency else ())
    if not settings.mapping.fields:
        return Elsewhere(None, defaults)
    # Not at the top of the file: most map nothing, and need no parser of expressions.
    from connector.avro.smart_mapping import SmartMapping, smart_mapping  # noqa: PLC0415  see above

    schemas = [load_schema(name) for name in EVENT_SCHEMAS]
    own = settings.mapping.schema_file
    prepared = [writer_schema(schema) for schema in schemas] if own is None else [writer_schema(_read_json(own))]
    unusable = [MappingProblem("", each.message) for each in prepared if isinstance(each, Reject)]
    roots = [each.root for each in prepared if not isinstance(each, Reject)]
    found = tuple(unusable) or smart_mapping(settings.mapping.fields, roots)
    if isinstance(found, SmartMapping):
        return Elsewhere(found, defaults)
    raise MappingError(found)


def _read_json(path: Path) -> Any:  # noqa: ANN401  any JSON
    return json.loads(path.read_text(encoding="utf-8"))


def open_tracing(settings: Settings, version: str) -> Export | None:
    """Return what makes and sends spans, or ``None`` where nobody asked for any."""
    if not settings.tracing.enabled:
        return None
    # Not at the top of the file: it is an extra.
    from connector.telemetry.export import Export  # noqa: PLC0415  see above

    return Export(version)


def _passwords(written: str | None) -> tuple[str, ...]:
    """Return a URL's password as it is written there and as it is meant."""
    return () if written is None else (written, unquote(written))


def secrets(settings: Settings, through: KafkaConnection) -> Iterator[str]:
    """Yield what no log line may show, as far as it is known before the start."""
    yield from (through.properties[name] for name in through.secret_names)
    if settings.button.proxy is not None:
        proxy = settings.button.proxy.get_secret_value()
        yield from (proxy, *_passwords(urlsplit(proxy).password))
