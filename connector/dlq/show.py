# SPDX-License-Identifier: Apache-2.0
"""One dead letter with what is in it.

Owns what is shown of the event: what ``explain`` shows, masked the same way, and what would become of it by the
settings of today. Sends nothing and looks up no session.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.dlq.view import as_json
from connector.explain.work import NO_CLUSTER, Explainer, Options, Unexplained
from connector.kafka.letters import State

if TYPE_CHECKING:
    from connector.dlq.asking import Asking
    from connector.engine.ports import RawRecord
    from connector.explain.explanation import Explanation
    from connector.kafka.letters import Letter, Place

NO_VALUE = "the letter holds no value: the record had none"
REFERENCE_ONLY = "the letter holds a reference only: the value is in the source topic, for as long as that keeps it"


class LetterView(NamedTuple):
    """A letter; ``explanation`` is ``None`` where ``unexplained`` says why. ``events`` counts those of the record.

    ``others`` are the other open letters of the same order.
    """

    letter: Letter
    explanation: Explanation | None
    unexplained: str
    events: int
    others: list[Letter]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        explained = None if self.explanation is None else self.explanation.as_json()
        return {
            **as_json(self.letter),
            "events_of_the_record": self.events,
            "today": explained,
            "not_explained": self.unexplained or None,
            "open_letters_of_the_order": [str(each.place) for each in self.others],
        }


def show(place: Place, asking: Asking) -> LetterView | None:
    """Return the letter at a place, ``None`` if there is none; raises :class:`KafkaFailure`."""
    letters = asking.letters()
    letter = next((each for each in letters if each.place == place), None)
    if letter is None:
        return None
    others = [
        each
        for each in letters
        if each.order_id and each.order_id == letter.order_id and each.state is State.OPEN and each.place != place
    ]
    record = asking.contents({place}).get(place)
    if record is None or record.value is None:
        return LetterView(letter, None, NO_VALUE if letter.reference is None else REFERENCE_ONLY, 0, others)
    explanations, why = asyncio.run(_explain(record, asking))
    index = letter.source.event_index
    if index is None or index >= len(explanations):
        index = 0
    return LetterView(letter, explanations[index] if explanations else None, why, len(explanations), others)


def _is_unasked(explanation: Explanation) -> bool:
    return explanation.token is not None and explanation.token.why == NO_CLUSTER


async def _explain(record: RawRecord, asking: Asking) -> tuple[list[Explanation], str]:
    explainer = Explainer(Options(asking.settings, None, asking.silence_seconds, shows_personal=False))
    try:
        explained = await explainer.explain_record(record)
        # That nobody looked is said of the command as a whole; the rest of the explanation would only repeat it.
        return [replace(each, token=None) if _is_unasked(each) else each for each in explained], ""
    except Unexplained as why:
        return [], str(why)
