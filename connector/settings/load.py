# SPDX-License-Identifier: Apache-2.0
"""Settings from a file and the environment.

Owns the order of precedence (environment, file, default), that everything that is wrong is found in one go, and where
each value came from.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from connector.settings.checks import contradictions
from connector.settings.document import Document, read_document
from connector.settings.environment import Environment, read_environment
from connector.settings.problems import Problem, SettingsError
from connector.settings.root import Settings
from connector.settings.schema import has_dotted_names
from connector.settings.translate import translate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from connector.settings.document import KeyPath


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each value came from."""

    document: Document
    environment: Environment

    def source_of(self, path: KeyPath) -> str:
        """Return the place to look at; empty when the value was not given."""
        outwards = [path[:length] for length in range(len(path), 0, -1)]
        # A variable may set a whole setting; then the file says nothing more about what lies in it.
        by_variable = (self.environment.source_of(part) for part in outwards if self.environment.sets(path))
        in_file = (self.document.source_of(part) for part in outwards)
        return next((source for source in (*by_variable, *in_file) if source), "")

    def source_of_setting(self, path: KeyPath) -> str:
        """Return the place, or that it is the default."""
        return self.environment.source_of(path) or self.document.source_of(path) or "the default"


class Loaded(NamedTuple):
    """The settings, where each came from, and what stops a start although every value can be read."""

    settings: Settings
    origins: Origins
    problems: tuple[Problem, ...]


def load(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings, or raise ``SettingsError`` with everything that is wrong with them."""
    loaded = load_with_origins(config, environ)
    if loaded.problems:
        raise SettingsError(loaded.problems)
    return loaded.settings


def load_with_origins(
    config: Path | None,
    environ: Mapping[str, str],
    stand_ins: Mapping[str, Mapping[str, object]] | None = None,
) -> Loaded:
    """Return the settings and what contradicts itself in them; raise ``SettingsError`` for what cannot be read.

    ``stand_ins`` are whole areas for what has no use for them: each is taken where neither file nor environment says
    anything of the area.
    """
    document = Document() if config is None else read_document(config)
    environment = read_environment(environ)
    origins = Origins(document, environment)
    merged = _merged(document.values, environment.values)
    merged |= {area: values for area, values in (stand_ins or {}).items() if merged.get(area) == {}}
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError((*environment.problems, *translate(error, origins))) from None
    problems = (*environment.problems, *(_with_sources(problem, origins) for problem in contradictions(settings)))
    return Loaded(settings, origins, problems)


def _merged(file: Mapping[str, object], environment: Mapping[str, object]) -> dict[str, object]:
    """Lay the environment over the file; an area that is absent or empty is there, so that its own gaps are named."""
    merged = dict(file) | {area: {} for area in Settings.model_fields if file.get(area) is None}
    for area, values in environment.items():
        merged[area] = _over(merged[area], values, (area,))
    return merged


def _over(below: object, values: object, path: KeyPath) -> object:
    if not (isinstance(below, dict) and isinstance(values, dict)):
        return values
    merged = {**below, **values}
    for name in below.keys() & values.keys():
        if has_dotted_names((*path, name)):
            merged[name] = _over(below[name], values[name], (*path, name))
    return merged


def _with_sources(problem: Problem, origins: Origins) -> Problem:
    sources = []
    for key in problem.keys:
        area, name = key.split("[")[0].split(".")
        sources.append(f"{name} from {origins.source_of_setting((area, name))}")
    return dataclasses.replace(problem, source="; ".join(sources))
