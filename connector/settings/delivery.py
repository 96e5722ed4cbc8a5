# SPDX-License-Identifier: Apache-2.0
"""Settings of delivery: how much at once, how often again, how long at the end.

Owns their names and defaults. How they relate to the settings of other areas is judged in ``checks``.
"""

from typing import Annotated

from pydantic import Field

from connector.settings.base import Area, Seconds


class DeliverySettings(Area):
    """How events are brought to Button."""

    max_concurrency: Annotated[int, Field(ge=1, le=4_096)] = Field(
        default=512,
        description="Calls that may be under way at once, at most.",
    )
    adaptive_concurrency: bool = Field(
        default=True,
        description="Find by itself how many calls under way are of use, up to max_concurrency; false makes that many "
        "whatever comes of it.",
    )
    rate_limit_per_second: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Calls per second that may be begun, over all replicas; each takes the share that its partitions "
        "have of all. Without it only what Button refuses (429) sets a rate.",
        examples=["200"],
    )
    max_uncommitted_records: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=5_000,
        description="Records that may be read but not committed; bounds memory, and what is read again after a crash. "
        "One partition may use up half of it. Much less makes the connector wait for commits.",
    )
    max_uncommitted_bytes: Annotated[int, Field(ge=1, le=2**40)] = Field(
        default=64 * 1024 * 1024,
        description="Bytes of the records that may be read but not committed; a single larger record is read alone.",
    )
    commit_interval_seconds: Seconds = Field(default=1.0, description="How often offsets are committed.")
    drain_seconds: Seconds = Field(
        default=30.0,
        description="How long calls under way may take to finish when partitions are given back, or at the end.",
    )
    retry_initial_seconds: Seconds = Field(
        default=0.2,
        description="The longest wait before the first retry; it doubles with every further one.",
    )
    retry_max_seconds: Seconds = Field(default=30.0, description="The longest wait before any retry.")
    poison_seconds: Seconds = Field(
        default=300.0,
        description="How long one order may fail while others succeed before its event becomes a dead letter. Time in "
        "which others fail as well, and any waiting, does not count.",
    )
    pin_seconds: Seconds = Field(
        default=60.0,
        description="The same for an event whose record is the oldest of its partition that is not done, so that no "
        "offset behind it can be committed.",
    )
    shutdown_seconds: Seconds = Field(
        default=45.0,
        description="How long the connector may take to stop after SIGTERM: the drain, then leaving the group. Keep it "
        "below what the platform grants before it kills.",
    )
