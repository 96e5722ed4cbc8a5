# SPDX-License-Identifier: Apache-2.0
"""All checks side by side, each within a bounded time.

Owns the threads. A check that does not come back is left behind: its thread is a daemon.
"""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from connector.checks.button import button_findings
from connector.checks.findings import Finding, Grade, failed
from connector.checks.kafka import kafka_findings
from connector.checks.registry import registry_findings
from connector.checks.settings import settings_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from connector.settings import Problem, Settings

_QUESTIONS = 6
"""How many times the timeout a check may take: it asks several questions one after the other."""


def run_checks(
    settings: Settings,
    contradictions: Sequence[Problem],
    timeout_seconds: float,
) -> list[Finding]:
    """Return everything that was found, in the order in which people look for causes.

    With settings that cannot be used nobody is asked anything.
    """
    findings = list(settings_findings(settings, contradictions))
    if any(finding.area == "settings" and finding.grade is Grade.FAILED for finding in findings):
        return findings
    checks = [
        _Check("brokers", "kafka.bootstrap_servers", partial(kafka_findings, settings, timeout_seconds)),
        _Check("registry", "schema_registry.url", partial(registry_findings, settings)),
        _Check("button", "button.base_url", partial(_button, settings)),
    ]
    deadline = time.monotonic() + _QUESTIONS * timeout_seconds
    for check in checks:
        findings += check.wait(deadline)
    return findings


class _Check:
    """One check in a thread of its own."""

    def __init__(self, area: str, subject: str, look: Callable[[], Iterable[Finding]]) -> None:
        self._area, self._subject, self._look = area, subject, look
        self._found: list[Finding] = []
        self._thread = threading.Thread(target=self._run, name=f"check-{area}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for finding in self._look():
                self._found.append(finding)
        except OSError as error:
            message = f"a file cannot be read ({error.strerror})"
            self._found.append(failed(self._area, self._subject, message, "Check the files that the settings name."))
        except Exception as error:  # noqa: BLE001  a check that breaks must not look like one that found nothing
            message = f"this could not be checked ({type(error).__name__}: {error})"
            self._found.append(failed(self._area, self._subject, message, "Please report it."))

    def wait(self, deadline: float) -> list[Finding]:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if not self._thread.is_alive():
            return self._found
        late = failed(self._area, self._subject, "no whole answer in time", "Look at the network, or raise --timeout.")
        return [*self._found, late]


def _button(settings: Settings) -> list[Finding]:
    async def collect() -> list[Finding]:
        return [finding async for finding in button_findings(settings)]

    return asyncio.run(collect())
