# SPDX-License-Identifier: Apache-2.0
"""Whether the connector is alive, ready and started.

Owns the three verdicts; what they rest on is registered by whoever builds the connector. Alive means that a restart
would not help: nothing that the outside does (Button, Kafka or a rebalance) may ever make the connector "not alive".
Called on the event loop that also serves the verdicts, so a loop that hangs answers no probe at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[], str | None]
    """Returns ``None`` when all is well, else why not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a probe; ``reasons`` says for each check that failed why, ``told`` is only to be known."""

    reasons: dict[str, str]
    told: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Return whether every check passed."""
        return not self.reasons


def younger_than(bound_seconds: float, age_seconds: Callable[[], float]) -> Check:
    """Return a check that fails when a sign of life is older than the bound."""

    def check() -> str | None:
        age = age_seconds()
        return None if age < bound_seconds else f"last sign of life {age:.1f} s ago, allowed are {bound_seconds:g} s"

    return check


class Health:
    """Gathers checks and judges by them; without checks it is alive and ready, but never started."""

    def __init__(self) -> None:
        """Start without checks."""
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}
        self._started: dict[str, Check] = {}
        self._told: dict[str, Callable[[], str]] = {}
        self._has_started = False

    def live_when(self, name: str, check: Check) -> None:
        """Let a check decide about being alive, too."""
        self._live[name] = check

    def ready_when(self, name: str, check: Check) -> None:
        """Let a check decide about being ready, too."""
        self._ready[name] = check

    def started_when(self, name: str, check: Check) -> None:
        """Let a check decide about having started, too."""
        self._started[name] = check

    def tell(self, name: str, ask: Callable[[], str]) -> None:
        """Let the readiness tell something that decides nothing."""
        self._told[name] = ask

    def liveness(self) -> Verdict:
        """Return whether the process still works; if not, it should be restarted."""
        return _judge(self._live)

    def readiness(self) -> Verdict:
        """Return whether orders can be delivered now."""
        startup = self.startup() if self._started else Verdict({})
        told = {name: ask() for name, ask in self._told.items()}
        return Verdict(_judge(self._ready).reasons, told) if startup.ok else startup

    def startup(self) -> Verdict:
        """Return whether the start is over; once it is, it stays over."""
        if self._has_started:
            return Verdict({})
        verdict = _judge(self._started) if self._started else Verdict({"startup": "nothing says yet when it is over"})
        self._has_started = verdict.ok
        return verdict


def _judge(checks: dict[str, Check]) -> Verdict:
    reasons = {name: _ask(check) for name, check in checks.items()}
    return Verdict({name: reason for name, reason in reasons.items() if reason is not None})


def _ask(check: Check) -> str | None:
    try:
        return check()
    except Exception as fault:  # noqa: BLE001  a probe must get an answer
        return f"the check itself failed ({type(fault).__name__})"
