# SPDX-License-Identifier: Apache-2.0
"""What happens, made into its log line and its metric.

Owns the one place where each observation is handled; line and metric are written side by side. What happens for every
order only counts, unless the log's level is ``debug``; what may happen for every order (failures) is written at most
once a second for each reason. Never raises: a fault of the log must not stop an order, so it is counted instead.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from connector.engine import observations as seen
from connector.ops.instruments import Instruments
from connector.ops.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from structlog.typing import FilteringBoundLogger

    from connector.engine.ports import TopicPartition
    from connector.ops.metrics import Metrics

_SAME_LINE_SECONDS = 1.0
_RUNNING = "running"


class OpsObserver:
    """Implements the engine's ``Observer``."""

    def __init__(self, metrics: Metrics, log: FilteringBoundLogger, now: Callable[[], float] = time.monotonic) -> None:
        """Make the instruments; ``now`` gives seconds, for leaving out like lines."""
        self._metrics = metrics
        self._instruments = Instruments(metrics)
        self._log = log
        self._is_verbose = log.is_enabled_for(logging.DEBUG)
        self._now = now
        self._throttle = Throttle(_SAME_LINE_SECONDS)
        self._state = _RUNNING
        self._instruments.admission_state[(_RUNNING,)].set(1)
        # By class: a match statement would try case after case for what happens most often.
        self.handlers: dict[type[seen.Observation], Callable[[Any], None]] = {
            seen.PartitionsAssigned: self._partitions_assigned,
            seen.PartitionsRevoked: self._partitions_revoked,
            seen.PartitionsLost: self._partitions_lost,
            seen.LeaseLapsed: self._lease_lapsed,
            seen.LeaseRenewed: self._lease_renewed,
            seen.RecordsReceived: self._records_received,
            seen.TombstoneSkipped: self._tombstone_skipped,
            seen.EventSkipped: self._event_skipped,
            seen.OrderDelivered: self._order_delivered,
            seen.LargeTotalTold: self._large_total_told,
            seen.AttemptFailed: self._attempt_failed,
            seen.AttemptFinished: self._attempt_finished,
            seen.DeadLettered: self._dead_lettered,
            seen.TokenLookedUp: self._token_looked_up,
            seen.FactNoted: self._fact_noted,
            seen.FactUnclean: self._fact_unclean,
            seen.AdmissionChanged: self._admission_changed,
            seen.DeadLettersHalted: self._dead_letters_halted,
            seen.OffsetsCommitted: self._offsets_committed,
            seen.CommitFailed: self._commit_failed,
            seen.StaleCompletion: self._stale_completion,
            seen.TableCaughtUp: self._table_caught_up,
            seen.TableRestoring: self._table_restoring,
            seen.TableRebuilt: self._table_rebuilt,
            seen.BadTableRecord: self._bad_table_record,
            seen.WriterSchemaUnusable: self._writer_schema_unusable,
            seen.DependencyUnavailable: self._dependency_unavailable,
        }

    def __call__(self, observation: seen.Observation) -> None:
        """Take note of what happened."""
        try:
            self.handlers[type(observation)](observation)
        except Exception:  # noqa: BLE001  the port promises not to raise
            self._metrics.fault(type(observation).__name__)

    # For every record, event or call

    def _records_received(self, batch: seen.RecordsReceived) -> None:
        self._instruments.records_received.inc(batch.count)
        if self._is_verbose:
            self._log.debug("records received", count=batch.count)

    def _tombstone_skipped(self, tombstone: seen.TombstoneSkipped) -> None:
        self._instruments.tombstones_skipped.inc()
        if self._is_verbose:
            self._log.debug("tombstone skipped", **_position(tombstone.topic_partition, tombstone.offset))

    def _event_skipped(self, event: seen.EventSkipped) -> None:
        self._instruments.events_skipped[(event.reason,)].inc()
        if self._is_verbose:
            self._log.debug("event skipped", reason=event.reason)

    def _token_looked_up(self, token: seen.TokenLookedUp) -> None:
        self._instruments.tokens_looked_up[(token.source,)].inc()
        if self._is_verbose:
            self._log.debug("token looked up", source=token.source)

    def _fact_noted(self, fact: seen.FactNoted) -> None:
        self._instruments.facts_noted[(fact.reason,)].inc()
        if self._is_verbose:
            self._log.debug("fact noted", reason=fact.reason)

    def _fact_unclean(self, _fact: seen.FactUnclean) -> None:
        self._instruments.facts_unclean.inc()
        if self._is_verbose:
            self._log.debug("order told of elsewhere meanwhile, it is told everything once more")

    def _attempt_finished(self, call: seen.AttemptFinished) -> None:
        self._instruments.attempt_seconds[call.operation, call.result].observe(call.seconds)
        if self._is_verbose:
            self._log.debug("call finished", operation=call.operation, result=call.result, seconds=call.seconds)

    def _order_delivered(self, order: seen.OrderDelivered) -> None:
        self._instruments.orders_delivered[order.operation, order.outcome].inc()
        if self._is_verbose:
            fields = {"operation": order.operation, "outcome": order.outcome, "attempts": order.attempts}
            self._log.debug("order delivered", **fields)

    # What goes wrong

    def _attempt_failed(self, call: seen.AttemptFailed) -> None:
        self._instruments.attempts_failed[call.operation, call.reason].inc()
        self._warn_now_and_then(
            "call failed, it is made again",
            call.reason,
            **_position(call.topic_partition, call.offset),
            operation=call.operation,
            reason=call.reason,
            message=call.message,
            attempts=call.attempts,
            retry_in_seconds=round(call.retry_in_seconds, 3),
        )

    def _large_total_told(self, order: seen.LargeTotalTold) -> None:
        self._instruments.large_totals.inc()
        fields = _position(order.topic_partition, order.offset)
        self._warn_now_and_then(
            "order with a very large total told, see whether amount and currency are right",
            "",
            **fields,
        )

    def _dead_lettered(self, letter: seen.DeadLettered) -> None:
        self._instruments.dead_letters[letter.stage, letter.reason].inc()
        self._log.warning(
            "dead letter written",
            **_position(letter.topic_partition, letter.offset),
            event_index=letter.event_index,
            stage=letter.stage,
            reason=letter.reason,
            message=letter.message,
        )

    def _commit_failed(self, commit: seen.CommitFailed) -> None:
        self._instruments.commits_failed.inc()
        fields = {"topic": commit.topic_partition.topic, "partition": commit.topic_partition.partition}
        self._warn_now_and_then("commit failed, it is made again", commit.reason, **fields, reason=commit.reason)

    def _stale_completion(self, event: seen.StaleCompletion) -> None:
        self._instruments.stale_completions.inc()
        fields = _position(event.topic_partition, event.offset)
        self._warn_now_and_then("event finished after its partition was gone, it is read again", "", **fields)

    def _bad_table_record(self, record: seen.BadTableRecord) -> None:
        self._instruments.bad_table_records[(record.table,)].inc()
        fields = _position(record.topic_partition, record.offset)
        line = "record of a table cannot be read, it is passed over"
        self._warn_now_and_then(line, record.table, table=record.table, **fields, message=record.message)

    def _writer_schema_unusable(self, schema: seen.WriterSchemaUnusable) -> None:
        self._instruments.writer_schemas_unusable[(schema.reason,)].inc()
        fields = {"schema_id": schema.schema_id, "reason": schema.reason, "message": schema.message}
        if schema.table is None:
            self._log.warning("orders of a writer's schema cannot be delivered, they become dead letters", **fields)
        else:
            line = "records of a writer's schema cannot be read, they are passed over"
            self._log.warning(line, table=schema.table, **fields)

    def _dependency_unavailable(self, dependency: seen.DependencyUnavailable) -> None:
        self._instruments.dependency_failures[(dependency.name,)].inc()
        line = "dependency does not answer, waiting for it"
        self._warn_now_and_then(line, dependency.name, name=dependency.name, message=dependency.message)

    def _warn_now_and_then(self, line: str, key: str, **fields: object) -> None:
        left_out = self._throttle.admit((line, key), self._now())
        if left_out is not None:
            self._log.warning(line, **fields, **({"like_lines_left_out": left_out} if left_out else {}))

    # The life of the process

    def _partitions_assigned(self, assigned: seen.PartitionsAssigned) -> None:
        self._instruments.rebalances[("assigned",)].inc()
        starts = [f"{partition} from {offset}" for partition, offset in sorted(assigned.starts.items())]
        self._log.info("partitions assigned", partitions=starts)

    def _partitions_revoked(self, revoked: seen.PartitionsRevoked) -> None:
        self._instruments.rebalances[("revoked",)].inc()
        self._instruments.drain_seconds.observe(revoked.drained_in_seconds)
        self._forget(revoked.partitions, revoked.unfinished)
        self._log.info(
            "partitions revoked",
            partitions=_names(revoked.partitions),
            unfinished=revoked.unfinished,
            drained_in_seconds=round(revoked.drained_in_seconds, 3),
        )

    def _partitions_lost(self, lost: seen.PartitionsLost) -> None:
        self._instruments.rebalances[("lost",)].inc()
        self._forget(lost.partitions, lost.unfinished)
        self._log.warning("partitions lost", partitions=_names(lost.partitions), unfinished=lost.unfinished)

    def _lease_lapsed(self, lapse: seen.LeaseLapsed) -> None:
        self._instruments.lease_lapses.inc()
        self._log.warning("lease lapsed, no call is started", reason=lapse.reason)

    def _lease_renewed(self, renewal: seen.LeaseRenewed) -> None:
        self._log.info("lease renewed, calls go on", lapsed_seconds=round(renewal.lapsed_seconds, 3))

    def _forget(self, partitions: Iterable[TopicPartition], unfinished: int) -> None:
        self._instruments.events_unfinished.inc(unfinished)
        for topic, partition in partitions:
            self._instruments.committed_offset.forget((topic, str(partition)))

    def _offsets_committed(self, commit: seen.OffsetsCommitted) -> None:
        self._instruments.commits.inc(len(commit.offsets))
        for (topic, partition), offset in commit.offsets.items():
            self._instruments.committed_offset[topic, str(partition)].set(offset)
        if self._is_verbose:
            self._log.debug("offsets committed", offsets={str(key): value for key, value in commit.offsets.items()})

    def _admission_changed(self, admission: seen.AdmissionChanged) -> None:
        self._instruments.admission_state[(self._state,)].set(0)
        self._instruments.admission_state[(admission.state,)].set(1)
        self._state = admission.state
        write = self._log.info if admission.state == _RUNNING else self._log.warning
        write("admission changed", state=admission.state, reason=admission.reason, message=admission.message)

    def _dead_letters_halted(self, halted: seen.DeadLettersHalted) -> None:
        if halted.is_halted:
            line = "too many dead letters, nothing is decided until one event ends well"
            self._log.warning(line, message=halted.message)
        else:
            self._log.info("events are decided again after too many dead letters", message=halted.message)

    def _table_caught_up(self, caught_up: seen.TableCaughtUp) -> None:
        self._instruments.table_records[(caught_up.table,)].set(caught_up.records)
        self._instruments.table_seconds[(caught_up.table,)].set(caught_up.seconds)
        seconds = round(caught_up.seconds, 3)
        self._log.info("table caught up", table=caught_up.table, records=caught_up.records, seconds=seconds)

    def _table_restoring(self, restoring: seen.TableRestoring) -> None:
        fields = {"table": restoring.table, "read": restoring.read, "total": restoring.total}
        seconds_left = None if restoring.seconds_left is None else round(restoring.seconds_left)
        self._log.info("table is being read from its topic", **fields, seconds_left=seconds_left)

    def _table_rebuilt(self, rebuilt: seen.TableRebuilt) -> None:
        self._instruments.table_rebuilds[(rebuilt.table,)].inc()
        line = "copy of a table is deleted, it is read again from its topic"
        self._log.warning(line, table=rebuilt.table, reason=rebuilt.reason)


def _position(topic_partition: TopicPartition, offset: int) -> dict[str, str | int]:
    return {"topic": topic_partition.topic, "partition": topic_partition.partition, "offset": offset}


def _names(partitions: Iterable[TopicPartition]) -> list[str]:
    return [str(partition) for partition in sorted(partitions)]
