# SPDX-License-Identifier: Apache-2.0
"""The settings file: YAML with the line of every key.

Owns what makes a file unusable as a whole: absent, unreadable, not YAML, not a mapping, a key twice. Knows no setting.
Messages never quote the file: any line of it may be the one with the secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from connector.settings.problems import Problem, SettingsError, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KeyPath = tuple[str | int, ...]

_QUOTED = re.compile(r"'([^']*)'")
_OWN_WORD = re.compile(r"<.*>|\\?.")
"""What the YAML library quotes of itself: tokens like <block end>, and single characters. The rest is the file's."""
_NOT_READ = (OSError, ValueError, LookupError, AttributeError, RecursionError, yaml.YAMLError)
"""What the YAML library raises; a value that is not of the type which its tag names ends in any of these."""
_DEEPEST_NAME = 3
"""Area, setting and a name within it; what lies deeper may have an HTTP status for a key."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a settings file says, and on which line (from 1) it says it."""

    name: str = ""
    values: dict[str, object] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def source_of(self, path: KeyPath) -> str:
        """Return file and line of a key; empty when the file does not have it."""
        line = self.lines.get(path)
        return f"{self.name}, line {line}" if line else ""


def read_document(path: Path) -> Document:
    """Read a settings file, or raise ``SettingsError``."""
    try:
        return _parse(path.read_text(encoding="utf-8-sig"), str(path))
    except _NOT_READ as error:
        raise SettingsError((_unusable(str(path), error),)) from None


def _parse(text: str, name: str) -> Document:
    loader = yaml.SafeLoader(text)
    node = loader.get_single_node()
    if node is None:
        return Document(name)
    # Before the values are made: that folds merge keys ("<<") into their mapping, where they would look like doubles.
    lines = _lines(node, name)
    values = loader.construct_document(node)
    if values is None:
        return Document(name)
    if not isinstance(values, dict):
        what = f"{name} does not hold a mapping of settings"
        raise SettingsError((Problem((), what, "Start it with an area, for example 'kafka:'."),))
    return Document(name, values, lines)


def _unusable(name: str, error: Exception) -> Problem:
    match error:
        case FileNotFoundError():
            what, remedy = f"there is no file {name}", "Check the path given by --config or BUTTON_CONNECTOR_CONFIG."
        case OSError():
            what, remedy = (
                f"{name} cannot be read ({error.strerror})",
                "Give a file that the connector's user may read.",
            )
        case UnicodeDecodeError():
            what, remedy = f"{name} is not UTF-8 text at byte {error.start}", "Save it as UTF-8."
        case yaml.MarkedYAMLError():
            mark = error.problem_mark or error.context_mark
            line = f", line {mark.line + 1}, column {mark.column + 1}," if mark else ""
            reason = _QUOTED.sub(_unquoted, error.problem or "it cannot be read")
            what, remedy = f"{name}{line} is not YAML: {reason}", "Check indentation, colons and quotes there."
        case _:
            what = f"{name} is not YAML that can be read"
            remedy = "Look for control characters, tags, impossible dates and deep nesting."
    return Problem((), what, remedy)


def _unquoted(match: re.Match[str]) -> str:
    return match[0] if _OWN_WORD.fullmatch(match[1]) else "'...'"


def _lines(root: yaml.Node, name: str) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    problems = []
    for path, node, is_name in _entries(root, (), set()):
        line = node.start_mark.line + 1
        key = dotted(path)
        if not is_name:
            what = "is a key that is not text"
            problems.append(Problem((key,), what, "Write the name of a setting.", f"{name}, line {line}"))
        elif path in lines:
            what = f"is given twice, on lines {lines[path]} and {line}"
            problems.append(Problem((key,), what, "Keep one of them.", name))
        lines.setdefault(path, line)
    if problems:
        raise SettingsError(tuple(problems))
    return lines


def _entries(node: yaml.Node, path: KeyPath, seen: set[int]) -> Iterator[tuple[KeyPath, yaml.Node, bool]]:
    """Yield every entry with its path, and whether its key is a name.

    A node that is reached again through an alias is walked once: aliases may multiply without bound, or be circular.
    """
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            below = (*path, key.value if isinstance(key, yaml.ScalarNode) else "?")
            is_status = key.tag == "tag:yaml.org,2002:int" and len(below) > _DEEPEST_NAME
            yield below, key, is_status or key.tag == "tag:yaml.org,2002:str"
            yield from _entries(value, below, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item, True
            yield from _entries(item, (*path, index), seen)
