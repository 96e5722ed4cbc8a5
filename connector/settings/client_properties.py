# SPDX-License-Identifier: Apache-2.0
"""Properties of the Kafka client that are passed through as they are, from the settings or from files.

Owns which of them are the connector's own (each carries a promise, so none can be overridden), which hold secrets,
and how a value is written. Knows no other property: whether there is one of a name, the client says. A refusal never
holds a value.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, JsonValue, PlainSerializer, SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from connector.settings.base import refusal

MASK = "**********"
DOTTED_NAMES: dict[str, JsonValue] = {"x-dotted-names": True}
"""Marks a setting whose keys are dotted names; an environment variable writes them with underscores."""

_LOG_LEVEL = "log_level"
_NAME = re.compile(rf"[a-z0-9]+(\.[a-z0-9]+)*|{_LOG_LEVEL}")
_SECRET = re.compile(r"password|passphrase|secret|token|credential|\.pem$|\.key$|oauthbearer\.config$")
_IS_PATH = re.compile(r"\.location$")
_PROBE = "probe"
"""The client's word for: look where systems keep their authorities."""
_TEXT_ONLY = re.compile(rf"{_SECRET.pattern}|username$|\.id$")

_COMMIT = "an offset is committed when what it covers was acknowledged, and never otherwise"
_LETTERS = "a dead letter counts as written when all in-sync replicas have it, and is written again until then"
_FOLLOWS = "the connector follows whole topics with the same client"
_OWN = {
    "bootstrap.servers": ("it has a setting", "Use kafka.bootstrap_servers."),
    "metadata.broker.list": ("it has a setting", "Use kafka.bootstrap_servers."),
    "group.id": ("it has a setting", "Use kafka.group_id."),
    "group.instance.id": ("it has a setting", "Use kafka.group_instance_id."),
    "group.protocol": ("it has a setting", "Use kafka.group_protocol."),
    "session.timeout.ms": ("it has a setting", "Use kafka.session_timeout_ms."),
    "max.poll.interval.ms": ("it has a setting", "Use kafka.max_poll_interval_ms."),
    "topic.metadata.refresh.interval.ms": ("it has a setting", "Use kafka.metadata_refresh_interval_ms."),
    "enable.auto.commit": (_COMMIT, "Leave it out."),
    "auto.commit.enable": (_COMMIT, "Leave it out."),
    "auto.commit.interval.ms": (_COMMIT, "Leave it out; see delivery.commit_interval_seconds."),
    "enable.auto.offset.store": (_COMMIT, "Leave it out."),
    "offset.store.method": (_COMMIT, "Leave it out."),
    "auto.offset.reset": ("nothing may skip records on its own", "Use kafka.start, which counts for a new group."),
    "isolation.level": ("what was written in an aborted transaction is no order", "Leave it out."),
    "partition.assignment.strategy": (
        "partitions are handed over one by one, each after its drain",
        "Leave it out; see kafka.group_protocol.",
    ),
    "enable.partition.eof": (_FOLLOWS, "Leave it out."),
    "enable.idempotence": (_LETTERS, "Leave it out."),
    "enable.gapless.guarantee": (_LETTERS, "Leave it out."),
    "acks": (_LETTERS, "Leave it out."),
    "request.required.acks": (_LETTERS, "Leave it out."),
    "message.timeout.ms": (_LETTERS, "Leave it out."),
    "delivery.timeout.ms": (_LETTERS, "Leave it out."),
    "transactional.id": (_LETTERS, "Leave it out."),
}


def dotted_name(name: str) -> str:
    """Return a property's name from how a variable writes it."""
    return name if "." in name or name == _LOG_LEVEL else name.replace("_", ".")


def is_secret(name: str) -> bool:
    """Return whether a property's value may never be shown."""
    return _SECRET.search(name) is not None


def read_property_file(path: Path) -> SecretStr:
    """Return what a file says, without the line break at its end; raises ``OSError`` and ``UnicodeDecodeError``."""
    return SecretStr(path.read_text(encoding="utf-8").rstrip("\r\n"))


def refuse_all(found: Iterable[PydanticCustomError | None], *below: str) -> None:
    """Raise everything that is wrong with a mapping in one go; ``below`` is where it lies, seen from the validator."""
    errors = [InitErrorDetails(type=error, loc=below, input=None) for error in found if error is not None]
    if errors:
        what = "properties"
        raise ValidationError.from_exception_data(what, errors)


def _wrong_with_name(name: str) -> PydanticCustomError | None:
    if name in _OWN:
        why, remedy = _OWN[name]
        return refusal(f"is the connector's own: {why}", remedy, key=name)
    if _NAME.fullmatch(name) is None:
        what, remedy = "is not the name of a client property", "Write it as librdkafka does: lower case, with dots."
        return refusal(what, remedy, key=name)
    return None


def _wrong_with_value(name: str, value: object) -> PydanticCustomError | None:
    if isinstance(value, str):
        return _wrong_with_path(name, Path(value)) if _IS_PATH.search(name) and value != _PROBE else None
    if _TEXT_ONLY.search(name):
        # YAML reads 0123 as an octal number: the text that was meant is lost.
        what = "is not text"
        return refusal(what, "Put it in quotes.", key=name)
    if not isinstance(value, int):
        what = "is not text, a whole number, true or false"
        return refusal(what, "Give one of them; put text in quotes.", key=name)
    return None


def _wrong_with_path(name: str, path: Path) -> PydanticCustomError | None:
    """Look at a path that the client would open: what it says itself of an unreadable one is hard to read."""
    try:
        path.stat()
        if path.is_file():
            path.open("rb").close()
    except (OSError, ValueError) as error:
        return _unreadable(name, error)
    return None


def _unreadable(name: str, error: OSError | ValueError) -> PydanticCustomError:
    reason = (error.strerror if isinstance(error, OSError) else None) or "it is no path"
    what = f"names a file that cannot be read ({reason})"
    return refusal(what, "Check the path, and that the connector's user may read the file.", key=name)


def _wrong_with_file(name: str, path: object) -> PydanticCustomError | None:
    if _IS_PATH.search(name):
        what = "is itself the path of a file"
        return refusal(what, f"Give it as kafka.properties.{name}.", key=name)
    if not isinstance(path, str | Path):
        what = "is not a path"
        return refusal(what, "Give the path of a file.", key=name)
    try:
        is_empty = not read_property_file(Path(path)).get_secret_value()
    except UnicodeDecodeError:
        what = "names a file that is not text"
        return refusal(what, "Put the value, and nothing else, into the file.", key=name)
    except (OSError, ValueError) as error:
        return _unreadable(name, error)
    what = "names a file that is empty"
    return refusal(what, "Put the value, and nothing else, into the file.", key=name) if is_empty else None


def _check_properties(properties: object) -> object:
    if not isinstance(properties, dict):
        return properties
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in properties.items()
    }
    refuse_all(_wrong_with_name(str(name)) or _wrong_with_value(name, value) for name, value in plain.items())
    return {name: _written(value) for name, value in plain.items()}


def _written(value: object) -> object:
    """Return a value as the client reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _check_files(files: object) -> object:
    if not isinstance(files, dict):
        return files
    refuse_all(_wrong_with_name(str(name)) or _wrong_with_file(name, path) for name, path in files.items())
    return files


def _shown(properties: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: MASK if is_secret(name) else value.get_secret_value() for name, value in properties.items()}


Properties = Annotated[
    Mapping[str, SecretStr],
    BeforeValidator(_check_properties),
    PlainSerializer(_shown, return_type=dict[str, str]),
]
"""Name to value, as the client reads it. All are kept as secrets, so that none is shown by accident."""
PropertyFiles = Annotated[Mapping[str, Path], BeforeValidator(_check_files)]
"""Name to the file that holds the value and nothing else."""
