# SPDX-License-Identifier: Apache-2.0
"""Whether an event is meant for anybody.

Owns what counts as an event of development: only one that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent

_PRODUCTION = "production"
_DEVELOPMENT = "development"


def is_development(event: CommerceEvent) -> bool:
    """Return whether the event says that it comes from development (mParticle: ``environment``)."""
    environment = event.environment
    if environment is None or environment == _PRODUCTION:
        return False
    return environment.strip().lower() == _DEVELOPMENT
