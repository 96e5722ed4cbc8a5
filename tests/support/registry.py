# SPDX-License-Identifier: Apache-2.0
"""A schema registry in memory, over real HTTP: what of the REST API a producer and the connector use.

Owns the registry's side of the protocol, and what can go wrong with it: it can end and come back at its address, be
slow, drip, answer anything with one status, refuse credentials, and not know an id yet. Imports nothing of the
connector; that it answers like a registry is proved by confluent-kafka's own client.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_DRIP_SECONDS = 0.05


class Stored(NamedTuple):
    """A schema under its id."""

    text: str
    kind: str
    references: Sequence[Mapping[str, Any]]


class Answer(NamedTuple):
    """A status and a body of JSON; an ``error_code`` says more than the status."""

    status: int
    body: object

    @classmethod
    def error(cls, code: int, message: str) -> Answer:
        """Return an error as registries write it: the code's first three digits are the status."""
        return cls(int(str(code)[:3]), {"error_code": code, "message": message})


@dataclass
class Faults:
    """What is wrong with the registry right now."""

    status: int | None = None
    body: bytes | None = None
    delay_seconds: float = 0.0
    is_dripping: bool = False
    unknown_ids: set[int] = field(default_factory=set)


class Registry:
    """The registry; ``with`` starts it on a free port of the loopback."""

    def __init__(self, *, credentials: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None) -> None:
        """Hold no schema; ``credentials`` are demanded when given."""
        self.faults = Faults()
        self.requests: list[str] = []
        self.authorizations: list[str | None] = []
        self._credentials = credentials
        self._tls = tls
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._lock = threading.Lock()
        self._schemas: dict[int, Stored] = {}
        self._versions: dict[str, list[int]] = {}
        self._deleted: set[tuple[str, int]] = set()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        self.stop()

    @property
    def url(self) -> str:
        """Where it is, also while it is down."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, at the same address as before."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_address[1]
        if self._tls is not None:
            # The handshake is made in the thread of the connection, not in the one that accepts.
            self._server.socket = self._tls.wrap_socket(
                self._server.socket,
                server_side=True,
                do_handshake_on_connect=False,
            )
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="registry", daemon=True).start()

    def stop(self) -> None:
        """Listen no more; whoever connects is refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def register(
        self,
        subject: str,
        schema: object,
        *,
        kind: str = "AVRO",
        references: Sequence[Mapping[str, Any]] = (),
    ) -> int:
        """Register a schema without HTTP, and return its id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        with self._lock:
            schema_id = self._id_of(Stored(text, kind, tuple(references)))
            versions = self._versions.setdefault(subject, [])
            if schema_id not in versions:
                versions.append(schema_id)
        return schema_id

    def asked_for(self, schema_id: int) -> int:
        """Count the requests for an id."""
        return self.requests.count(f"GET /schemas/ids/{schema_id}")

    def answer(self, method: str, path: str, body: Any, authorization: str | None) -> Answer:  # noqa: ANN401  any JSON
        """Answer one request."""
        self.requests.append(f"{method} {path}")
        self.authorizations.append(authorization)
        if self._credentials is not None and authorization != _basic(*self._credentials):
            return Answer.error(40101, "Unauthorized")
        for pattern, route in self._routes.items():
            match = re.fullmatch(pattern, f"{method} {path}")
            if match is not None:
                return route(body, *map(unquote, match.groups()))
        return Answer(404, {"error_code": 404, "message": "HTTP 404 Not Found"})

    @property
    def _routes(self) -> dict[str, Callable[..., Answer]]:
        return {
            r"GET /schemas/ids/(-?\d+)": self._by_id,
            r"GET /subjects/([^/]+)/versions/([^/]+)": self._by_version,
            r"GET /subjects/([^/]+)/versions": self._all_versions,
            r"DELETE /subjects/([^/]+)/versions/(\d+)": self._delete,
            r"POST /subjects/([^/]+)/versions": self._register,
            r"POST /subjects/([^/]+)": self._look_up,
            r"POST /compatibility/subjects/([^/]+)/versions/([^/]+)": self._compatibility,
        }

    def _by_id(self, _body: object, schema_id: str) -> Answer:
        stored = self._schemas.get(int(schema_id))
        if stored is None or int(schema_id) in self.faults.unknown_ids:
            return Answer.error(40403, f"Schema {schema_id} not found")
        return Answer(200, _shown(stored))

    def _by_version(self, _body: object, subject: str, version: str) -> Answer:
        versions = self._versions.get(subject)
        if versions is None:
            return Answer.error(40401, f"Subject '{subject}' not found.")
        number = len(versions) if version == "latest" else int(version)
        if not 0 < number <= len(versions):
            return Answer.error(40402, f"Version {version} not found.")
        return Answer(200, self._version(subject, number))

    def _all_versions(self, _body: object, subject: str) -> Answer:
        if subject not in self._versions:
            return Answer.error(40401, f"Subject '{subject}' not found.")
        numbers = range(1, len(self._versions[subject]) + 1)
        return Answer(200, [number for number in numbers if (subject, number) not in self._deleted])

    def _delete(self, _body: object, subject: str, version: str) -> Answer:
        self._deleted.add((subject, int(version)))
        return Answer(200, int(version))

    def _register(self, body: dict[str, Any], subject: str) -> Answer:
        stored = _stored(body)
        if stored.kind == "AVRO" and not _is_json(stored.text):
            return Answer.error(42201, "Invalid schema")
        return Answer(200, {"id": self.register(subject, stored.text, kind=stored.kind, references=stored.references)})

    def _look_up(self, body: dict[str, Any], subject: str) -> Answer:
        for number, schema_id in enumerate(self._versions.get(subject, ()), 1):
            if self._schemas[schema_id] == _stored(body):
                return Answer(200, self._version(subject, number))
        return Answer.error(40403, "Schema not found")

    def _compatibility(self, body: dict[str, Any], subject: str, version: str) -> Answer:
        found = self._by_version(None, subject, version)
        if not isinstance(found.body, dict) or found.status != 200:
            return found
        is_compatible = _can_read(json.loads(body["schema"]), json.loads(found.body["schema"]))
        return Answer(200, {"is_compatible": is_compatible})

    def _version(self, subject: str, number: int) -> dict[str, Any]:
        schema_id = self._versions[subject][number - 1]
        return {"subject": subject, "version": number, "id": schema_id, **_shown(self._schemas[schema_id])}

    def _id_of(self, stored: Stored) -> int:
        for schema_id, known in self._schemas.items():
            if known == stored:
                return schema_id
        schema_id = len(self._schemas) + 1
        self._schemas[schema_id] = stored
        return schema_id


def _can_read(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    """Tell whether a record's new version can read what the old one wrote; looks at its own fields alone."""
    written = {one["name"]: one["type"] for one in writer.get("fields", ())}
    return all(
        one["type"] == written[one["name"]] if one["name"] in written else "default" in one
        for one in reader.get("fields", ())
    )


def _stored(body: Mapping[str, Any]) -> Stored:
    return Stored(body["schema"], body.get("schemaType") or "AVRO", tuple(body.get("references") or ()))


def _shown(stored: Stored) -> dict[str, Any]:
    """Return a schema as registries show it: what is usual is left out."""
    shown: dict[str, Any] = {"schema": stored.text}
    if stored.kind != "AVRO":
        shown["schemaType"] = stored.kind
    if stored.references:
        shown["references"] = list(stored.references)
    return shown


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that go away, which is what many tests are about."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Let it be."""


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One connection, one request."""

        def handle_any(self) -> None:
            """Answer as the registry says, or as its faults do."""
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            faults = registry.faults
            time.sleep(faults.delay_seconds)
            path = urlsplit(self.path).path
            answer = registry.answer(self.command, path, body, self.headers.get("Authorization"))
            data = json.dumps(answer.body).encode() if faults.body is None else faults.body
            status = faults.status or answer.status
            self.send_response(status)
            self.send_header("Content-Type", _CONTENT_TYPE)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self._send(data, is_dripping=faults.is_dripping)

        def _send(self, data: bytes, *, is_dripping: bool) -> None:
            if not is_dripping:
                self.wfile.write(data)
                return
            for byte in data:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(_DRIP_SECONDS)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815  the names are the library's

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
