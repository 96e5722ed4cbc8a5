# SPDX-License-Identifier: Apache-2.0
"""Processes of ours: started, watched, ended.

Owns that none outlives us, however we end: in good order by its process id, and else by a guard that notices when we
are gone. Each writes its output to a log file. Children have their own session, so that a Ctrl-C reaches us alone and
they are ended in order.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import TypeVar

    T = TypeVar("T")

_POLL_SECONDS = 0.05
_SHOWN_LINES = 30


class ChildError(Exception):
    """A process of ours did not do its part; the message ends with the tail of its log."""


class Child:
    """One process of ours."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        stop_seconds: float = 10.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; its standard input is a pipe that ends with us, its output goes to the end of ``log``."""
        self.name = name
        self.log = log
        self._stop_seconds = stop_seconds
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  a fixed command
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ if environment is None else environment,
            )
        self._guard = _guard(self._process.pid)

    def __enter__(self) -> Self:
        """Return this child."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it if it still runs."""
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Its exit status, ``None`` while it runs; a signal that ended it as a negative number."""
        return self._process.poll()

    def wait_for(self, what: str, condition: Callable[[], T | None], seconds: float) -> T:
        """Return the first answer of ``condition``; raise if the process ends before that or takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            answer = condition()
            if answer:
                return answer
            self.check()
            if time.monotonic() > deadline:
                self.fail(f"{what} was not there after {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raise if the process has ended."""
        if self.exit_status is not None:
            self.fail(f"it ended with exit status {self.exit_status}")

    def fail(self, what: str) -> NoReturn:
        """Raise an error about this process, with the end of its log."""
        tail = "\n".join(f"  | {line}" for line in self.read_log().splitlines()[-_SHOWN_LINES:])
        message = f"{self.name}: {what}. Its log, {self.log}, ends with:\n{tail}"
        raise ChildError(message)

    def read_log(self) -> str:
        """Return all that it has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once, as a crash would, and wait for that."""
        self._process.kill()
        self._reap()

    def wait(self, seconds: float) -> int:
        """Return its exit status; raise if it still runs after ``seconds``."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"it still runs {seconds:g} s after it was asked to end")
        self._reap()
        return self._process.returncode

    def stop(self) -> None:
        """End it, in good order if it lets us."""
        if self.exit_status is None:
            self.terminate()
            try:
                self._process.wait(self._stop_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def _reap(self) -> None:
        # The guard goes first: once the process is reaped, the system may give its id to another.
        if self._guard.stdin is not None and not self._guard.stdin.closed:
            self._guard.kill()
            self._guard.communicate()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that kills ``pid`` when we end, however we end: only we hold the other end of its input."""
    command = ["/bin/sh", "-c", 'read -r _; kill -9 "$1"', "guard", str(pid)]
    return subprocess.Popen(  # noqa: S603  a fixed command
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
