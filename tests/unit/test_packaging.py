# SPDX-License-Identifier: Apache-2.0
"""What is shipped is complete: the wheel and the editable installation hold the same schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SCHEMAS = {file.stem: json.loads(file.read_text()) for file in (_ROOT / "schemas" / "avro").glob("*.avsc")}
_LOOK = """
import json, pathlib, connector
from connector.avro.schemas import load_schema
names = json.loads(input())
found = {name: load_schema(name) for name in names}
print(json.dumps({"root": str(pathlib.Path(connector.__file__).resolve().parent.parent), "schemas": found}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release does."""
    folder = tmp_path_factory.mktemp("dist")
    _python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(_ROOT))
    (built,) = folder.glob("*.whl")
    return built


def test_the_schemas_are_found_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    """A connector that was installed from the wheel, far from any repository, has its schemas."""
    _python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path), str(wheel))
    seen = _look_from(tmp_path, PYTHONPATH=str(tmp_path))
    assert seen == {"root": str(tmp_path), "schemas": _SCHEMAS}


def test_the_schemas_are_found_from_the_editable_installation(tmp_path: Path) -> None:
    """A connector that runs from the repository, wherever it is started, has the repository's schemas."""
    assert _look_from(tmp_path) == {"root": str(_ROOT), "schemas": _SCHEMAS}


def test_the_wheel_holds_the_package_its_types_and_its_licence_and_nothing_else(wheel: Path) -> None:
    """No test, tool or secret slips into what is shipped, and type checkers find the types."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"connector", wheel.name.rsplit("-", 3)[0] + ".dist-info"}
    assert "connector/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_schemas_are_there() -> None:
    """The rules above are about schemas that exist."""
    assert set(_SCHEMAS) == {"commerce_event", "commerce_event_batch", "session_attribution"}


def _look_from(folder: Path, **environment: str) -> object:
    return json.loads(_python("-c", _LOOK, cwd=folder, said=json.dumps(list(_SCHEMAS)), **environment))


def _python(*arguments: str, cwd: Path = _ROOT, said: str = "", **environment: str) -> str:
    """Run our own interpreter, return what it printed, fail with what it complained of."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, *arguments],
        cwd=cwd,
        env={**inherited, **environment},
        input=said,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
