# SPDX-License-Identifier: Apache-2.0
"""A listening socket whose callers are all accepted as soon as the loop turns to it.

Owns the accepting. The loop's own server is not used for callers of the API, because uvloop's takes one of them in each
turn: with some hundred busy connections a turn is long, and a new caller would wait for seconds, and give up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

BACKLOG = 1024


class Listener:
    """Listens from its making to :meth:`close`; used on the loop's own thread."""

    def __init__(self, sock: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Begin; the socket is bound and does not block."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._protocol = protocol
        self._arriving: set[asyncio.Task[object]] = set()
        sock.listen(BACKLOG)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Listen no more; callers that were not accepted yet are cut off."""
        self._loop.remove_reader(self._sock)
        self._sock.close()
        for task in self._arriving:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            try:
                caller, _address = self._sock.accept()
            except OSError:
                return  # Nobody waits any more, or there are no more descriptors: they go on waiting.
            caller.setblocking(False)  # noqa: FBT003  the socket's own API
            arriving = self._loop.create_task(self._serve(caller))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)

    async def _serve(self, caller: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, caller)
        except BaseException:
            caller.close()
            raise
