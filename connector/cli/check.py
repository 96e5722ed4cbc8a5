# SPDX-License-Identifier: Apache-2.0
"""``button-connector check``.

Owns the options and how findings are printed. Looks only: nothing is created, sent or committed.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path  # noqa: TC003  Typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from connector.cli.loading import CONFIG_VARIABLE, EXIT_FAILED, EXIT_OK, load_or_exit
from connector.cli.screen import console, print_json, table

if TYPE_CHECKING:
    from connector.checks.findings import Finding

_MARKS = {
    "ok": "[green]ok[/]",
    "warning": "[yellow]warning[/]",
    "unknown": "[yellow]unknown[/]",
    "failed": "[red]NOT OK[/]",
}


def check(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The settings file (YAML)."),
    ] = None,
    *,
    timeout: Annotated[float, typer.Option(help="Seconds that each question may take.", min=1)] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look whether everything that run needs is there and as it must be.

    Settings and the sums between them, brokers, topics and how they are kept, sizes, rights, the schema registry and
    its schemas, Button's address and API key, and the clock. Nothing is created, sent or committed; Button is asked
    for one order that cannot exist.

    Exit codes: 0 all is well (warnings are advice); 1 something is not; 2 the settings are wrong.
    """
    loaded = load_or_exit(config, takes_contradictions=True)
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.checks.findings import Grade  # noqa: PLC0415  see above
    from connector.checks.run import run_checks  # noqa: PLC0415  see above

    findings = run_checks(loaded.settings, loaded.problems, timeout)
    is_well = all(finding.grade is not Grade.FAILED for finding in findings)
    if as_json:
        print_json({"ok": is_well, "findings": [finding._asdict() for finding in findings]})
    else:
        _print(findings)
    raise typer.Exit(EXIT_OK if is_well else EXIT_FAILED)


def _print(findings: list[Finding]) -> None:
    from rich.markup import escape  # noqa: PLC0415  as above

    shown = table("", "what", "finding, and what to do")
    for finding in findings:
        remedy = f"\n[bold]-> {escape(finding.remedy)}[/]" if finding.remedy else ""
        what = f"{finding.area}\n[dim]{escape(finding.subject)}[/]" if finding.area != finding.subject else finding.area
        shown.add_row(_MARKS[finding.grade], what, escape(finding.message) + remedy)
    out = console()
    out.print(shown)
    counts = Counter(str(finding.grade) for finding in findings)
    said = {"ok": "as it must be", "failed": "not as it must be", "warning": "to consider", "unknown": "not known"}
    out.print(", ".join(f"{counts[grade]} {words}" for grade, words in said.items() if counts[grade]) + ".")
