# SPDX-License-Identifier: Apache-2.0
"""Keys and values on disk, and how far they go.

Owns the files of one table. The topic is the log, so the store keeps none of its own: a crash loses the newest
batches. That is harmless because a batch and the checkpoint that says how far it goes are one atomic write, and what
reaches the disk is always a prefix of the writes: whatever is found after a crash agrees with the checkpoint found
with it, and what is missing is read again from the topic.

Never decides whether its content is still of use; never repairs anything: a store that cannot be read says so, and is
deleted and filled anew by its owner.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch, WriteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_MEBIBYTE = 1024 * 1024
_CHECKPOINT_KEY = b"\x00checkpoint"
_DAMAGED = "DAMAGED"
"""A file of this name says that the content was found damaged while it was read."""
_BLOOM_BITS = 10
_CORRUPT = ("Corruption", "Invalid argument", "Not implemented")


class StoreError(Exception):
    """The store cannot be used; the message says why, and names the setting of its directory."""


class StoreDamagedError(StoreError):
    """What is on disk cannot be trusted; opened again, the store is empty."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where the files are, and how much memory they may take.

    ``setting`` is what messages call the key of the directory. Memory is bounded by ``cache_bytes`` (blocks, indexes
    and filters) and three times ``write_buffer_bytes``.
    """

    directory: Path
    setting: str = "tables.directory"
    cache_bytes: int = 64 * _MEBIBYTE
    write_buffer_bytes: int = 24 * _MEBIBYTE


class Store:
    """A key-value store of bytes; one process at a time, any thread."""

    def __init__(self, options: StoreOptions) -> None:
        """Open the files, or begin new ones.

        Raises :class:`StoreDamagedError` if they cannot be read, and :class:`StoreError` if they may not be (another
        process has them, no rights, no room).
        """
        self._options = options
        self._write_options = WriteOptions()
        self._write_options.disable_wal = True  # type: ignore[assignment,method-assign]  # the stubs take it for a method
        if (options.directory / _DAMAGED).exists():
            msg = "it was found damaged when it was read"
            raise StoreDamagedError(msg)
        try:
            options.directory.mkdir(parents=True, exist_ok=True)
            self._files = _open(options)
        except Exception as error:
            raise self._explained(error) from error

    def get(self, key: bytes) -> bytes | None:
        """Return the key's value."""
        try:
            return self._files.get(key)
        except Exception as error:
            raise self._explained(error) from error

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Return the keys with this prefix, ascending, behind ``after``, and their values, as they are now."""
        last = max(prefix, after)
        pairs = cast("Iterator[tuple[bytes, bytes]]", self._files.items(from_key=last))
        try:
            for key, value in pairs:
                if not key.startswith(prefix):
                    return
                last = key
                if key != after:
                    yield key, value
            self._check_end(last)
        except Exception as error:
            raise self._explained(error) from error

    def write(self, puts: Mapping[bytes, bytes | None], checkpoint: bytes) -> None:
        """Write values (``None`` deletes) and how far they go, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key, value in sorted(puts.items()):  # neighbours are quicker to put beside each other
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_CHECKPOINT_KEY, checkpoint)
        try:
            self._files.write(batch, self._write_options)
        except Exception as error:
            raise self._explained(error) from error

    def checkpoint(self) -> bytes | None:
        """Return what the last write said of how far it goes; ``None`` if there was none."""
        return self.get(_CHECKPOINT_KEY)

    def flush(self, *, wait: bool) -> None:
        """Bring to disk what was written until now, in the background unless it is to be waited for."""
        try:
            self._files.flush(wait)
        except Exception as error:
            raise self._explained(error) from error

    def property(self, name: str) -> int:
        """Return one of RocksDB's figures, for example ``estimate-num-keys``; 0 where there is none."""
        return self._files.property_int_value(f"rocksdb.{name}") or 0

    def close(self) -> None:
        """Let go of the files; what was not flushed is lost. May be called again."""
        self._files.close()

    def _check_end(self, last: bytes) -> None:
        """Raise if what lies behind the last key cannot be read: in front of damage the pairs end as at the end."""
        pairs = self._files.iter()
        pairs.seek(last)
        if pairs.valid():
            pairs.next()
        pairs.status()

    def _explained(self, error: Exception) -> StoreError:
        """Say what the library's error means to a user; what is damaged is remembered for the next start."""
        text, options = str(error), self._options
        where = f"{options.setting}: {options.directory}"
        if text.startswith(_CORRUPT):
            with suppress(OSError):
                (options.directory / _DAMAGED).touch()
            return StoreDamagedError(f"{where} is damaged ({text}); started again, the table is read from its topic.")
        if "LOCK" in text:
            return StoreError(f"{where} is in use by another process. Give each process a directory of its own.")
        return StoreError(f"{where} cannot be used: {text}. Make it writable, or see to it that there is room.")


def delete(directory: Path) -> None:
    """Delete a store's files, whatever state they are in."""
    if directory.exists():
        shutil.rmtree(directory)


def _open(options: StoreOptions) -> Rdict:
    tuned = _tuned(options)
    # Without its column families named, a store that exists is opened with the options that it was made with, and
    # with neither its cache nor its filters.
    return Rdict(str(options.directory), tuned, column_families={"default": tuned})


def _tuned(options: StoreOptions) -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(options.cache_bytes))
    blocks.set_bloom_filter(_BLOOM_BITS, False)  # noqa: FBT003  the library's signature
    # Outside the cache they would be outside the bound, too.
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    tuned = Options(raw_mode=True)
    tuned.create_if_missing(create_if_missing=True)
    tuned.set_block_based_table_factory(blocks)
    tuned.set_compression_type(DBCompressionType.lz4())
    tuned.set_write_buffer_size(options.write_buffer_bytes)
    tuned.set_max_write_buffer_number(3)
    # A restore writes much at once, and merging its files over and over would take a third of its time.
    tuned.set_level_zero_file_num_compaction_trigger(8)
    tuned.set_level_zero_slowdown_writes_trigger(24)
    tuned.set_level_zero_stop_writes_trigger(48)
    tuned.set_allow_concurrent_memtable_write(False)  # there is one writer
    # A restore asks for every key before it writes it, and most are new: a filter in front of the buffer, too.
    tuned.set_memtable_whole_key_filtering(True)
    tuned.set_memtable_prefix_bloom_ratio(0.05)
    tuned.set_keep_log_file_num(2)
    tuned.set_max_log_file_size(_MEBIBYTE)
    tuned.set_stats_dump_period_sec(0)
    return tuned
