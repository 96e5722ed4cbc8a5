# SPDX-License-Identifier: Apache-2.0
"""An Order API that tells back whatever it is told, and a collector of traces at the same address.

Owns what each order meets, which the beginning of its id says; most fail once and are then taken. Real services quote
requests in their errors, so nothing that was sent may be believed to stay where it was sent.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_OK = b'{"meta":{"status":"ok"},"object":{"button_order_id":"btnorder-1"}}'
_TRACES = "/v1/traces"


class Heard(NamedTuple):
    """A request; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class EchoingButton:
    """What was heard, and where to reach it."""

    def __init__(self, url: str) -> None:
        """Nothing was heard yet."""
        self.url = url
        self.heard: list[Heard] = []
        self.traces: list[bytes] = []
        self.attempts: Counter[str] = Counter()


def _values(body: bytes) -> str:
    """Return what an order says of its customer, which messages are cut too short to hold where it stands."""
    order = json.loads(body or b"{}")
    attributes = [line.get("attributes") or {} for line in order.get("line_items", ())]
    texts = [*(order.get("customer") or {}).values(), *(text for each in attributes for text in each.values())]
    return ", ".join(f"'{text}'" for text in texts)


@contextmanager
def echoing_button() -> Iterator[EchoingButton]:
    """Listen on a free port of the loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.button = EchoingButton(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]  # ours
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="echoing-button", daemon=True)
    thread.start()
    try:
        yield server.button  # type: ignore[attr-defined]  # as above
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        button: EchoingButton = self.server.button  # type: ignore[attr-defined]  # as above
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == _TRACES:
            button.traces.append(body)
            self._send(200, b"")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        button.heard.append(Heard(self.command, self.path, headers, body))
        order_id = json.loads(body)["order_id"] if body else unquote(self.path.rpartition("/")[2])
        kind = re.split(r"[-/]", order_id)[0]
        call = f"{self.command} {order_id}"
        button.attempts[call] += 1
        self._play(kind, button.attempts[call], f"{self.headers['authorization']} {_values(body)} {body.decode()}")

    def _play(self, kind: str, attempt: int, echo: str) -> None:
        error = json.dumps({"meta": {"status": "error"}, "error": {"type": echo, "message": echo}}).encode()
        match kind, attempt:
            case "refused", _:
                self._send(422, error)
            case "declined", _:
                self._send(200, error)
            case "busy", 1:
                self._send(503, error, {"Retry-After": "0"})
            case "moved", 1:
                self._send(307, error, {"Location": f"/elsewhere?{quote(echo)}"})
            case "page", 1:
                self._send(200, f"<html>{echo}</html>".encode(), {"Content-Type": "text/html"})
            case "key", 1:
                self._send(401, error)
            case "cut", 1:
                self.close_connection = True
            case "garbled", 1:
                self.wfile.write(f"{echo}\r\n\r\n".encode())
                self.close_connection = True
            case _:
                self._send(200, _OK)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815  the names are the library's

    def log_message(self, *_: object) -> None:
        """Say nothing."""
