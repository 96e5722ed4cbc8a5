# SPDX-License-Identifier: Apache-2.0
"""A setting that nothing reads is a promise that nobody keeps."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connector.settings import Settings
from connector.settings.schema import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(__file__).parents[2] / "connector"


def _reads() -> Iterator[tuple[str, str]]:
    """Yield each attribute that is read, with the name of what it is read from; an area's own methods are the area."""
    for file in _PACKAGE.rglob("*.py"):
        is_area = file.parent.name == "settings" and file.stem in Settings.model_fields
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                owner = ast.unparse(node.value).rpartition(".")[2]
                yield (file.stem if is_area and owner == "self" else owner), node.attr


_READ = set(_reads())


@pytest.mark.parametrize(("area", "name"), leaves())
def test_a_setting_is_read_somewhere(area: str, name: str) -> None:
    """Whoever adds a setting also hands it to the part that it is for."""
    assert any(owner and area.endswith(owner) and attribute == name for owner, attribute in _READ), (
        f"nobody reads {area}.{name}"
    )
