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
    plan_fault(folder, order_id=order_ids, operation="update", fault="no_answer_before")
    try:
        yield
    finally:
        with _control(folder) as client:
            client.delete("/_sandbox/faults").raise_for_status()


def plan_fault(folder: Path, **rule: object) -> None:
    """Let the sandbox of this folder play a fault for the orders that a rule names, from now on."""
    with _control(folder) as client:
        client.post("/_sandbox/faults", json=rule).raise_for_status()


def _control(folder: Path) -> httpx2.Client:
    address = json.loads((folder / "sandbox.json").read_text(encoding="utf-8"))["control_url"]
    return httpx2.Client(base_url=address, trust_env=False)


def spoil(directory: Path) -> int:
    """Overwrite the middle half of every file in which a table's entries are; return how many there were."""
    files = sorted(directory.glob("*.sst"))
    for file in files:
        size = file.stat().st_size
        with file.open("r+b") as opened:
            opened.seek(size // 4)
            opened.write(b"\xff" * (size // 2))
    return len(files)
