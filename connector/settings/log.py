# SPDX-License-Identifier: Apache-2.0
"""Settings of the log.

Owns their names and defaults. Never writes a line.
"""

from typing import Annotated, Literal

from pydantic import Field

from connector.settings.base import AnyCase, Area

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


class LogSettings(Area):
    """What is logged, and how it looks."""

    level: Annotated[Level, AnyCase] = Field(default="info", description="The least important lines that are written.")
    format: Annotated[Format, AnyCase] = Field(
        default="auto",
        description="json, console, or auto: console on a terminal and json elsewhere.",
    )
