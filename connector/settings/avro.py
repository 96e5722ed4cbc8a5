# SPDX-License-Identifier: Apache-2.0
"""Settings of how events are read.

Owns their names and defaults. Never reads one.
"""

from typing import Annotated, Literal

from pydantic import Field

from connector.settings.base import AnyCase, Area


class AvroSettings(Area):
    """What is taken from a writer's schema."""

    double_amounts: Annotated[Literal["refuse", "shortest"], AnyCase] = Field(
        default="refuse",
        description="What becomes of amounts that a writer has as doubles, which cannot say what was meant: refused, "
        "or taken by their shortest decimal representation (12.34 for the double nearest to 12.34).",
    )
