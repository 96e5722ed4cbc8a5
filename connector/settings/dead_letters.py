# SPDX-License-Identifier: Apache-2.0
"""Settings of the dead letters.

Owns their names and defaults. Never writes one.
"""

from typing import Annotated, Literal

from pydantic import Field

from connector.settings.base import Area, Seconds, TopicName


class DeadLettersSettings(Area):
    """Where events go that can never be delivered as they are."""

    topic: TopicName = Field(
        default="button-connector-dead-letters",
        description="The topic that dead letters are written to.",
    )
    content: Literal["full", "reference"] = Field(
        default="full",
        description="What a dead letter holds of its record: full keeps key, value and headers; reference keeps its "
        "position, size and SHA-256 only, so that no personal data is copied. A reference can be replayed for as long "
        "as the events' topic keeps the record.",
    )
    limit_in_a_row: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=50,
        description="How many different orders in a row may become dead letters, with none that ends well in between, "
        "before deciding halts; 0 for no such limit.",
    )
    limit_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25,
        description="Which share of the last limit_window_events may become dead letters before deciding halts; 1 for "
        "no such limit.",
    )
    limit_window_events: Annotated[int, Field(ge=10, le=1_000_000)] = Field(
        default=1_000,
        description="Of how many events limit_share is a share; those that are skipped do not count.",
    )
    limit_probe_seconds: Seconds = Field(
        default=30.0,
        description="How long after a halt one event is let through to see whether it ends well; the wait doubles up "
        "to ten times as long.",
    )
