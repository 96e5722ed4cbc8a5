# SPDX-License-Identifier: Apache-2.0
"""Which of Kafka's errors pass by themselves, and which need an operator.

Owns that verdict and the words in which an operator is told. Never ends anything: whoever asked decides what a
:class:`KafkaFailure` stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError

from connector.engine.observations import DependencyUnavailable
from connector.kafka import codes

if TYPE_CHECKING:
    from connector.engine.observations import Observation

_REPEAT_AFTER_SECONDS = 30.0


class KafkaFailure(Exception):  # noqa: N818  the field calls it a failure; it is data until somebody raises it
    """Kafka cannot be used any more; ``reason`` names the setting and the remedy."""

    def __init__(self, reason: str) -> None:
        """Keep the reason, as it is shown to the operator."""
        super().__init__(reason)
        self.reason = reason


class Place(NamedTuple):
    """What an error is about, as far as the client said; ``setting`` is the key of the topic."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    setting: str = "kafka.topics"

    def __str__(self) -> str:
        """Return the place as messages write it."""
        if self.topic is None:
            return "the cluster"
        if self.partition is None or self.partition < 0:
            return self.topic
        return f"{self.topic}/{self.partition}"


_ALWAYS = {
    codes.FATAL: (
        "Start the connector again; if it comes back, look for a second process with the same kafka.group_instance_id."
    ),
    codes.AUTO_OFFSET_RESET: (
        "The group's committed offset is not in the topic any more: retention removed the records, or the topic was "
        "recreated. Find out what was lost, then set the group's offsets (kafka-consumer-groups --reset-offsets) and "
        "start again."
    ),
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "{setting}: allow the connector's user to READ and DESCRIBE the topic.",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "kafka.group_id: allow the connector's user to READ the group.",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "Allow the connector's user IDEMPOTENT_WRITE on the cluster.",
    KafkaError.INVALID_SESSION_TIMEOUT: (
        "kafka.session_timeout_ms: choose a value between the broker's group.min.session.timeout.ms and "
        "group.max.session.timeout.ms."
    ),
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        "kafka.group_id: another kind of consumer is in this group; stop it or choose another group."
    ),
    KafkaError.INVALID_GROUP_ID: "kafka.group_id: choose another group.",
    KafkaError.GROUP_MAX_SIZE_REACHED: "kafka.group_id: the broker allows no more members in this group.",
    KafkaError.UNSUPPORTED_VERSION: "The broker is too old for what is asked of it; see the supported versions.",
}
# Once records have come, these pass: a topic is briefly unknown while brokers restart, credentials are rotated.
_AT_START = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "{setting}: create the topic, or correct its name.",
    codes.UNKNOWN_TOPIC: "{setting}: create the topic, or correct its name.",
}
# The code of what was fatal is not told, but its words are the client's own.
_UNRELEASED = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()
_SASL = "check sasl.username, sasl.password and sasl.mechanism."
_TRUST = (
    "give the authority of the brokers' certificate, and see that kafka.bootstrap_servers has the names that are in it."
)
_CERTIFICATE = "give a certificate of ours, with its key, from an authority that the brokers trust."
# The client has no codes for these, and it tells of some of them as of a broken connection.
_TLS = (
    ("certificate verify failed", "ssl.ca.location", _TRUST),
    ("alert bad certificate", "ssl.certificate.location", _CERTIFICATE),
    ("alert certificate required", "ssl.certificate.location", _CERTIFICATE),
    ("alert unknown ca", "ssl.certificate.location", _CERTIFICATE),
    ("alert certificate unknown", "ssl.certificate.location", _CERTIFICATE),
)


def refused_connection(error: KafkaError) -> tuple[str, str] | None:
    """Return the property that decides and the remedy where a connection was refused for what we are, or they are."""
    if error.code() in {codes.AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}:
        return "sasl.password", _SASL
    said = error.str()
    return next(((name, remedy) for sign, name, remedy in _TLS if sign in said), None)


def is_unreleased(error: KafkaError) -> bool:
    """Return whether the group has not released the static member's id yet: that of a process that died just now."""
    is_told = error.code() in {codes.FATAL, KafkaError.UNRELEASED_INSTANCE_ID}
    return is_told and _UNRELEASED in error.str()


def failure_of(error: KafkaError, place: Place, *, is_starting: bool) -> KafkaFailure | None:
    """Return why only an operator can help, or ``None`` for what passes by itself.

    Judges by code: the one message of a fatal error says of itself that it is not fatal.
    """
    code = error.code()
    remedy = _ALWAYS.get(code) or (_at_start(error) if is_starting else None)
    if remedy is None and error.fatal():
        remedy = _ALWAYS[codes.FATAL]
    if remedy is None:
        return None
    where = f"{place} at offset {place.offset}" if place.offset is not None and place.offset >= 0 else str(place)
    return KafkaFailure(
        f"Kafka: {where}: {error.str()} ({error.name()}). {remedy.format(setting=place.setting)}",
    )


def _at_start(error: KafkaError) -> str | None:
    refused = refused_connection(error)
    if refused is not None:
        name, remedy = refused
        return f"kafka.properties.{name}: {remedy}"
    return _AT_START.get(error.code())


class Complaints:
    """Turns a stream of passing errors into few observations: each kind of error at most once in a while."""

    def __init__(self, name: str) -> None:
        """Complain about the dependency of this name."""
        self._name = name
        self._said_at: dict[int, float] = {}

    def about(self, error: KafkaError, now: float) -> Observation | None:
        """Return what is to be observed, or ``None`` if it was said not long ago; ``now`` is monotonic."""
        said_at = self._said_at.get(error.code())
        if said_at is not None and now - said_at < _REPEAT_AFTER_SECONDS:
            return None
        self._said_at[error.code()] = now
        return DependencyUnavailable(self._name, f"{error.str()} ({error.name()})")


def kafka_error(exception: BaseException) -> KafkaError:
    """Return the error that a client's exception carries."""
    first = exception.args[0] if exception.args else None
    return first if isinstance(first, KafkaError) else KafkaError(codes.FAIL, str(exception))
