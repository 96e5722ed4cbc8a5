# SPDX-License-Identifier: Apache-2.0
"""A dead letter for machines.

Owns the names under which its parts are printed. Shows nothing of the record's content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.orders_view.words import time_of

if TYPE_CHECKING:
    from connector.kafka.letters import Letter


def as_json(letter: Letter) -> dict[str, Any]:
    """Return a letter as JSON has it."""
    return {
        "letter": str(letter.place),
        "state": str(letter.state),
        "settled_at": time_of(letter.settled_at_ms) if letter.settled_at_ms else None,
        "order_id": letter.order_id or None,
        "order_id_is_the_record_s_key": letter.is_of_key,
        "stage": letter.stage,
        "reason": letter.reason,
        "message": letter.message,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "written_at": time_of(letter.written_at_ms),
        "source": letter.source._asdict(),
        "reference": None if letter.reference is None else letter.reference._asdict(),
    }
