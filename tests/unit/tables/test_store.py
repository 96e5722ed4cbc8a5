# SPDX-License-Identifier: Apache-2.0
"""The store: what is found after a crash, and what is done with files that cannot be trusted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from connector.tables.store import Store, StoreDamagedError, StoreError, StoreOptions

if TYPE_CHECKING:
    from pathlib import Path

_WRITER = """
import sys
from pathlib import Path
from connector.tables.store import Store, StoreOptions

store = Store(StoreOptions(Path(sys.argv[1]), write_buffer_bytes=64 * 1024))
number = 0
while True:
    store.write({b"counter": b"%d" % number, b"key%d" % number: bytes(200)}, b"%d" % number)
    number += 1
    if number == 1000:
        store.flush(wait=True)
        print("flushed", flush=True)
    if number % 5000 == 0:
        print(number, flush=True)
"""


def damage(directory: Path) -> None:
    """Turn over every byte of the values on disk."""
    for file in directory.glob("*.sst"):
        file.write_bytes(bytes(255 - byte for byte in file.read_bytes()))


def lose(directory: Path) -> None:
    """Delete the values on disk."""
    for file in directory.glob("*.sst"):
        file.unlink()


def test_a_batch_is_read_back_and_a_deletion_with_it(tmp_path: Path) -> None:
    """What was written is there, in order; what was deleted is not."""
    store = Store(StoreOptions(tmp_path))
    store.write({b"a1": b"1", b"a2": b"2", b"b": b"3"}, b"one")
    store.write({b"a1": None}, b"two")
    assert (store.get(b"a1"), store.get(b"a2"), store.checkpoint()) == (None, b"2", b"two")
    assert list(store.scan(b"a")) == [(b"a2", b"2")]
    assert list(store.scan(b"a", b"a2")) == []
    store.close()


def test_a_store_that_is_killed_holds_what_its_checkpoint_says_and_no_more(tmp_path: Path) -> None:
    """Values and how far they go are one: after SIGKILL neither is ahead of the other, and a flush is kept [60]."""
    with subprocess.Popen(  # noqa: S603  our own interpreter
        [sys.executable, "-c", _WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "flushed\n"
        assert writer.stdout.readline() == "5000\n"
        os.kill(writer.pid, signal.SIGKILL)
    store = Store(StoreOptions(tmp_path))
    reached = int(store.checkpoint() or b"-1")
    assert reached >= 999
    assert store.get(b"counter") == b"%d" % reached
    assert all(store.get(b"key%d" % number) for number in range(reached + 1))
    assert store.get(b"key%d" % (reached + 1)) is None
    store.close()


def test_a_store_opened_again_has_its_cache_and_its_filters(tmp_path: Path) -> None:
    """Memory and speed are those of the settings, whatever the store was made with."""
    for cache_bytes in (8 * 1024 * 1024, 16 * 1024 * 1024):
        store = Store(StoreOptions(tmp_path, cache_bytes=cache_bytes))
        assert store.property("block-cache-capacity") == cache_bytes
        store.write({b"a": b"1"}, b"one")
        store.flush(wait=True)
        store.close()
    newest = max(tmp_path.glob("OPTIONS-*"), key=lambda file: file.stat().st_mtime_ns)
    assert "filter_policy=bloomfilter" in newest.read_text()


def test_a_store_in_use_names_the_setting_of_its_directory(tmp_path: Path) -> None:
    """Two processes must not write one table; nothing of it is deleted."""
    store = Store(StoreOptions(tmp_path, "tables.directory"))
    with pytest.raises(StoreError, match=r"^tables\.directory: .* in use by another process") as raised:
        Store(StoreOptions(tmp_path, "tables.directory"))
    assert not isinstance(raised.value, StoreDamagedError)
    store.close()


def test_damage_that_is_found_while_reading_is_remembered(tmp_path: Path) -> None:
    """The process ends by it; the next one does not trust the files again, even if they look well by then."""
    store = Store(StoreOptions(tmp_path))
    store.write({b"key%d" % number: os.urandom(100) for number in range(2000)}, b"one")
    store.flush(wait=True)
    store.close()
    (file,) = tmp_path.glob("*.sst")
    whole = file.read_bytes()
    file.write_bytes(b"\xff" * 4096 + whole[4096:])
    store = Store(StoreOptions(tmp_path))
    with pytest.raises(StoreDamagedError):
        [store.get(b"key%d" % number) for number in range(2000)]
    store.close()
    file.write_bytes(whole)
    with pytest.raises(StoreDamagedError):
        Store(StoreOptions(tmp_path))


def test_files_that_are_missing_or_turned_to_rubbish_are_damage(tmp_path: Path) -> None:
    """A store never begins with a part of what it had."""
    for number, harm in enumerate([damage, lose]):
        directory = tmp_path / str(number)
        store = Store(StoreOptions(directory))
        store.write({b"key": b"value"}, b"one")
        store.flush(wait=True)
        store.close()
        harm(directory)
        with pytest.raises(StoreDamagedError):
            Store(StoreOptions(directory)).get(b"key")


def test_a_scan_does_not_end_in_front_of_damage_as_if_all_was_read(tmp_path: Path) -> None:
    """One block that cannot be read is damage, however many keys stood in front of it [60]."""
    store = Store(StoreOptions(tmp_path))
    keys = [b"key%05d" % number for number in range(5_000)]
    store.write(dict.fromkeys(keys, b"value"), b"all")
    store.flush(wait=True)
    store.close()
    (file,) = tmp_path.glob("*.sst")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    store = Store(StoreOptions(tmp_path))
    with pytest.raises(StoreDamagedError, match="is damaged"):
        list(store.scan(b"key"))
    store.close()
