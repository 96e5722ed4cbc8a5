# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker as a Java process of its own, on ports of loopback, with data in a temporary folder.

Owns the process: it never outlives the tests, not even when they are killed. Ended by its own process id only.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.kafka_jars import JarsUnavailableError, classpath
from tests.support.kafka_node import Broker, NoBrokerError, cluster_id, free_port, server_properties

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOGGING = Path(__file__).with_name("kafka-log4j2.xml")
_FORMAT_SECONDS = 60
_STOP_SECONDS = 30
_SHOWN_LOG_CHARACTERS = 2_000


@contextmanager
def start(
    properties: Mapping[str, str],
    listeners: Mapping[str, int],
    told_ports: Mapping[str, int],
) -> Iterator[Broker]:
    """Start a broker and kill it at exit; its log is kept when the body raises."""
    try:
        jars = classpath()
    except JarsUnavailableError as reason:
        message = f"no broker on the JVM: {reason}"
        raise NoBrokerError(message) from reason
    folder = Path(tempfile.mkdtemp(prefix="button-connector-kafka-"))
    broker = JvmBroker(jars, folder, properties, listeners, told_ports)
    try:
        broker.restart()
        yield broker
    except BaseException:
        broker.keeps_log = True
        raise
    finally:
        broker.kill()
        broker.clean_up()


class JvmBroker(Broker):
    """One broker, formatted once, started as often as wanted."""

    def __init__(
        self,
        jars: str,
        folder: Path,
        properties: Mapping[str, str],
        listeners: Mapping[str, int],
        told_ports: Mapping[str, int],
    ) -> None:
        """Choose the ports and write the server's properties into ``folder``; starts nothing."""
        port = free_port()
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self._jars = jars
        self._folder = folder
        self._log = folder / "broker.log"
        self._properties = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._properties.write_text(
            server_properties(
                host="127.0.0.1",
                ports={"PLAINTEXT": port, **listeners},
                controller_port=free_port(),
                log_dir=str(folder / "data"),
                extra=properties,
                told_ports=told_ports,
            ),
        )

    @property
    def pid(self) -> int | None:
        """The id of the running process, if any."""
        return self._process.pid if self._process else None

    def restart(self) -> None:
        """Kill the broker if it still runs and start it again with the same data and the same address."""
        self.kill()
        if not (self._folder / "data").exists():
            self._format()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  a fixed command
                self._java("-Xmx768m", "-XX:+UseSerialGC", main="kafka.Kafka", arguments=[str(self._properties)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._guard = guard(self._process.pid)
        self.wait_until_it_answers()

    def kill(self) -> None:
        """End the broker at once, as a crash would; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._forget_process()

    def stop(self) -> None:
        """Let the broker shut down in good order; its data stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_STOP_SECONDS)
            self._forget_process()

    def check_alive(self) -> None:
        """Raise with the end of the broker's log if its process has ended."""
        if self._process is None or self._process.poll() is not None:
            log = self._log.read_text(errors="replace")[-_SHOWN_LOG_CHARACTERS:]
            message = f"the broker at {self.bootstrap_servers} ended by itself; its log ends with:\n{log}"
            raise RuntimeError(message)

    def clean_up(self) -> None:
        """Delete what the broker left behind, but for a log that is wanted."""
        if not self.keeps_log:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        sys.stderr.write(f"\nthe log of the Kafka broker was kept: {self._log}\n")

    def _forget_process(self) -> None:
        """Reap the process and its guard: the guard first loses its target's id, then the system may reuse it."""
        if self._guard is not None and self._process is not None:
            self._guard.kill()
            self._guard.communicate()
            self._process.wait()
        self._process = self._guard = None

    def _format(self) -> None:
        arguments = ["format", f"--cluster-id={cluster_id()}", "--standalone", "-c", str(self._properties)]
        command = self._java(main="kafka.tools.StorageTool", arguments=arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FORMAT_SECONDS)  # noqa: S603  a fixed command
        if done.returncode != 0:
            message = f"the broker's storage could not be formatted: {(done.stdout + done.stderr).strip()}"
            raise RuntimeError(message)

    def _java(self, *options: str, main: str, arguments: list[str]) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={_LOGGING}"
        return [shutil.which("java") or "java", *options, logging, "-cp", self._jars, main, *arguments]


def guard(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that kills ``pid`` when we end, however we end: only we hold the other end of its input."""
    command = ["/bin/sh", "-c", 'read -r _; kill -9 "$1"', "guard", str(pid)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  a fixed command
