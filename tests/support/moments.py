# SPDX-License-Identifier: Apache-2.0
"""How a running world is held at a moment that passes too quickly to be met by chance.

Owns two ways: calls that Button never answers, and the files of a table that is spoilt.
Each leaves the connector itself as it is.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def no_update_taken(folder: Path, order_ids: str) -> Iterator[None]:
    """Let the sandbox of this folder neither take nor answer updates of the orders of this pattern in the body."""
    control = json.loads((folder / "sandbox.json").read_text(encoding="utf-8"))["control_url"]
    rule = {"order_id": order_ids, "operation": "update", "fault": "no_answer_before"}
    with httpx2.Client(base_url=control, trust_env=False) as client:
        client.post("/_sandbox/faults", json=rule).raise_for_status()
        try:
            yield
        finally:
            client.delete("/_sandbox/faults").raise_for_status()


def spoil(directory: Path) -> int:
    """Overwrite the middle half of every file in which a table's entries are; return how many there were."""
    files = sorted(directory.glob("*.sst"))
    for file in files:
        size = file.stat().st_size
        with file.open("r+b") as opened:
            opened.seek(size // 4)
            opened.write(b"\xff" * (size // 2))
    return len(files)
