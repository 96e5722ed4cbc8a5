# SPDX-License-Identifier: Apache-2.0
"""The command ``sandbox``: Button's Order API as a local process.

Owns the options, the console and the signals; everything else is :mod:`connector.sandbox`. Must never print a key, nor
anything of a customer.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from pathlib import Path  # noqa: TC003  Typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from connector.sandbox import FaultRule, Sandbox, SandboxOptions, SwitchError, Switches
from connector.sandbox.control import fault_rule
from connector.sandbox.switches import changed
from connector.sandbox.thread import new_event_loop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.sandbox.request_log import Entry

GARBAGE_COLLECTION = (50_000, 20, 100)
"""What the sandbox holds is live: looking through it for garbage as often as Python does only costs time."""

FAULT_FORM = "PATTERN=FAULT[:OPERATION[:TIMES]]"


def sandbox(  # noqa: PLR0913  one parameter per option
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The API's port; 0 picks a free one.", min=0, max=65535)] = 8089,
    control_port: Annotated[
        int,
        typer.Option(help="The port that stays open when connections are refused; 0 picks one.", min=0, max=65535),
    ] = 0,
    api_key: Annotated[
        str,
        typer.Option(envvar="BUTTON_SANDBOX_API_KEY", help="The one valid key.", show_default=True),
    ] = Switches().api_key,
    seed: Annotated[int, typer.Option(help="Decides which calls the shares hit.")] = 0,
    fail_share: Annotated[float, typer.Option(help="Share of calls answered 503.")] = 0,
    delay_share: Annotated[float, typer.Option(help="Share of calls that are delayed.")] = 0,
    delay_ms: Annotated[int, typer.Option(help="The delay.")] = 0,
    drop_before_share: Annotated[float, typer.Option(help="Share of calls cut before the order is taken.")] = 0,
    drop_after_share: Annotated[float, typer.Option(help="Share of calls cut after it was taken.")] = 0,
    switch: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any switch of docs/sandbox.md; repeatable."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar=FAULT_FORM, help="A fault by order id; repeatable."),
    ] = None,
    log_limit: Annotated[int, typer.Option(help="Requests that the log keeps.", min=1)] = 1_000_000,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="Written once it listens: JSON with url, control_url and pid."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="One line per request.")] = False,
) -> None:
    """Serve Button's Order API on this machine, with faults on demand, and a page that shows what it holds."""
    chosen = {
        "api_key": api_key,
        "seed": seed,
        "fail_share": fail_share,
        "delay_share": delay_share,
        "delay_ms": delay_ms,
        "drop_before_share": drop_before_share,
        "drop_after_share": drop_after_share,
    }
    switches = _switches(chosen, switch or ())
    rules = [_rule(text) for text in fault or ()]
    gc.set_threshold(*GARBAGE_COLLECTION)
    options = SandboxOptions(host, port, control_port, switches, log_limit)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(Sandbox(options, observe=_print if verbose else None), rules, ready_file))


def _switches(chosen: dict[str, object], texts: Sequence[str]) -> Switches:
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise _misread(text, "NAME=VALUE", "--set")
        chosen[name.strip()] = value
    try:
        return changed(Switches(), chosen)
    except SwitchError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error


def _misread(text: str, form: str, option: str) -> typer.BadParameter:
    return typer.BadParameter(f"{text}: write it as {form}.", param_hint=option)


def _rule(text: str) -> FaultRule:
    order_id, _, play = text.rpartition("=")
    if not order_id or play.count(":") > 2:  # noqa: PLR2004  the form has two colons
        raise _misread(text, FAULT_FORM, "--fault")
    kind, operation, times = (*play.split(":"), "", "")[:3]
    try:
        return fault_rule(
            {
                "order_id": order_id,
                "fault": kind,
                "operation": operation or None,
                "times": int(times) if times.isdecimal() else times or None,
            },
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from error


async def _serve(sandbox: Sandbox, rules: Sequence[FaultRule], ready_file: Path | None) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    for rule in rules:
        sandbox.add_rule(rule)
    await _start(sandbox)
    try:
        typer.echo(f"Button sandbox: {sandbox.url} (page {sandbox.url}/, control port {sandbox.control_url})")
        if ready_file is not None:
            _write_whole(ready_file, {"url": sandbox.url, "control_url": sandbox.control_url, "pid": os.getpid()})
        await stopped.wait()
    finally:
        counts = f"{len(sandbox.orders)} orders held, {sandbox.request_count} requests served"
        await sandbox.stop()
    typer.echo(f"Button sandbox stopped: {counts}.")


async def _start(sandbox: Sandbox) -> None:
    try:
        await sandbox.start()
    except OSError as error:
        options = sandbox.options
        typer.echo(
            f"Cannot listen on {options.host}, port {options.port}, control port {options.control_port}: "
            f"{error.strerror}. Choose others with --host, --port and --control-port; port 0 picks a free one.",
            err=True,
        )
        raise typer.Exit(1) from error


def _write_whole(path: Path, value: object) -> None:
    """Write so that a reader sees either nothing or everything."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(value) + "\n", encoding="utf-8")
    beside.replace(path)


def _print(entry: Entry) -> None:
    answer = entry.status if entry.outcome == "answered" else entry.outcome
    took_ms = ((entry.finished or entry.started) - entry.started) * 1000
    fault = f" fault={entry.fault}" if entry.fault else ""
    subject = repr(entry.order_id or entry.path)  # a caller's text must not steer the terminal
    typer.echo(f"{entry.sequence} {entry.operation} {subject} {answer} {took_ms:.1f} ms{fault}")
