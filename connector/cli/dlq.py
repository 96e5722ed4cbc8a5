# SPDX-License-Identifier: Apache-2.0
"""``button-connector dlq``: dead letters.

Owns the options and what is asked before something is changed. ``list`` and ``show`` change nothing anywhere.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector.cli.loading import CONFIG_VARIABLE, EXIT_FAILED, EXIT_MISUSED, fail, load_or_exit
from connector.cli.screen import console, print_json, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from connector.dlq.asking import Asking
    from connector.dlq.choosing import Filter
    from connector.dlq.dropping import Drop
    from connector.kafka.letters import Place
    from connector.kafka.whole_topic import HowFar

    T = TypeVar("T")

dlq = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The settings file (YAML)."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Timeout = Annotated[float, typer.Option(help="Seconds that the brokers may be silent.", min=1)]
_Reason = Annotated[
    list[str] | None,
    typer.Option("--reason", help="Only letters with this reason; may be given again.", show_default=False),
]
_Order = Annotated[
    list[str] | None,
    typer.Option("--order", metavar="ORDER_ID", help="Only of this order; may be given again.", show_default=False),
]
_Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only written since: 90m, 24h, 7d, or a date.", show_default=False),
]
_Until = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only written before: 90m, 24h, 7d, or a date.", show_default=False),
]
_Source = Annotated[
    str | None,
    typer.Option(metavar="TOPIC[/PARTITION[/OFFSET]]", help="Only events that came from there.", show_default=False),
]


@dlq.callback()
def _dlq() -> None:
    """List dead letters, show, replay and drop them.

    A letter is named by where it lies in the topic of dead letters: partition/offset, as list shows it.
    """


@dlq.command("list")
def list_(  # noqa: PLR0913  one parameter per option
    *,
    reason: _Reason = None,
    order: _Order = None,
    since: _Since = None,
    until: _Until = None,
    source: _Source = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were replayed or dropped.")] = False,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=100_000)] = 50,
    config: _Config = None,
    as_json: _Json = False,
    timeout: _Timeout = 30.0,
) -> None:
    """List dead letters that are open, the newest first.

    The whole topic is read for it; nothing is changed anywhere.

    Exit codes: 0 listed, though it may be none; 1 the topic cannot be read; 2 the command line or the settings are
    wrong.
    """
    chosen = _filter(reason, order, since, until, source, everything=everything)
    asking = _asking(config, timeout)
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.cli.shown_letters import none_chosen, print_list  # noqa: PLC0415  see above
    from connector.dlq.view import as_json as as_json_  # noqa: PLC0415  see above

    there = _or_fail(asking.letters)
    letters = [each for each in there if chosen.takes(each)]
    letters.sort(key=lambda each: (each.written_at_ms, each.place), reverse=True)
    if as_json:
        print_json([as_json_(each) for each in letters[:limit]])
    elif not letters:
        say(console(), none_chosen(there, asking.settings.dead_letters.topic))
    else:
        print_list(console(), letters[:limit], len(letters), asking.settings.dead_letters.topic)


@dlq.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="partition/offset, as list shows it.")],
    *,
    config: _Config = None,
    as_json: _Json = False,
    timeout: _Timeout = 30.0,
) -> None:
    """Show a dead letter: why it is one, and its event as it is read today.

    What would become of the event by the settings of today is said as explain says it; nothing is sent, and no session
    is looked up. E-mail addresses, customer ids and device ids are masked.

    Exit codes: 0 shown; 1 there is no such letter, or it cannot be read; 2 the command line or the settings are wrong.
    """
    place = _place(letter)
    asking = _asking(config, timeout)
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.cli.shown_letters import print_letter  # noqa: PLC0415  see above
    from connector.dlq import show as work  # noqa: PLC0415  see above

    view = _or_fail(lambda: work.show(place, asking))
    if view is None:
        topic = asking.settings.dead_letters.topic
        fail(f"LETTER: {topic!r} has no dead letter at {place}. See button-connector dlq list --all.")
    if as_json:
        print_json(view.as_json())
    else:
        print_letter(console(), view)


_Letters = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LETTER]...", help="partition/offset, as list shows it.", show_default=False),
]


@dlq.command()
def replay(  # noqa: PLR0913  one parameter per option
    letters: _Letters = None,
    *,
    reason: _Reason = None,
    order: _Order = None,
    since: _Since = None,
    until: _Until = None,
    source: _Source = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    rate: Annotated[float | None, typer.Option(help="Letters a second.", min=0.01, show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="So many at most; an order is not cut.", min=1)] = 1000,
    force: Annotated[bool, typer.Option("--force", help="Also what was replayed three times and came back.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the connector is done, and say what came back.")] = True,
    wait_seconds: Annotated[float, typer.Option(help="How long to wait for the connector.", min=1)] = 60.0,
    config: _Config = None,
    as_json: _Json = False,
    timeout: _Timeout = 30.0,
) -> None:
    """Let the connector take events once more that became dead letters.

    Whatever letters of an order are chosen, all of its open ones are replayed, in their original order; with the last
    one the order is free. The records go back into the partitions that they came from, marked, and the connector takes
    the event that is meant and no other of its record. See what would happen by --dry-run.

    \b
    Examples:
      button-connector dlq replay --order M-1 --config connector.yaml
      button-connector dlq replay --reason unknown_currency --since 2d --rate 50 --config connector.yaml

    Exit codes: 0 replayed, though it may be none; 1 something could not be replayed, came back, was not done in
    time, or is left for another time; 2 the command line or the settings are wrong.
    """  # noqa: D301  the backspace is meant: it keeps the lines below it as they are
    chosen = _chosen(_filter(reason, order, since, until, source, letters), everything=everything)
    asking = _asking(config, timeout)
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.cli.replayed_letters import is_well, print_report, report_as_json  # noqa: PLC0415  see above
    from connector.dlq import work  # noqa: PLC0415  see above

    wishes = work.Wishes(limit, rate, force, dry_run, wait_seconds if wait else None)
    report = _or_fail(lambda: work.replay(chosen, asking, wishes))
    if as_json:
        print_json(report_as_json(report, is_dry=dry_run))
    else:
        print_report(console(), report, asking.settings, is_dry=dry_run)
    if not is_well(report, is_dry=dry_run):
        raise typer.Exit(EXIT_FAILED)


@dlq.command()
def drop(  # noqa: PLR0913  one parameter per option
    letters: _Letters = None,
    *,
    reason: _Reason = None,
    order: _Order = None,
    since: _Since = None,
    until: _Until = None,
    source: _Source = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be dropped.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: _Config = None,
    as_json: _Json = False,
    timeout: _Timeout = 30.0,
) -> None:
    """Give letters up: they are not replayed, and their orders wait for them no longer.

    The records stay in the topic for as long as it keeps them; list --all shows them. An order of which no letter is
    left is free; name it by --order if the topic has lost its letters already, and the marks go that kept it parked.

    Exit codes: 0 dropped, though it may be none; 1 something could not be written; 2 the command line or the settings
    are wrong, or nobody said yes.
    """
    chosen = _chosen(_filter(reason, order, since, until, source, letters), everything=everything)
    asking = _asking(config, timeout)
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.cli.replayed_letters import dropped_as_json, print_dropped  # noqa: PLC0415  see above
    from connector.dlq import work  # noqa: PLC0415  see above

    meant = _or_fail(lambda: work.drop(chosen, asking))
    if any(meant) and not dry_run and not yes:
        _ask_for_leave(meant)
    if any(meant) and not dry_run:
        _or_fail(lambda: work.drop_these(meant, asking))
    if as_json:
        print_json(dropped_as_json(meant, is_dry=dry_run))
    else:
        print_dropped(console(), meant, is_dry=dry_run)


@dlq.command()
def resume(
    *,
    config: _Config = None,
    timeout: _Timeout = 30.0,
) -> None:
    """Let connectors go on that halted because of too many dead letters.

    All running connectors of the ledger hear it: the request is a record in the ledger's topic. What was held is
    decided anew, and the counting begins anew; more dead letters halt again. Those that are not halted do nothing.

    Exit codes: 0 asked; 1 the ledger's topic cannot be written; 2 the command line or the settings are wrong.
    """
    asking = _asking(config, timeout)
    if not asking.settings.ledger.enabled:
        fail(
            "ledger.enabled is false, so there is no topic that connectors hear it by. Restart them instead.",
            EXIT_MISUSED,
        )
    from connector.dlq.resuming import ask_to_go_on  # noqa: PLC0415  help must not wait for it

    _or_fail(lambda: ask_to_go_on(asking))
    typer.echo(f"Asked the connectors of ledger {asking.settings.ledger.topic} to go on. See /readyz, or their logs.")


def _chosen(chosen: Filter, *, everything: bool) -> Filter:
    """Return what is meant, if something was said of it."""
    if chosen.is_any and not everything:
        fail(
            "Say which letters: name them, or give --reason, --order, --since, --until, --source or --all.",
            EXIT_MISUSED,
        )
    return chosen


def _ask_for_leave(meant: Drop) -> None:
    import sys  # noqa: PLC0415  only here

    marks = f" and {len(meant.orphans)} mark(s) without a letter" if meant.orphans else ""
    question = f"Drop {len(meant.letters)} dead letter(s){marks} for good? What they say is then never told to Button."
    if not sys.stdin.isatty():
        fail(f"{question} Nobody is there to say yes: give --yes.", EXIT_MISUSED)
    if not typer.confirm(question, err=True):
        raise typer.Exit(EXIT_MISUSED)


def _filter(  # noqa: PLR0913, PLR0917  one for each option
    reason: list[str] | None,
    order: list[str] | None,
    since: str | None,
    until: str | None,
    source: str | None,
    letters: list[str] | None = None,
    *,
    everything: bool = False,
) -> Filter:
    """Return what is meant, or say what is misspelt and end with 2."""
    from connector.dlq.choosing import Filter, source_from, time_from  # noqa: PLC0415  help must not wait for it
    from connector.kafka.letters import State  # noqa: PLC0415  as above

    now_ms = time.time_ns() // 1_000_000
    return Filter(
        reasons=frozenset(reason or ()),
        orders=frozenset(order or ()),
        since_ms=None if since is None else _spelt("--since", lambda: time_from(since, now_ms)),
        until_ms=None if until is None else _spelt("--until", lambda: time_from(until, now_ms)),
        source=None if source is None else _spelt("--source", lambda: source_from(source)),
        places=frozenset(map(_place, letters or ())),
        states=frozenset(State) if everything else frozenset({State.OPEN}),
    )


def _place(text: str) -> Place:
    from connector.dlq.choosing import place_from  # noqa: PLC0415  help must not wait for it

    return _spelt("LETTER", lambda: place_from(text))


def _spelt(name: str, read: Callable[[], T]) -> T:
    from connector.dlq.choosing import Misspelt  # noqa: PLC0415  help must not wait for it

    try:
        return read()
    except Misspelt as why:
        fail(f"{name}: {why}.", EXIT_MISUSED)


def _or_fail(work: Callable[[], T]) -> T:
    from connector.kafka.failures import KafkaFailure  # noqa: PLC0415  help must not wait for it

    try:
        return work()
    except KafkaFailure as failure:
        fail(failure.reason)


def _asking(config: Path | None, timeout: float) -> Asking:
    settings = load_or_exit(config).settings
    from connector.dlq.asking import asking_of  # noqa: PLC0415  help must not wait for it

    try:
        return asking_of(settings, timeout, _report)
    except OSError as error:
        fail(f"{error.filename} cannot be read ({error.strerror}). Check the files that the settings name.")


def _report(how_far: HowFar) -> None:
    share = 100 * how_far.passed // max(1, how_far.wanted)
    typer.echo(f"reading {how_far.topic}: {how_far.passed:,} of {how_far.wanted:,} records ({share} %)", err=True)
