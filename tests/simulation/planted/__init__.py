# SPDX-License-Identifier: Apache-2.0
"""Faults that are planted into the connector, to see that the simulation finds them.

Owns the list. Each is a mistake that a system of this kind was made with somewhere, as small as it can be, with one
sentence on what it does, the number of its scenario, and what finds it.
"""

from __future__ import annotations

from tests.simulation.planted import calls, handover, ledger, tracking
from tests.simulation.planted.fault import Planted

PLANTED: dict[str, Planted] = {
    each.name: each for module in (tracking, handover, calls, ledger) for each in module.FAULTS
}
"""All of them, by name."""

__all__ = ["PLANTED", "Planted"]
