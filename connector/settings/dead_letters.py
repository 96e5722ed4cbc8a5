# SPDX-License-Identifier: Apache-2.0
"""Settings of the dead letters.

Owns their names and defaults. Never writes one.
"""

from pydantic import Field

from connector.settings.base import Area, TopicName


class DeadLettersSettings(Area):
    """Where events go that can never be delivered as they are."""

    topic: TopicName = Field(
        default="button-connector-dead-letters",
        description="The topic that dead letters are written to.",
    )
