# SPDX-License-Identifier: Apache-2.0
"""What is said about bad settings: key, value (never a secret), source and remedy, all in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "kafka:\n  bootstrap_servers: broker-1:9092\nbutton:\n  api_key: sk-in-file\n"
SECRET = "hunter2-hunter2"  # noqa: S105  a marked value that must never come out


def lines_for(tmp_path: Path, text: str, **environ: str) -> list[str]:
    """Return what is said about a file and variables."""
    path = tmp_path / "connector.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    said = [str(problem).replace(str(tmp_path) + "/", "") for problem in caught.value.problems]
    assert all(line and "\n" not in line for line in said)
    return said


@pytest.mark.parametrize(
    ("added", "line"),
    [
        (
            "delivery:\n  max_concurrency: many\n",
            (
                "delivery.max_concurrency: 'many' is not a whole number (connector.yaml, line 6). "
                "Give a whole number, for example 512."
            ),
        ),
        (
            "delivery:\n  max_concurrency: 0\n",
            (
                "delivery.max_concurrency: 0 is too small (connector.yaml, line 6). "
                "Give a value of at least 1, for example 512."
            ),
        ),
        (
            "delivery:\n  max_concurrency: true\n",
            "delivery.max_concurrency: true is not a number (connector.yaml, line 6). Give a number.",
        ),
        (
            "delivery:\n  drain_seconds: .inf\n",
            (
                "delivery.drain_seconds: inf is not a finite number (connector.yaml, line 6). "
                "Give a number, for example 30.0."
            ),
        ),
        (
            "ops:\n  port: 70000\n",
            "ops.port: 70000 is too large (connector.yaml, line 6). Give a value of at most 65535, for example 8080.",
        ),
        (
            "log:\n  level: loud\n",
            (
                "log.level: 'loud' is not one of 'debug', 'info', 'warning' or 'error' (connector.yaml, line 6). "
                "Use one of them."
            ),
        ),
        (
            "log: loud\n",
            (
                "log: is not a mapping of settings (connector.yaml, line 5). "
                "Write its settings indented below it: level, format."
            ),
        ),
        (
            "sessions:\n  topic: a b\n",
            (
                "sessions.topic: 'a b' is not a topic name (connector.yaml, line 6). "
                "Use 1 to 249 letters, digits, dots, underscores and hyphens."
            ),
        ),
        (
            "sessions:\n  topic: 12\n",
            (
                "sessions.topic: 12 is not text (connector.yaml, line 6). "
                "Put it in quotes, for example session-attribution."
            ),
        ),
        (
            "sessions:\n  topc: x\n",
            "sessions.topc: there is no such setting (connector.yaml, line 6). Did you mean sessions.topic?",
        ),
        (
            "sessions:\n  max_concurrency: 3\n",
            (
                "sessions.max_concurrency: there is no such setting (connector.yaml, line 6). "
                "Did you mean delivery.max_concurrency?"
            ),
        ),
        (
            "sesions:\n  topic: x\n",
            "sesions: there is no such setting (connector.yaml, line 5). Did you mean sessions?",
        ),
        (
            "zzz: 1\n",
            (
                "zzz: there is no such setting (connector.yaml, line 5). "
                "What there is: kafka, schema_registry, avro, mapping, policy, sessions, ledger, tables, "
                "dead_letters, button, "
                "delivery, ops, log, tracing."
            ),
        ),
        (
            "  base_url: api.usebutton.com\n",
            (
                "button.base_url: 'api.usebutton.com' is not a base URL (connector.yaml, line 5). "
                "Give scheme, host and port only, for example https://api.usebutton.com."
            ),
        ),
        (
            "  api_version: yesterday\n",
            (
                "button.api_version: 'yesterday' is not a date (connector.yaml, line 5). "
                "Write it as year-month-day, for example 2018-02-13."
            ),
        ),
        (
            "log:\n  level: info\n  level: debug\n",
            "log.level: is given twice, on lines 6 and 7 (connector.yaml). Keep one of them.",
        ),
        (
            "log:\n  1: info\n",
            "log.1: is a key that is not text (connector.yaml, line 6). Write the name of a setting.",
        ),
    ],
)
def test_a_bad_setting_is_named_with_value_line_and_remedy(tmp_path: Path, added: str, line: str) -> None:
    """One problem gives one line that says where and what to do."""
    assert lines_for(tmp_path, GOOD + added) == [line]


@pytest.mark.parametrize(
    "servers",
    [
        "broker-1",
        "http://broker-1:9092",
        "broker-1:port",
        "broker-1:99999",
        "broker-1:9092,,",
        f"user:{SECRET}@broker-1:9092",
    ],
)
def test_brokers_must_be_hosts_with_ports(tmp_path: Path, servers: str) -> None:
    """The commonest mistake of all is said plainly."""
    (line,) = lines_for(tmp_path, f"kafka:\n  bootstrap_servers: '{servers}'\nbutton:\n  api_key: sk-x\n")
    assert line.startswith("kafka.bootstrap_servers: '")
    assert SECRET not in line
    assert line.endswith(
        " is not a list of host:port (connector.yaml, line 2). "
        "Give brokers as host:port with commas between them, for example broker-1:9092.",
    )


def test_everything_is_said_in_one_go(tmp_path: Path) -> None:
    """Nobody has to start five times to learn of five mistakes."""
    text = "delivery:\n  max_concurrency: many\nsesions: {}\n"
    keys = [line.split(": ")[0] for line in lines_for(tmp_path, text, BUTTON_CONNECTOR__KAFAK__GROUP_ID="x")]
    assert sorted(keys) == [
        "BUTTON_CONNECTOR__KAFAK__GROUP_ID",
        "button.api_key",
        "delivery.max_concurrency",
        "kafka.bootstrap_servers",
        "sesions",
    ]


def test_what_is_required_is_said_with_how_to_give_it() -> None:
    """Starting with nothing names every setting that has no default."""
    with pytest.raises(SettingsError) as caught:
        load(None, {})
    assert [str(problem) for problem in caught.value.problems] == [
        (
            "kafka.bootstrap_servers: is required and not given. Set it in the file or by "
            "BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS, for example broker-1:9092,broker-2:9092."
        ),
        (
            "button.api_key: is required, or else button.api_key_file, and neither is given. Set one of them "
            "in the file, or BUTTON_CONNECTOR__BUTTON__API_KEY_FILE to the path of a file with it."
        ),
    ]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "BUTTON_CONNECTOR__OPS__PORT",
            "eighty",
            (
                "ops.port: 'eighty' is not a whole number (environment variable BUTTON_CONNECTOR__OPS__PORT). "
                "Give a whole number, for example 8080."
            ),
        ),
        (
            "BUTTON_CONNECTOR__OPS__PROT",
            "80",
            (
                "ops.prot: there is no such setting (environment variable BUTTON_CONNECTOR__OPS__PROT). "
                "Did you mean ops.port?"
            ),
        ),
        (
            "BUTTON_CONNECTOR__KAFKA__TOPICS",
            "a,b c",
            (
                "kafka.topics[1]: 'b c' is not a topic name (environment variable BUTTON_CONNECTOR__KAFKA__TOPICS). "
                "Use 1 to 249 letters, digits, dots, underscores and hyphens."
            ),
        ),
        (
            "BUTTON_CONNECTOR__KAFAK__GROUP_ID",
            "x",
            (
                "BUTTON_CONNECTOR__KAFAK__GROUP_ID: names no setting (environment variable). "
                "Did you mean BUTTON_CONNECTOR__KAFKA__GROUP_ID?"
            ),
        ),
        (
            "BUTTON_CONNECTOR__KAFKA",
            '{"group_id": "x"}',
            (
                "BUTTON_CONNECTOR__KAFKA: names no setting (environment variable). Write BUTTON_CONNECTOR__AREA__KEY; "
                "the areas are: kafka, schema_registry, avro, mapping, policy, sessions, ledger, tables, "
                "dead_letters, button, "
                "delivery, ops, log, tracing."
            ),
        ),
        (
            "BUTTON_CONNECTOR_LOG_LEVEL",
            "debug",
            (
                "BUTTON_CONNECTOR_LOG_LEVEL: is not read (environment variable). "
                "Write BUTTON_CONNECTOR__LOG__LEVEL: two underscores between the parts."
            ),
        ),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, name: str, value: str, line: str) -> None:
    """The variable is the source, also where the file has the same key."""
    text = "kafka:\n  bootstrap_servers: a:1\n  topics: [x, y]\nbutton:\n  api_key: sk-x\nops:\n  port: 1\n"
    assert lines_for(tmp_path, text, **{name: value}) == [line]


@pytest.mark.parametrize(
    "text",
    [
        f"button:\n  api_kye: {SECRET}\n",
        f"api_key: {SECRET}\n",
        f"button:\n  api_key: [{SECRET}]\n",
        f"button:\n  api_key: '{SECRET} '\n",
        f"button:\n  api_key: '{SECRET}:'\n",
        f"button: {SECRET}\n",
        f"button: [{SECRET}]\n",
        f"button:\n  base_url: https://user:{SECRET}@host\n",
        f"button:\n  api_key: *{SECRET}\n",
        f"button:\n  api_key: !{SECRET}\n",
        f"button:\n  api_key: &{SECRET} &{SECRET}\n",
        f"button:\n  api_key: {SECRET}: {SECRET}\n",
        f"button:\n  api_key: '{SECRET}\n",
        f"button:\n  api_key: {SECRET}\n  api_key_file: /nowhere\n",
        f"{SECRET}\n",
        f"- {SECRET}\n",
    ],
)
def test_a_secret_is_never_shown(tmp_path: Path, text: str) -> None:
    """Not under its own key, not under a mistyped one, not in a file that cannot be parsed."""
    assert SECRET not in "\n".join(lines_for(tmp_path, text))


def test_a_secret_is_not_in_the_traceback_either(tmp_path: Path) -> None:
    """The error that pydantic raised holds its input; nothing of it is chained."""
    path = tmp_path / "connector.yaml"
    path.write_text(f"button:\n  api_key: '{SECRET} '\n")
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"kafka:\n\tx: 1\n", "connector.yaml, line 2, column 1, is not YAML: found character '\\t' that cannot"),
        (b"kafka: [1\n", "connector.yaml, line 2, column 1, is not YAML: expected ',' or ']', but got '<stream end>'"),
        (b"- kafka\n", "connector.yaml does not hold a mapping of settings. Start it with an area"),
        (b"just text\n", "connector.yaml does not hold a mapping of settings. Start it with an area"),
        (b"kafka: \xff\n", "connector.yaml is not UTF-8 text at byte 7. Save it as UTF-8."),
        (b"kafka: \x00\n", "connector.yaml is not YAML that can be read. Look for control characters"),
        (b"button: {api_version: 2018-13-45}\n", "connector.yaml is not YAML that can be read."),
        (b"a: 1\n---\nb: 2\n", "connector.yaml, line 2, column 1, is not YAML: but found another document"),
        (
            b"kafka: !!python/object:os.system {}\n",
            "connector.yaml, line 1, column 8, is not YAML: could not determine",
        ),
    ],
)
def test_a_file_that_is_not_settings_is_named(tmp_path: Path, content: bytes, line: str) -> None:
    """What kind of file it is, and where it goes wrong, without quoting it."""
    path = tmp_path / "connector.yaml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert str(caught.value).replace(str(tmp_path) + "/", "").startswith(line)


def test_a_file_that_is_absent_or_a_directory_is_named(tmp_path: Path) -> None:
    """The path is shown, and how it was given."""
    with pytest.raises(SettingsError, match=r"there is no file .*nowhere\.yaml\. Check the path given by --config"):
        load(tmp_path / "nowhere.yaml", {})
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path, {})


def test_a_file_of_aliases_that_multiply_is_no_danger(tmp_path: Path) -> None:
    """A circular file, and one that would grow to a billion entries, are refused like any other."""
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
    lines_for(tmp_path, f"a0: &a0 x\n{levels}\n")
    lines_for(tmp_path, "kafka: &a {group_id: *a}\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("sk-a\nsk-b\n", "holds a character that no API key has"),
    ],
)
def test_a_key_file_must_hold_one_key(tmp_path: Path, content: str, line: str) -> None:
    """A file that is there but useless stops the start, not the first order."""
    key = tmp_path / "key"
    key.write_text(content)
    text = f"kafka:\n  bootstrap_servers: a:1\nbutton:\n  api_key_file: {key}\n"
    (said,) = lines_for(tmp_path, text)
    assert said.startswith(f"button.api_key_file: 'key' {line} (connector.yaml, line 4).")


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The reason of the system is said."""
    (said,) = lines_for(tmp_path, "kafka:\n  bootstrap_servers: a:1\nbutton:\n  api_key_file: /nowhere/key\n")
    assert said == (
        "button.api_key_file: '/nowhere/key' cannot be read (No such file or directory) (connector.yaml, line 4). "
        "Check the path, and that the connector's user may read the file."
    )


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    """Which of the two would win is not left to chance."""
    key = tmp_path / "key"
    key.write_text("sk-a")
    (said,) = lines_for(tmp_path, GOOD, BUTTON_CONNECTOR__BUTTON__API_KEY_FILE=str(key))
    assert said == (
        "button.api_key_file: is given beside button.api_key (environment variable "
        "BUTTON_CONNECTOR__BUTTON__API_KEY_FILE). Give one of them, not both."
    )
