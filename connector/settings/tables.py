# SPDX-License-Identifier: Apache-2.0
"""Settings of the tables that every replica keeps of whole topics.

Owns their names and defaults. Opens no file.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from connector.settings.base import Area


class TablesSettings(Area):
    """Where tables are kept, and how much memory they take."""

    directory: Path | None = Field(
        default=None,
        description="A directory of this process alone, in which tables outlive it, so that a restart reads only what "
        "is new. Without one they are in a temporary directory and read anew at every start.",
    )
    cache_mb: Annotated[int, Field(ge=8, le=65_536)] = Field(
        default=64,
        description="MiB of memory in which each table caches what is on disk; up to 72 MiB more buffer writes.",
    )
