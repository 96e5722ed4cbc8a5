# SPDX-License-Identifier: Apache-2.0
"""How a replay and a drop are told to people and to machines.

Owns the words around them, and when a replay went well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.cli.screen import part, say
from connector.cli.shown_letters import none_chosen
from connector.dlq.view import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from connector.dlq.dropping import Drop
    from connector.dlq.work import Report
    from connector.kafka.letters import Letter
    from connector.settings import Settings

_MOST_LINES = 50


def is_well(report: Report, *, is_dry: bool) -> bool:
    """Return whether all that is meant is replayed, nothing is left, and where somebody waited, it stayed so."""
    if is_dry:
        return True
    is_late = report.result.is_done is False or report.members == 0
    return not (report.plan.refused or report.result.failed or report.came_back or report.plan.left or is_late)


def print_report(out: Console, report: Report, settings: Settings, *, is_dry: bool) -> None:
    """Print what was replayed, or would be."""
    plan, result = report.plan, report.result
    if not plan.letters and not plan.refused:
        say(out, none_chosen(report.there, settings.dead_letters.topic))
        return
    if is_dry:
        part(out, f"Would replay {_counted(len(plan.letters), len(plan.orders))}", _few(map(_line, plan.letters)))
    else:
        part(
            out,
            f"Replayed {_counted(len(result.replayed), len(plan.orders))}",
            _few(f"{_line(each.letter)} -> {each.topic}/{each.partition} at {each.offset}" for each in result.replayed),
        )
    if plan.added:
        say(out, f"  {plan.added} of them were not chosen, but belong to the same orders")
    refused = [each.why for each in plan.refused] + [f"letter {letter.place}: {why}" for letter, why in result.failed]
    part(out, "Left alone, with all that is behind it in its order", _few(iter(refused)), style="bold red")
    part(out, "Became dead letters again", _few(map(_line, report.came_back)), style="bold red")
    for line in _closing(report, settings, is_dry=is_dry):
        say(out, f"\n{line}")


def _closing(report: Report, settings: Settings, *, is_dry: bool) -> Iterator[str]:
    group = settings.kafka.group_id
    if report.plan.left:
        yield f"{report.plan.left} letters more are meant: give the command again, or see --limit."
    if is_dry or not report.result.replayed:
        return
    if report.members == 0:
        yield f"No connector of group {group} runs: the records wait for one."
    elif report.result.is_done is False:
        yield f"Group {group} is not done with all of it yet: the records are read in time. See dlq list."
    elif report.result.is_done and not (report.came_back or report.result.failed or report.plan.left):
        yield "All of them came to their end."


def _line(letter: Letter) -> str:
    order = f"order {letter.order_id}" if letter.order_id else "no order"
    return f"{letter.place}  {letter.reason}  {order}  from {letter.source}"


def _few(lines: Iterator[str]) -> Iterator[str]:
    more = 0
    for index, line in enumerate(lines):
        if index < _MOST_LINES:
            yield line
        else:
            more += 1
    if more:
        yield f"... and {more} more"


def _counted(letters: int, orders: int) -> str:
    return f"{_letters(letters)} of {orders} order{'' if orders == 1 else 's'}"


def _letters(count: int) -> str:
    return f"{count} dead letter{'' if count == 1 else 's'}"


def report_as_json(report: Report, *, is_dry: bool) -> dict[str, Any]:
    """Return a replay as JSON has it."""
    plan, result = report.plan, report.result
    refused = [
        *({"letters": [str(each.place) for each in refusal.letters], "why": refusal.why} for refusal in plan.refused),
        *({"letters": [str(letter.place)], "why": why} for letter, why in result.failed),
    ]
    return {
        "is_dry_run": is_dry,
        "meant": [as_json(each) for each in plan.letters],
        "replayed": [
            {"letter": str(each.letter.place), "topic": each.topic, "partition": each.partition, "offset": each.offset}
            for each in result.replayed
        ],
        "left_alone": refused,
        "came_back": [as_json(each) for each in report.came_back],
        "is_done": result.is_done,
        "left_for_another_time": plan.left,
    }


def print_dropped(out: Console, meant: Drop, *, is_dry: bool) -> None:
    """Print what was dropped, or would be."""
    if not any(meant):
        say(out, "No open dead letter is meant. See dlq list.")
        return
    part(
        out,
        f"{'Would drop' if is_dry else 'Dropped'} {_letters(len(meant.letters))}",
        _few(map(_line, meant.letters)),
    )
    marks = (f"order {each.order_id}, of {each.source or 'an unknown event'}" for each in meant.orphans)
    part(out, f"{'Would take' if is_dry else 'Took'} marks out of the ledger whose letters are gone", _few(marks))


def dropped_as_json(meant: Drop, *, is_dry: bool) -> dict[str, Any]:
    """Return a drop as JSON has it."""
    return {
        "is_dry_run": is_dry,
        "meant": [as_json(each) for each in meant.letters],
        "dropped": [] if is_dry else [str(each.place) for each in meant.letters],
        "marks_without_letters": [
            {"order_id": each.order_id, "source": None if each.source is None else each.source._asdict()}
            for each in meant.orphans
        ],
    }
