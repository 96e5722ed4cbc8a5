# SPDX-License-Identifier: Apache-2.0
"""What the client's callbacks may call: some of its own methods would end the process at the next callback."""

from __future__ import annotations

import ast
from pathlib import Path

import connector.kafka

_KAFKA = Path(connector.kafka.__file__).parent
_IN_CALLBACKS = ("membership.py", "starts.py", "poll_thread.py", "commits.py")
_FORGETS_THE_CALL_AROUND_IT = {"list_topics", "set_sasl_credentials"}


def test_no_callback_of_the_consumer_lists_topics_by_it() -> None:
    """The client forgets by it that it is being polled, and aborts when another callback follows in the same poll."""
    called = {
        (name, node.attr)
        for name in _IN_CALLBACKS
        for node in ast.walk(ast.parse((_KAFKA / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert {each for each in called if each[1] in _FORGETS_THE_CALL_AROUND_IT} == set()
