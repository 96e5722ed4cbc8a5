# SPDX-License-Identifier: Apache-2.0
"""A schema registry over HTTP, asked through confluent-kafka's own client.

Owns what each answer of the registry means, and that asking never blocks the event loop. Each attempt has a client of
its own: ids are asked for once in a schema's life, and a new client reads the password and the certificates as they are
now and remembers nothing. Never shows the password.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError

from connector.avro.fetched import Fetched, Found, Unavailable, Unknown, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from confluent_kafka.schema_registry import Schema

T = TypeVar("T")
_Version = tuple[str, int]
"""A subject and the number of a version."""

_NOT_FOUND_CODES = range(40400, 40500)
"""The registry's own codes of what it does not have; a bare 404 comes from whatever is at a wrong address."""
_MOST_REFERENCES = 100
_OVERALL_FACTOR = 10
"""The client bounds each read, not the whole: an answer of single bytes would never end."""
_LONGEST_SAID = 200
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """Where the registry is and how it is asked.

    ``url`` may hold several with commas between them. ``read_password`` is asked before each attempt.
    """

    url: str
    username: str | None = None
    read_password: Callable[[], str] | None = None
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    request_timeout_seconds: float = 5.0

    def config(self) -> dict[str, Any]:
        """Return the client's configuration; attempts are repeated by whoever asks."""
        config: dict[str, Any] = {"url": self.url, "timeout": self.request_timeout_seconds, "max.retries": 0}
        if self.username is not None and self.read_password is not None:
            config["basic.auth.user.info"] = f"{self.username}:{self.read_password()}"
        files = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.client_cert_file,
            "ssl.key.location": self.client_key_file,
        }
        if self.client_cert_file is not None:
            config["ssl.key.password"] = ""  # keeps OpenSSL from asking for one at the terminal
        return config | {name: str(file) for name, file in files.items() if file is not None}


class ConfluentRegistry:
    """Implements :class:`connector.avro.fetched.SchemaSource`."""

    def __init__(self, options: RegistryOptions) -> None:
        """Take the options; nothing is asked yet."""
        self._options = options

    async def fetch(self, schema_id: int) -> Fetched:
        """Ask once, in a thread of its own."""
        seconds = self._options.request_timeout_seconds * _OVERALL_FACTOR
        try:
            async with asyncio.timeout(seconds):
                return await _in_a_thread(lambda: self._fetch(schema_id))
        except TimeoutError:
            return _unavailable(self._options, f"no whole answer within {seconds:g} s")

    def _fetch(self, schema_id: int) -> Fetched:
        return ask(self._options, lambda client: found(client, client.get_schema(schema_id)))


def ask(options: RegistryOptions, work: Callable[[SchemaRegistryClient], T]) -> T | Unusable | Unknown | Unavailable:
    """Return what the work gets of a client of its own, or what the registry's answer means instead; blocks."""
    try:
        with SchemaRegistryClient(options.config()) as client:
            return work(client)
    except SchemaRegistryError as error:
        return _judge(options, error)
    except _UnusableError as error:
        return Unusable(str(error))
    except ssl.SSLError as error:
        return _unavailable(options, f"the TLS files cannot be used ({error.reason}); check schema_registry.ca_file")
    except OSError as error:
        return _unavailable(options, f"a file of schema_registry cannot be read ({error.strerror})")
    except Exception as error:  # noqa: BLE001  the client's own errors, and what it does with an answer that is none
        return _unavailable(options, f"{type(error).__name__}: {error}"[:_LONGEST_SAID])


def _judge(options: RegistryOptions, error: SchemaRegistryError) -> Unknown | Unavailable:
    status, code = error.http_status_code, error.error_code
    if status == _NOT_FOUND and code in _NOT_FOUND_CODES:
        return Unknown(f"the schema registry at {options.url} does not have it ({code})")
    if status == _UNAUTHORIZED:
        what = "it refuses the credentials (401); check schema_registry.username and password"
    elif status == _FORBIDDEN:
        what = "it forbids reading schemas (403); allow it to schema_registry.username"
    else:
        said = f": {error.error_message}"[:_LONGEST_SAID] if (code or 0) > 0 else ""  # no code: not a registry's text
        what = f"HTTP {status}{said}; check schema_registry.url if it stays"
    return _unavailable(options, what)


def _unavailable(options: RegistryOptions, problem: str) -> Unavailable:
    return Unavailable(f"{options.url}: {problem}")


class _UnusableError(Exception):
    """The schema is none that can be read by; the text says why."""


def found(client: SchemaRegistryClient, schema: Schema) -> Found:
    """Return a schema with all that it refers to; for the work of :func:`ask`."""
    references: dict[_Version, Any] = {}
    _collect(client, schema, references)
    return Found(_parsed(schema), tuple(references.values()))


def _collect(client: SchemaRegistryClient, schema: Schema, collected: dict[_Version, Any], depth: int = 0) -> None:
    """Collect the schemas that this one refers to, depth first, so that each lies behind those it uses itself."""
    if depth > _MOST_REFERENCES or len(collected) > _MOST_REFERENCES:
        msg = f"it refers to more than {_MOST_REFERENCES} schemas"
        raise _UnusableError(msg)
    for reference in schema.references or ():
        version = (str(reference.subject), int(reference.version or 0))
        if version not in collected:
            # One that was deleted since is still what the values were written with.
            referred = client.get_version(*version, deleted=True).schema
            _collect(client, referred, collected, depth + 1)
            collected[version] = _parsed(referred)


def _parsed(schema: Schema) -> object:
    if (schema.schema_type or "AVRO") != "AVRO":
        msg = f"it is a schema of type {schema.schema_type}; write the events in Avro"
        raise _UnusableError(msg)
    if schema.schema_str is None:
        msg = "the answer holds no schema; check that schema_registry.url is a schema registry"
        raise ValueError(msg)
    try:
        return json.loads(schema.schema_str)
    except (ValueError, RecursionError):
        msg = "its text is not JSON"
        raise _UnusableError(msg) from None


async def _in_a_thread(work: Callable[[], Fetched]) -> Fetched:
    """Run the work in a thread that nobody has to wait for when the process ends."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Fetched] = loop.create_future()

    def answer(fetched: Fetched) -> None:
        if not answered.done():
            answered.set_result(fetched)

    def run() -> None:
        fetched = work()
        with contextlib.suppress(RuntimeError):  # The loop is gone, and with it whoever asked.
            loop.call_soon_threadsafe(answer, fetched)

    threading.Thread(target=run, name="schema-registry", daemon=True).start()
    return await answered
