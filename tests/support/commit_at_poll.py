# SPDX-License-Identifier: Apache-2.0
"""The connector with the oldest mistake of its kind planted: an offset is committed as soon as it was read.

Run like the connector itself: ``python tests/support/commit_at_poll.py run --config ...``. Owns the mistake alone.
"""

from __future__ import annotations

from connector.cli import main
from connector.engine.offsets import OffsetTracker


def _next_to_read(self: OffsetTracker) -> int:
    return self._next


if __name__ == "__main__":
    setattr(OffsetTracker, "committable", _next_to_read)  # noqa: B010  that is the mistake; types would not allow it
    main()
