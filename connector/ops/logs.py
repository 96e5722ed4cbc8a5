# SPDX-License-Identifier: Apache-2.0
"""The log: lines of JSON, or of text for a terminal.

Owns how a line looks and where the lines of libraries go. Configures nothing of structlog globally. Tracebacks never
show the values of variables: secrets and customers' data are among them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, TextIO, TypeAlias, cast

import orjson
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.stdlib import ProcessorFormatter, add_logger_name

from connector.ops.redaction import Redactor

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

Log: TypeAlias = "FilteringBoundLogger"
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


def open_log(
    stream: TextIO,
    level: Level = "info",
    shape: Format = "auto",
    redactor: Redactor | None = None,
) -> FilteringBoundLogger:
    """Return a logger that writes to ``stream`` with everything masked that ``redactor`` knows."""
    chain: list[Processor] = [add_log_level, *_processors(stream, shape, redactor or Redactor())]
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    )
    return cast("FilteringBoundLogger", logger.bind())


def adopt_libraries(
    stream: TextIO,
    level: Level = "info",
    shape: Format = "auto",
    redactor: Redactor | None = None,
) -> None:
    """Send what libraries log, and Python's warnings, through the same shape; below ``debug`` only their warnings."""
    formatter = ProcessorFormatter(
        foreign_pre_chain=[add_log_level, add_logger_name],
        processors=[ProcessorFormatter.remove_processors_meta, *_processors(stream, shape, redactor or Redactor())],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO if level == "debug" else logging.WARNING)
    logging.captureWarnings(capture=True)


def _processors(stream: TextIO, shape: Format, redactor: Redactor) -> list[Processor]:
    is_console = shape == "console" or (shape == "auto" and stream.isatty())
    renderer: Processor = (
        ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain_traceback)
        if is_console
        else JSONRenderer(serializer=_to_json)
    )
    return [TimeStamper(fmt="iso", utc=True), format_exc_info, redactor, renderer]


def _to_json(event: object, **_: object) -> str:
    return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()
