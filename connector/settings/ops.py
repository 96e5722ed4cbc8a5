# SPDX-License-Identifier: Apache-2.0
"""Settings of the endpoints for health and metrics.

Owns their names and defaults. Opens no socket.
"""

from typing import Annotated

from pydantic import Field

from connector.settings.base import Area, Seconds


class OpsSettings(Area):
    """How the connector is watched."""

    host: str = Field(
        default="0.0.0.0",  # noqa: S104  probes and Prometheus come from other hosts; health and metrics hold nothing private
        min_length=1,
        description="The address that health and metrics are served on.",
        examples=["127.0.0.1"],
    )
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=8080,
        description="The port that health and metrics are served on; 0 takes any free one.",
    )
    liveness_timeout_seconds: Seconds = Field(
        default=120.0,
        description="How long the thread that polls Kafka, or the event loop, may be without a sign of life before "
        "/livez asks for a restart, and the process ends with the reason.",
    )
