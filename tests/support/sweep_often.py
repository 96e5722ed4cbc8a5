# SPDX-License-Identifier: Apache-2.0
"""The connector with a ledger that is swept all the time, in place of once a minute.

Run like the connector itself: ``python tests/support/sweep_often.py run --config ...``. Owns the interval alone.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from connector import wiring
from connector.cli import main

if TYPE_CHECKING:
    from connector.engine.engine import EngineOptions
    from connector.settings import Settings

_wired = wiring.engine_options


def _often(settings: Settings) -> EngineOptions:
    return dataclasses.replace(_wired(settings), sweep_interval_seconds=0.2)


if __name__ == "__main__":
    wiring.engine_options = _often
    main()
