# SPDX-License-Identifier: Apache-2.0
"""What a log line looks like, and what is never in it."""

from __future__ import annotations

import io
import json
import logging
import time
import warnings
from typing import TYPE_CHECKING

import pytest

from connector.ops.logs import Format, adopt_libraries, open_log
from connector.ops.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "Xq7-not-like-a-key"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level


def written(shape: Format = "json", *, event: str = "it happened", **fields: object) -> str:
    """Return the line that fields become."""
    stream = io.StringIO()
    open_log(stream, "info", shape, Redactor(KEY)).info(event, **fields)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("stream", "shape", "is_json"),
    [
        (io.StringIO, "auto", True),
        (_Terminal, "auto", False),
        (_Terminal, "json", True),
        (io.StringIO, "console", False),
    ],
)
def test_the_shape_follows_the_terminal_unless_it_is_set(
    stream: type[io.StringIO],
    shape: Format,
    *,
    is_json: bool,
) -> None:
    """People read text, machines read JSON."""
    target = stream()
    open_log(target, "info", shape).info("it happened", topic="orders")
    assert target.getvalue().startswith("{") == is_json


def test_a_line_of_json_is_one_line_with_the_fields_as_they_are() -> None:
    """Whatever is in the values."""
    line = written(message="two\nlines", offset=2**60, ratio=0.5, nothing=None, names=["a", "b"])
    assert line.count("\n") == 1
    fields = json.loads(line)
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {
        "event": "it happened",
        "level": "info",
        "message": "two\nlines",
        "offset": 2**60,
        "ratio": 0.5,
        "nothing": None,
        "names": ["a", "b"],
    }


def test_lines_below_the_level_are_not_written() -> None:
    """The level is the least important that is written."""
    stream = io.StringIO()
    log = open_log(stream, "warning", "json")
    log.info("no")
    log.warning("yes")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]


@pytest.mark.parametrize("shape", ["json", "console"])
@pytest.mark.parametrize(
    "value",
    [
        "order of jane.doe+shop@example.co.uk refused",
        "jane%40example.com",
        "<jane@example.com>",
        "jane@localhost",
        ["deep", {"er": ("jane@example.com",)}],
        {"jane@example.com": 1},
        ValueError("jane@example.com"),
    ],
    ids=str,
)
def test_an_address_is_masked_wherever_it_is(shape: Format, value: object) -> None:
    """In texts, lists, keys and objects."""
    line = written(shape, message=value)
    assert "jane" not in line
    assert "***" in line


@pytest.mark.parametrize("shape", ["json", "console"])
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"tried {KEY} in vain", KEY),
        # base64 of the key with a colon behind it, made outside
        ("authorization: WHE3LW5vdC1saWtlLWEta2V5Og==", "WHE3LW5vdC1saWtlLWEta2V5Og"),
        ("key sk-0123456789abcdef", "0123456789"),
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("Bearer eyJhbGciOi.J9", "eyJhbGciOi"),
        ("http://user:hunter2@proxy:3128 refused", "hunter2"),
    ],
)
def test_a_secret_is_masked_wherever_it_is(shape: Format, text: str, secret: str) -> None:
    """The one that we know, and what looks like one."""
    for line in (written(shape, message=text), written(shape, event=text), written(shape, message=[text])):
        assert secret not in line
        assert "***" in line


@pytest.mark.parametrize("name", ["api_key", "Authorization", "sasl_password", "client_secret"])
def test_a_field_with_the_name_of_a_secret_is_masked(name: str) -> None:
    """Whatever it holds, at any depth."""
    stream = io.StringIO()
    open_log(stream, "info", "json").info("it happened", **{name: "plain"})
    assert "plain" not in stream.getvalue()
    assert "plain" not in written(settings={name: "plain"})


@pytest.mark.parametrize(
    "text",
    ["orders/3 from 12", "HTTP 503: busy", "2026-01-01T00:00:00Z", "task-sk-", "basic facts", "a b"],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    """A guard that masks everything would be switched off."""
    assert json.loads(written(message=text))["message"] == text


def test_masking_is_quick_for_any_text() -> None:
    """No text of a foreign server makes a line take long."""
    for text in ("a" * 200_000 + "@", "a@" * 50_000, "://" + "a" * 200_000 + " @", "Basic " + "a" * 200_000):
        started = time.process_time()
        Redactor(KEY).text(text)
        assert time.process_time() - started < 2


@pytest.mark.parametrize("shape", ["json", "console"])
def test_a_traceback_shows_no_values_of_variables(shape: Format) -> None:
    """Secrets and customers' data are among them."""
    stream = io.StringIO()
    log = open_log(stream, "info", shape)
    try:
        marked = "local-" + "value"
        int(marked[:0])
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert "ValueError" in text
    assert "local-value" not in text


@pytest.mark.usefixtures("_root_logger")
def test_libraries_log_in_the_same_shape_and_behind_the_same_guard() -> None:
    """Also Python's warnings."""
    stream = io.StringIO()
    adopt_libraries(stream, "info", "json", Redactor(KEY))
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("some.library").warning("tried %s as %s", KEY, "jane@example.com")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", UserWarning, stacklevel=1)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["logger"]) for line in lines] == [
        ("warning", "some.library"),
        ("warning", "py.warnings"),
    ]
    assert lines[0]["event"] == "tried *** as ***"
