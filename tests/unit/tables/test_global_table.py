# SPDX-License-Identifier: Apache-2.0
"""The table of a whole topic: where it goes on, and when it begins anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from connector.engine.observations import TableRebuilt
from connector.engine.ports import TopicPartition, Waits
from connector.tables.global_table import Batch, GlobalTable
from tests.support.fakes import Recorder
from tests.support.tables import DAY_MS, NOW_MS, HandFeed, SetClock, followed, row, table_options
from tests.unit.tables.test_store import damage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from connector.engine.ports import RawRecord

FIRST, SECOND = TopicPartition("sessions", 0), TopicPartition("sessions", 1)


class Never:
    """Something that is not fetched."""

    async def ready(self) -> None:
        """Be ready at once."""


class Counting:
    """Counts the rows of each key; a row whose value is ``wait`` waits."""

    def __init__(self, layout: str = "counting-1") -> None:
        """Take the name of the form."""
        self.layout = layout

    def apply(self, rows: Sequence[RawRecord], batch: Batch) -> Waits | None:
        """Count rows; a tombstone deletes the count."""
        for index, one in enumerate(rows):
            key = one.key or b"?"
            if one.value == b"wait":
                return Waits(index, Never())
            if one.value is None:
                batch.delete(key)
            else:
                batch.put(key, b"%d" % (int(batch.get(key) or b"0") + 1))
        return None


class Run:
    """One life of a table in a directory."""

    def __init__(self, directory: Path, *, is_kept: bool = True, layout: str = "counting-1") -> None:
        """Put it together."""
        self.clock, self.seen = SetClock(), Recorder()
        options = table_options(directory, is_kept=is_kept)
        self.table = GlobalTable(options, Counting(layout), HandFeed(), self.clock, self.seen)
        self.table.start(asyncio.get_running_loop())

    async def begin(self, **topic: Any) -> dict[int, int]:  # noqa: ANN401  fields of any type
        """Begin, as a follower does, on another thread."""
        return dict(await asyncio.to_thread(self.table.begin, followed(**topic)))

    @property
    def rebuilt(self) -> list[str]:
        """Why it was rebuilt."""
        return [each.reason for each in self.seen.of(TableRebuilt)]


async def _filled(directory: Path) -> None:
    run = Run(directory)
    assert await run.begin() == {}
    run.table.apply([row(FIRST, 4, b"a", b"x"), row(FIRST, 7, b"a", b"x"), row(SECOND, 2, b"b", b"x")])
    run.table.mark_current(NOW_MS)
    assert run.table.get(b"a") == b"2"
    await run.table.stop()


async def test_a_table_goes_on_where_it_stopped_with_what_it_had(tmp_path: Path) -> None:
    """A restart reads only what is new; what was counted is not counted again [61]."""
    await _filled(tmp_path / "table")
    run = Run(tmp_path / "table")
    assert await run.begin() == {0: 8, 1: 3}
    run.table.apply([row(FIRST, 8, b"a", b"x"), row(SECOND, 3, b"b", None)])
    run.table.mark_current(NOW_MS)
    assert (run.table.get(b"a"), run.table.get(b"b"), run.rebuilt) == (b"3", None, [])
    assert run.table.offsets == {0: 9, 1: 4}
    await run.table.stop()


async def test_a_row_that_waits_is_not_counted_as_read(tmp_path: Path) -> None:
    """Stopped while a row waits, the next life gets that row again, and none before it."""
    run = Run(tmp_path)
    await run.begin()
    waits = run.table.apply([row(FIRST, 0, b"a", b"x"), row(FIRST, 1, b"a", b"wait"), row(FIRST, 2, b"a", b"x")])
    assert waits is not None
    assert waits.taken == 1
    await run.table.stop()
    again = Run(tmp_path)
    assert await again.begin() == {0: 1}
    await again.table.stop()


@pytest.mark.parametrize(
    ("topic", "layout", "words"),
    [
        ({"topic_id": "topic-2"}, "counting-1", "not known to be of this topic"),
        ({"topic_id": None}, "counting-1", "not known to be of this topic"),
        ({"cluster_id": "cluster-2"}, "counting-1", "not known to be of this topic"),
        ({"topic": "other"}, "counting-1", "not known to be of this topic"),
        ({}, "counting-2", "counting-2 is needed"),
        ({"ends": {0: (0, 7), 1: (0, 9)}}, "counting-1", "was cut"),
        ({"ends": {0: (0, 9)}}, "counting-1", "was cut"),
    ],
)
async def test_a_copy_of_something_else_is_rebuilt(
    tmp_path: Path,
    topic: dict[str, Any],
    layout: str,
    words: str,
) -> None:
    """Another topic of the same name [56], another form, a topic that was cut: nothing of the copy is kept."""
    await _filled(tmp_path)
    run = Run(tmp_path, layout=layout)
    assert await run.begin(**topic) == {}
    run.table.mark_current(NOW_MS)
    assert run.table.get(b"a") is None
    await asyncio.sleep(0)
    (reason,) = run.rebuilt
    assert words in reason
    await run.table.stop()


async def test_a_copy_is_kept_as_long_as_tombstones_are_and_no_longer(tmp_path: Path) -> None:
    """A tombstone that was compacted away before it was read would leave its key for ever."""
    await _filled(tmp_path)
    run = Run(tmp_path)
    run.clock.time_ms = NOW_MS + DAY_MS
    assert await run.begin() == {0: 8, 1: 3}
    await run.table.stop()
    run = Run(tmp_path)
    run.clock.time_ms = NOW_MS + DAY_MS + 1
    assert await run.begin() == {}
    await asyncio.sleep(0)
    assert "delete.retention.ms" in run.rebuilt[0]
    await run.table.stop()


async def test_a_copy_does_not_become_younger_by_being_opened(tmp_path: Path) -> None:
    """Only catching up makes it so: two starts in a row must not add up to twice the tombstones' time."""
    await _filled(tmp_path)
    for days, starts in ((0.75, {0: 8, 1: 3}), (1.5, {})):
        run = Run(tmp_path)
        run.clock.time_ms = NOW_MS + round(days * DAY_MS)
        assert await run.begin() == starts
        run.table.apply([])
        await run.table.stop()


async def test_a_copy_of_a_topic_whose_id_was_never_known_is_rebuilt(tmp_path: Path) -> None:
    """Two unknown ids are not the same id."""
    first = Run(tmp_path)
    await first.begin(topic_id=None)
    first.table.apply([row(FIRST, 0, b"a", b"x")])
    await first.table.stop()
    second = Run(tmp_path)
    assert await second.begin(topic_id=None) == {}
    await second.table.stop()


async def test_a_table_that_never_caught_up_is_as_old_as_its_reading(tmp_path: Path) -> None:
    """Reading on after the tombstones' time could miss one that lay ahead all along."""
    run = Run(tmp_path)
    await run.begin()
    run.table.apply([row(FIRST, 0, b"a", b"x")])
    await run.table.stop()
    late = Run(tmp_path)
    late.clock.time_ms = NOW_MS + DAY_MS + 1
    assert await late.begin() == {}
    await late.table.stop()


@pytest.mark.parametrize("harm", [damage, lambda path: (path / "CURRENT").write_text("rubbish\n")])
async def test_a_damaged_copy_is_rebuilt(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    """The topic is the truth; a copy that cannot be read is deleted, and that is said."""
    await _filled(tmp_path)
    harm(tmp_path)
    run = Run(tmp_path)
    assert await run.begin() == {}
    run.table.apply([row(FIRST, 0, b"a", b"x")])
    run.table.mark_current(NOW_MS)
    await asyncio.sleep(0)
    assert (run.table.get(b"a"), len(run.rebuilt)) == (b"1", 1)
    await run.table.stop()


async def test_a_table_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    """Neither behind itself nor of a process before it."""
    directory = tmp_path / "table"
    directory.mkdir()
    (directory / "CURRENT").write_text("left by a kill")
    run = Run(directory, is_kept=False)
    assert await run.begin() == {}
    run.table.apply([row(FIRST, 0, b"a", b"x")])
    await run.table.stop()
    assert not directory.exists()
    assert run.rebuilt == []
