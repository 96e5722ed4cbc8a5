# SPDX-License-Identifier: Apache-2.0
"""Files of a table that were damaged: what is read of them is whole, or the table is read anew from its topic."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.tables.store import Store, StoreError, StoreOptions

if TYPE_CHECKING:
    from pathlib import Path

ROWS = {b"o%04d" % number: b"%d" % number * 10 for number in range(2_000)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the files of a store that was closed in order."""
    directory: Path = tmp_path_factory.mktemp("whole") / "store"
    store = Store(StoreOptions(directory))
    store.write(ROWS, b"all")
    store.flush(wait=True)
    store.close()
    return directory


changes = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=8)


@given(
    kind=st.sampled_from((".sst", ".sst", "MANIFEST", "CURRENT", "OPTIONS", "IDENTITY")),
    changed=changes,
    cut=st.none() | st.integers(0, 2**16),
)
def test_damaged_files_give_every_row_or_a_named_error(
    whole: Path,
    kind: str,
    changed: list[tuple[int, int]],
    cut: int | None,
) -> None:
    """A store that opens has all that its checkpoint stands for, and never ends early as if all was read."""
    directory = whole.parent / "damaged"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(whole, directory)
    for file in directory.iterdir():
        if kind in file.name:
            data = bytearray(file.read_bytes())
            for at, value in changed:
                data[at % len(data)] = value
            file.write_bytes(data if cut is None else data[: cut % (len(data) + 1)])
    try:
        store = Store(StoreOptions(directory))
    except StoreError:
        return
    try:
        found = dict(store.scan(b"o"))
        assert found == ROWS if store.checkpoint() == b"all" else not found
    except StoreError:
        pass
    finally:
        store.close()
