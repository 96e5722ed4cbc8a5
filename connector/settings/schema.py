# SPDX-License-Identifier: Apache-2.0
"""What the settings models say about a key: found by its path.

Owns walking the models. Knows no values.
"""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, SecretStr

from connector.settings.client_properties import DOTTED_NAMES
from connector.settings.root import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from connector.settings.document import KeyPath


@cache
def leaves() -> dict[tuple[str, str], FieldInfo]:
    """Return every setting by area and name."""
    return {
        (area, name): info
        for area, model in Settings.model_fields.items()
        if isinstance(model.annotation, type) and issubclass(model.annotation, BaseModel)
        for name, info in model.annotation.model_fields.items()
    }


def setting(path: KeyPath) -> FieldInfo | None:
    """Return the setting that a path lies in, or ``None`` when it is an area or unknown."""
    return leaves().get((str(path[0]), str(path[1]))) if len(path) > 1 else None


def is_secret(info: FieldInfo) -> bool:
    """Return whether a setting's value may never be shown."""
    return _mentions(info.annotation, SecretStr)


def has_dotted_names(path: KeyPath) -> bool:
    """Return whether the names below a setting are dotted ones, which a variable writes with underscores."""
    info = setting(path)
    extra = None if info is None else info.json_schema_extra
    return isinstance(extra, dict) and DOTTED_NAMES.items() <= extra.items()


def _mentions(annotation: object, wanted: type) -> bool:
    return annotation is wanted or any(_mentions(argument, wanted) for argument in get_args(annotation))


def example(info: FieldInfo) -> str:
    """Return a value that the setting takes; empty when none is known."""
    if info.examples:
        return str(info.examples[0])
    return "" if info.is_required() or info.default is None else str(info.default)


def nearest(path: KeyPath) -> str:
    """Return the dotted key that somebody who wrote an unknown one may have meant; empty when nothing is near."""
    *area, name = (str(part).lower().replace("-", "_") for part in path)
    siblings = [leaf for leaf in leaves() if [leaf[0]] == area]
    for candidates in (siblings, list(leaves()), [] if area else [(key,) for key in Settings.model_fields]):
        close = difflib.get_close_matches(name, [candidate[-1] for candidate in candidates], 1, 0.75)
        if close:
            return ".".join(next(candidate for candidate in candidates if candidate[-1] == close[0]))
    return ""
