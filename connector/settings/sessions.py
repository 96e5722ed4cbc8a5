# SPDX-License-Identifier: Apache-2.0
"""Settings of the table of attribution tokens by session.

Owns their names and defaults. Never reads the table.
"""

from typing import Annotated, Literal

from pydantic import Field

from connector.settings.base import AnyCase, Area, TopicName


class SessionsSettings(Area):
    """Where attribution tokens come from."""

    topic: TopicName = Field(default="session-attribution", description="The compacted topic of tokens by session.")
    clock_skew_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=5.0,
        description="A token that was seen this much later than the purchase still counts as seen before it; "
        "makes up for clocks that differ.",
    )
    wait_seconds: Annotated[float, Field(ge=0, le=600)] = Field(
        default=0.0,
        description="How old a purchase without a token must be to be told without one: a younger one waits for its "
        "session until then, for tokens that come later than the purchase. 0 for not at all. What waits is in the "
        "window of delivery.max_uncommitted_records, so that rate times seconds must fit into it.",
    )
    compaction_unknown: Annotated[Literal["warn", "refuse"], AnyCase] = Field(
        default="refuse",
        description="What becomes of the start when the brokers do not say whether the topic is compacted (they do not "
        "answer, or do not allow DESCRIBE_CONFIGS): a warning, or no start. A topic that is known not to be compacted "
        "is always refused: its tokens would be deleted by age.",
    )
