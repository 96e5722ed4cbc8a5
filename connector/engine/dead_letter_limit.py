# SPDX-License-Identifier: Apache-2.0
"""How many dead letters are too many: then it is not the orders that are broken.

Owns the verdict: too many different orders in a row, or too large a share of the last ones, and deciding halts before
the next letter is written. From then on one event at a time is let through, behind a growing wait, until one ends well;
or somebody says that all is well. Pure: decides, and does nothing itself.

What counts: an event that ended well (told, noted or waiting), and a letter of an order that is not counted already.
What is skipped says nothing. A refund that is parked behind its purchase is no failure of its own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from connector.domain.parking import ORDER_PARKED
from connector.engine.backoff import Backoff
from connector.engine.observations import DeadLettersHalted

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.engine.ports import Observer


DEFAULT_PROBE = Backoff(initial_seconds=30.0, max_seconds=300.0)


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """When deciding halts: a 0 or a share of 1 is no limit. ``probe`` are the waits between what is let through."""

    most_in_a_row: int = 0
    most_share: float = 1.0
    window_events: int = 1000
    probe: Backoff = DEFAULT_PROBE


class _State(Enum):
    RUNNING = auto()
    HALTED = auto()
    PROBING = auto()


class DeadLetterLimit:
    """The limit of one process."""

    def __init__(self, options: LimitOptions, observer: Observer) -> None:
        """Start running; ``changed`` is called when it halts, when a probe failed, and when it goes on."""
        self.changed: Callable[[], None] = lambda: None
        self.why = ""
        self._options = options
        self._observer = observer
        self._state = _State.RUNNING
        self._claimed: str | None = None
        self._failed_probes = 0
        self._row: set[str] = set()
        self._window: deque[str | None] = deque(maxlen=options.window_events)
        self._in_window: set[str] = set()
        self._is_limited = options.most_in_a_row > 0 or options.most_share < 1.0

    @property
    def is_halted(self) -> bool:
        """Whether events may not be decided as they come."""
        return self._state is not _State.RUNNING

    @property
    def wait_seconds(self) -> float:
        """How long to wait before the next event is let through."""
        return self._options.probe.ceiling(self._failed_probes)

    def admits(self, order: str, reason: str) -> bool:
        """Return whether a dead letter may be written; if not, its event is to be held and decided anew."""
        if not self._is_limited:
            return True
        if reason == ORDER_PARKED:
            self.ended_otherwise()
            return True
        if self._state is not _State.RUNNING:
            self._probe_failed()
            return False
        why = self._too_many(order)
        if why is None:
            self._note(order)
            return True
        self.why = f"{why}; the last one would be for {reason}"
        self._state = _State.HALTED
        self._failed_probes = 1
        self._observer(DeadLettersHalted(is_halted=True, message=self.why))
        self.changed()
        return False

    def ended_well(self) -> None:
        """Note that an event came to a good end."""
        if not self._is_limited:
            return
        if self._state is _State.PROBING:
            self.resume("an event that was let through ended well")
        elif self._state is _State.RUNNING:
            self._row.clear()
            self._note(None)

    def ended_otherwise(self) -> None:
        """Note that an event came to an end that says nothing; if it was let through, another one is."""
        if self._state is _State.PROBING:
            self._claimed = None
            self.changed()

    def may_take_in(self) -> bool:
        """Return whether records may be taken in."""
        return self._state is _State.RUNNING or (self._state is _State.PROBING and self._claimed is None)

    def claims(self, order: str) -> bool:
        """Return whether an event of this order may be decided now, which it then has to be, as often as it takes."""
        if self._state is _State.RUNNING:
            return True
        if self._state is _State.HALTED or self._claimed not in {None, order}:
            return False
        self._claimed = order
        return True

    def let_one_through(self) -> None:
        """Allow one event to be decided."""
        if self.is_halted:
            self._state = _State.PROBING
            self._claimed = None

    def resume(self, why: str) -> None:
        """Go on as if nothing had happened; harmless if nothing is halted."""
        if self._state is _State.RUNNING:
            return
        self._state = _State.RUNNING
        self._failed_probes = 0
        self.why = ""
        self._row.clear()
        self._window.clear()
        self._in_window.clear()
        self._observer(DeadLettersHalted(is_halted=False, message=why))
        self.changed()

    def _probe_failed(self) -> None:
        if self._state is _State.PROBING:
            self._state = _State.HALTED
            self._failed_probes += 1
            self.changed()

    def _too_many(self, order: str) -> str | None:
        """Return why one more would be too many."""
        row, share = self._options.most_in_a_row, self._options.most_share
        if row and len(self._row | {order}) > row:
            return f"{row} different orders in a row became dead letters, more than dead_letters.limit_in_a_row allows"
        most = share * self._options.window_events
        if share < 1.0 and len(self._in_window | {order}) > most:
            return (
                f"{len(self._in_window)} orders among the last {self._options.window_events} events became dead "
                "letters, more than dead_letters.limit_share allows"
            )
        return None

    def _note(self, order: str | None) -> None:
        if order is not None:
            self._row.add(order)
            if order in self._in_window:
                return
            self._in_window.add(order)
        if len(self._window) == self._window.maxlen and (oldest := self._window[0]) is not None:
            self._in_window.discard(oldest)
        self._window.append(order)
