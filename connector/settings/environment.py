# SPDX-License-Identifier: Apache-2.0
"""Settings from environment variables: ``BUTTON_CONNECTOR__AREA__KEY``.

Owns the names of the variables. A variable with two underscores after the prefix is always meant for us, so one that
names no area is a problem. With one underscore it may be anybody's (Kubernetes sets ``BUTTON_CONNECTOR_SERVICE_HOST``
for a service called button-connector), so only one that would be a setting with two is a problem.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic_settings import EnvSettingsSource

from connector.settings.client_properties import dotted_name
from connector.settings.problems import Problem
from connector.settings.root import Settings
from connector.settings.schema import has_dotted_names, leaves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

    from connector.settings.document import KeyPath

PREFIX = "BUTTON_CONNECTOR__"
_DELIMITER = "__"
_KUBERNETES_LINKS = ("tcp://", "udp://", "sctp://")


def variable(path: KeyPath) -> str:
    """Return the name of the variable that sets a key."""
    return PREFIX + _DELIMITER.join(str(part) for part in path).upper()


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says; ``names`` maps a key's path to the variable as it is spelled there."""

    values: dict[str, object] = field(default_factory=dict)
    names: dict[KeyPath, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def source_of(self, path: KeyPath) -> str:
        """Return the variable that a key came from; empty when the environment does not have it."""
        name = self.names.get(path)
        return f"environment variable {name}" if name else ""

    def sets(self, path: KeyPath) -> bool:
        """Return whether a key, or something in which it would lie, has its value from here."""
        values: object = self.values
        for part in path:
            if not isinstance(values, dict):
                return True
            if part not in values:
                return False
            values = values[part]
        return True


class _Source(EnvSettingsSource):
    """Takes the variables that it is given; leaves what is not JSON to the fields, whose messages name the key."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(Settings, env_prefix=PREFIX, env_nested_delimiter=_DELIMITER)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: object) -> object:
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Pick what is meant for us; an empty variable counts as not set, as templates leave them behind."""
    given = {name: value for name, value in environ.items() if value}
    ours = {name: value for name, value in given.items() if name.upper().startswith(PREFIX)}
    areas = Settings.model_fields
    names: dict[KeyPath, str] = {tuple(_parts(name)): name for name in ours}
    problems = [_names_nothing(name) for path, name in names.items() if len(path) == 1 or path[0] not in areas]
    problems += [_one_underscore(name, wanted) for name, wanted in _near_misses(given).items()]
    settings = {name: value for name, value in ours.items() if len(_parts(name)) > 1}
    return Environment(_with_dots(_Source(settings)()), names, tuple(problems))


def _parts(name: str) -> list[str]:
    """Return the key that a variable sets; below a setting of dotted names an underscore stands for a dot."""
    *outer, name_below = name[len(PREFIX) :].lower().split(_DELIMITER)
    if len(outer) > 1 and has_dotted_names(tuple(outer)):
        name_below = dotted_name(name_below)
    return [*outer, name_below]


def _with_dots(values: dict[str, object]) -> dict[str, object]:
    return {area: _dotted_in(area, below) for area, below in values.items()}


def _dotted_in(area: str, values: object) -> object:
    if not isinstance(values, dict):
        return values
    return {
        name: {dotted_name(key): each for key, each in value.items()}
        if isinstance(value, dict) and has_dotted_names((area, name))
        else value
        for name, value in values.items()
    }


def _names_nothing(name: str) -> Problem:
    known = [variable(path) for path in leaves()]
    close = difflib.get_close_matches(name.upper(), known, 1) if len(_parts(name)) > 1 else []
    remedy = (
        f"Did you mean {close[0]}?"
        if close
        else f"Write {PREFIX}AREA__KEY; the areas are: {', '.join(Settings.model_fields)}."
    )
    return Problem((name,), "names no setting", remedy, "environment variable")


def _near_misses(given: Mapping[str, str]) -> dict[str, str]:
    flat = {variable(path).replace(_DELIMITER, "_"): variable(path) for path in leaves()}
    return {
        name: flat[name.upper()]
        for name, value in given.items()
        if name.upper() in flat and not value.startswith(_KUBERNETES_LINKS)
    }


def _one_underscore(name: str, wanted: str) -> Problem:
    return Problem(
        (name,),
        "is not read",
        f"Write {wanted}: two underscores between the parts.",
        "environment variable",
    )
