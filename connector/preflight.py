# SPDX-License-Identifier: Apache-2.0
"""What is looked at before the start.

Owns which questions are asked, in which order, and that a cluster which does not answer yet is waited for. Starts
nothing, and changes nothing but that the ledger's topic is made where it may be.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from connector import telemetry, wiring
from connector.avro.writers import MappingError
from connector.kafka.compaction import check_compaction
from connector.kafka.configuration import refused_configuration
from connector.kafka.ledger_topic import open_ledger_topic
from connector.kafka.origins import named, origins_of
from connector.kafka.rights import Use, check_rights
from connector.kafka.topics import Problem, check_topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.engine.ports import Origin
    from connector.kafka.ledger_topic import LedgerTopic
    from connector.kafka.options import KafkaConnection
    from connector.ops.logs import Log
    from connector.settings import Settings

T = TypeVar("T")


class Findings(NamedTuple):
    """What was found; with a cluster that did not answer, its one problem is that."""

    problems: list[Problem]
    is_reachable: bool


def refused_settings(settings: Settings, through: KafkaConnection) -> list[Problem]:
    """Return which settings the libraries refuse that they are for; asks no other machine."""
    refused = refused_configuration(
        wiring.source_options(settings, through),
        wiring.dead_letter_options(settings, through),
    )
    problems = [] if refused is None else [refused]
    try:
        wiring.open_transport(settings)
    except ValueError as error:
        option, _, rest = str(error).partition(" ")
        problems.append(Problem(f"button.{option}", rest, may_pass=False))
    try:
        wiring.elsewhere(settings)
    except MappingError as error:
        problems += [Problem(f"mapping.{each.key}", each.what, may_pass=False) for each in error.problems]
    if settings.tracing.enabled and not telemetry.is_installed():
        what = "needs packages that are not installed. Install button-connector[otel], or set it to false."
        problems.append(Problem("tracing.enabled", what, may_pass=False))
    return problems


def check_cluster(settings: Settings, through: KafkaConnection, is_wanted: Callable[[], bool]) -> Findings:
    """Ask the cluster; blocks, for some seconds at most. ``is_wanted`` is asked in between."""
    uses = (
        Use("kafka.topics", settings.kafka.topics, "READ"),
        Use("sessions.topic", (settings.sessions.topic,), "READ"),
        Use("dead_letters.topic", (settings.dead_letters.topic,), "WRITE"),
    )
    problems = check_topics(through, {use.setting: use.topics for use in uses}, is_wanted=is_wanted)
    if problems or not is_wanted():
        return Findings(problems, is_reachable=not any(problem.may_pass for problem in problems))
    problems = check_rights(wiring.source_options(settings, through), uses)
    if not problems and is_wanted():
        must_be_known = settings.sessions.compaction_unknown == "refuse"
        compaction = check_compaction(through, settings.sessions.topic, must_be_known=must_be_known)
        if compaction is not None:
            return Findings([compaction], is_reachable=not (must_be_known and compaction.may_pass))
    return Findings(problems, is_reachable=True)


async def wait_for_cluster(
    settings: Settings,
    through: KafkaConnection,
    told_to_stop: asyncio.Event,
    log: Log,
) -> bool:
    """Return whether to start: once the cluster has answered and nothing is wrong; else why not is in the log."""

    def ask() -> tuple[Findings, None]:
        return check_cluster(settings, through, lambda: not told_to_stop.is_set()), None

    return await _once_answered(ask, told_to_stop, log) is not None


async def open_ledger(
    settings: Settings,
    through: KafkaConnection,
    told_to_stop: asyncio.Event,
    log: Log,
) -> LedgerTopic | None:
    """Return the ledger's topic, made if it was missing and may be; ``None`` if there is to be no start."""
    options = wiring.ledger_topic_options(settings, through)

    def ask() -> tuple[Findings, LedgerTopic]:
        topic = open_ledger_topic(options)
        return Findings(list(topic.problems), is_reachable=topic.partitions > 0), topic

    answered = await _once_answered(ask, told_to_stop, log)
    return None if answered is None else answered[0]


async def ask_origins(
    settings: Settings,
    through: KafkaConnection,
    told_to_stop: asyncio.Event,
    log: Log,
) -> dict[str, Origin] | None:
    """Return which topics the events come from, once the cluster has said so; ``None`` if there is to be no start.

    Brokers that are known to say little are asked once; the setting is about another question of the same kind.
    """
    must_be_known = settings.sessions.compaction_unknown == "refuse"

    def ask() -> tuple[Findings, dict[str, Origin]]:
        origins = origins_of(through, settings.kafka.topics)
        is_enough = origins is not None or not must_be_known
        return Findings([], is_reachable=is_enough), origins or named(settings.kafka.topics)

    answered = await _once_answered(ask, told_to_stop, log)
    return None if answered is None else answered[0]


async def _once_answered(
    ask: Callable[[], tuple[Findings, T]],
    told_to_stop: asyncio.Event,
    log: Log,
) -> tuple[T] | None:
    """Ask until there is an answer; return it if nothing is wrong, else ``None``, and why is in the log."""
    while True:
        stopped = asyncio.ensure_future(told_to_stop.wait())
        asked = _in_thread(ask)
        waited: set[asyncio.Future[Any]] = {stopped, asked}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if told_to_stop.is_set():
            log.info("stopped", message="asked to stop before the start was over")
            return None
        findings, answer = asked.result()
        for problem in findings.problems:
            _tell(log, problem, is_reachable=findings.is_reachable)
        if not all(problem.may_pass for problem in findings.problems):
            return None
        if findings.is_reachable:
            return (answer,)


def _tell(log: Log, problem: Problem, *, is_reachable: bool) -> None:
    if not problem.may_pass:
        log.error("cannot start", key=problem.setting, message=problem.message)
    else:
        line = "starting all the same" if is_reachable else "waiting"
        log.warning(line, key=problem.setting, message=problem.message)


def _in_thread(function: Callable[[], T]) -> asyncio.Future[T]:
    """Call what blocks on a thread that nobody has to wait for when the process ends."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def call() -> None:
        resolve: Callable[[], None]
        try:
            resolve = partial(answer.set_result, function())
        except Exception as exception:  # noqa: BLE001  it is raised again where it is awaited
            resolve = partial(answer.set_exception, exception)
        with contextlib.suppress(RuntimeError):  # The loop is gone, and with it whoever asked.
            loop.call_soon_threadsafe(resolve)

    threading.Thread(target=call, name="preflight", daemon=True).start()
    return answer
