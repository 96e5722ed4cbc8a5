# SPDX-License-Identifier: Apache-2.0
"""What Button's answers mean.

Owns the judgement of a reply; :func:`interpret` is pure and total. Judges by HTTP status *and* ``meta.status``, never
by an error's type or text, because Button documents neither for the Order API. The absence of an answer is a reply,
too: what was certainly not sent may simply be sent again, what may have been read is ambiguous.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``meta_status`` is ``None`` where the body has none that can be read.

    ``retry_after_seconds`` is what the headers ask for, already turned into seconds from now. ``message`` is the
    error's text for people, shortened, never parsed.
    """

    status: int
    meta_status: str | None = None
    retry_after_seconds: float | None = None
    message: str = ""
    button_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request certainly did not reach Button (refused, unresolvable, no TLS)."""

    message: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may have reached Button, and no complete answer came back."""

    message: str


Reply = Answer | NotSent | NoAnswer


@dataclass(frozen=True, slots=True)
class Applied:
    """Button acknowledged the call."""


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """Button's answer says that the call had been applied before; ``reason`` is counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The other side could not serve the call; try again, not before ``after_seconds`` where Button named a time."""

    reason: str
    message: str
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The call may or may not have been applied."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Button will never accept this call; the event becomes a dead letter."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Button does not accept our credentials; nothing may be sent until a probe succeeds. Says nothing of the event."""

    reason: str
    message: str


Outcome = Applied | AlreadyApplied | Retry | Ambiguous | Refused | Halt
