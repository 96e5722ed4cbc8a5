# SPDX-License-Identifier: Apache-2.0
"""``button-connector explain``.

Owns the options, where the event comes from, and how an explanation is printed. Sends nothing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path  # noqa: TC003  Typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from connector.cli.explained import ExplainedRecord, show
from connector.cli.loading import CONFIG_VARIABLE, EXIT_MISUSED, fail, load_or_exit
from connector.cli.screen import console, print_json

if TYPE_CHECKING:
    from connector.settings import Settings

STDIN = "-"
_NEEDLESS = {"kafka": {"bootstrap_servers": "not-used:9092"}, "button": {"api_key": "not-used"}}
_BROKERS_VARIABLE = "BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS"


def explain(  # noqa: PLR0913  one parameter per option
    event: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="JSON or Avro; - reads standard input.", show_default=False),
    ] = None,
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The settings file (YAML)."),
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Read the event from this topic.")] = None,
    partition: Annotated[int, typer.Option(help="Of the topic.", min=0)] = 0,
    offset: Annotated[int | None, typer.Option(help="The record's offset in the partition.", min=0)] = None,
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What JSON, and Avro without header, are taken for.", show_default=False),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that the cluster may take.", min=1)] = 30.0,
    show_personal: Annotated[bool, typer.Option(help="Show e-mail, customer id and device ids.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what becomes of an event, and why.

    The event as it was read, its attribution token and where that came from, what the policy had to say, and the
    request that would be sent, or why there is none. Nothing is sent, nothing is committed, no group is joined.
    With --config the sessions topic of that cluster is read to look the token up, as of the event's time.

    \b
    Examples:
      button-connector explain order.json
      button-connector explain --config connector.yaml - < order.json
      button-connector explain --config connector.yaml --topic commerce-events --partition 3 --offset 1041

    Exit codes: 0 explained, whatever becomes of the event; 1 it could not be read; 2 the command line or the settings
    are wrong.
    """  # noqa: D301  the backspace is meant: it keeps the lines below it as they are
    is_record = topic is not None
    if is_record == (event is not None):
        fail("Give either a file (or - for standard input), or --topic with --offset.", EXIT_MISUSED)
    if is_record != (offset is not None):
        fail("--topic and --offset belong together.", EXIT_MISUSED)
    has_cluster = config is not None or any(name.upper() == _BROKERS_VARIABLE for name in os.environ)
    if is_record and not has_cluster:
        fail("--topic needs --config FILE, which names the cluster.", EXIT_MISUSED)
    settings = load_or_exit(config, None if has_cluster else _NEEDLESS).settings
    position = (topic, partition, offset) if topic is not None and offset is not None else None
    records = _explained(
        settings,
        position or event or STDIN,
        _Options(has_cluster, _schema(schema or settings.mapping.schema_file), timeout, show_personal),
    )
    if as_json:
        print_json([_as_json(record) for record in records])
        return
    out = console()
    for record in records:
        show(out, record)


class _Options(NamedTuple):
    has_cluster: bool
    schema: Any
    timeout_seconds: float
    shows_personal: bool


def _explained(settings: Settings, source: str | tuple[str, int, int], options: _Options) -> list[ExplainedRecord]:
    # Not at the top of the file: help must not wait for what only a command at work needs.
    import asyncio  # noqa: PLC0415  see above

    from connector import wiring  # noqa: PLC0415  see above
    from connector.avro.samples import SampleError, form_of, read_samples  # noqa: PLC0415  see above
    from connector.avro.writers import MappingError  # noqa: PLC0415  see above
    from connector.engine.ports import TopicPartition  # noqa: PLC0415  see above
    from connector.explain import work  # noqa: PLC0415  see above
    from connector.kafka.failures import KafkaFailure  # noqa: PLC0415  see above
    from connector.kafka.one_record import read_record  # noqa: PLC0415  see above

    async def explain_all() -> list[ExplainedRecord]:
        through = wiring.connection(settings.kafka) if options.has_cluster else None
        explainer = work.Explainer(
            work.Options(settings, through, options.timeout_seconds, options.shows_personal),
        )
        if isinstance(source, str) or through is None:
            samples = read_samples(_read(str(source)), options.schema)
            name = "standard input" if source == STDIN else str(source)
            return [ExplainedRecord(name, each.form, each.notes, await explainer.explain(each)) for each in samples]
        topic, partition, offset = source
        where = TopicPartition(topic, partition)
        record = read_record(through, settings.kafka.group_id, where, offset, options.timeout_seconds)
        form = "no value" if record.value is None else form_of(record.value)
        return [ExplainedRecord(f"{where} at offset {offset}", form, (), await explainer.explain_record(record))]

    try:
        return asyncio.run(explain_all())
    except (SampleError, work.Unexplained) as problem:
        fail(str(problem))
    except MappingError as error:
        fail(str(error), EXIT_MISUSED)
    except KafkaFailure as failure:
        fail(failure.reason)


def _read(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read()
    try:
        with open(name, "rb") as file:  # noqa: PTH123  a path of the user's
            return file.read()
    except OSError as error:
        fail(f"{name} cannot be read ({error.strerror}). Check the path.", EXIT_MISUSED)


def _schema(path: Path | None) -> Any:  # noqa: ANN401  any JSON
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{path} cannot be read ({error.strerror}). Check the path.", EXIT_MISUSED)
    except (ValueError, RecursionError):
        fail(f"{path} is not JSON. Give an Avro schema (.avsc).", EXIT_MISUSED)


def _as_json(record: ExplainedRecord) -> dict[str, Any]:
    events = [each.as_json() for each in record.events]
    return {"source": record.source, "format": record.form, "notes": list(record.notes), "events": events}
