# SPDX-License-Identifier: Apache-2.0
"""A pytest fixture: ``pytest_plugins = ["connector.sandbox.pytest_plugin"]`` in a ``conftest.py`` makes it known.

Owns the fixture alone; a test that wants other switches sets them on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.sandbox.thread import SandboxThread

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def button_sandbox() -> Iterator[SandboxThread]:
    """Give the test a sandbox of its own on a free port."""
    with SandboxThread() as sandbox:
        yield sandbox
