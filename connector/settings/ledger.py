# SPDX-License-Identifier: Apache-2.0
"""Settings of the order ledger.

Owns their names and defaults. Never reads the ledger.
"""

from typing import Annotated

from pydantic import Field

from connector.settings.base import Area, TopicName

Days = Annotated[float, Field(gt=0, le=3_650)]


class LedgerSettings(Area):
    """What is remembered of every order, so that refunds of parts can be told and nothing is told twice."""

    enabled: bool = Field(
        default=True,
        description="Whether orders are remembered. Without a ledger an order can only be created and cancelled as a "
        "whole; a refund that names products or an amount is a dead letter.",
    )
    topic: TopicName = Field(
        default="button-connector-orders",
        description="The compacted topic of the ledger; it does not depend on the group.",
    )
    create_topic: bool = Field(
        default=True,
        description="Create the topic if it is missing. Without it, the topic has to be there.",
    )
    partitions: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=4,
        description="How many partitions the topic is created with. They can never be changed afterwards: keys would "
        "move. Few are better: what is written at the same time goes out as one batch for each.",
    )
    replication_factor: Annotated[int, Field(ge=1, le=15)] | None = Field(
        default=None,
        description="How many replicas the topic is created with; null for the brokers' default.",
    )
    horizon_days: Days = Field(
        default=120.0,
        description="How long an order is remembered after its last fact; an event that is older is a dead letter "
        "(too_old). Must be at least as long as the events' topics and the dead letters keep a record together.",
    )
    waiting_refund_days: Days = Field(
        default=14.0,
        description="How long a refund may wait for its purchase before it becomes a dead letter.",
    )
    hand_over_from: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="The group that the ledger belonged to until now, to take it over with another kafka.group_id. "
        "All members of that group must have been stopped.",
    )
