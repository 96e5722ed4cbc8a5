# SPDX-License-Identifier: Apache-2.0
"""Settings as anybody may write them: never a traceback, always sentences, and never a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.settings import SettingsError, load
from connector.settings.environment import PREFIX, variable
from connector.settings.schema import leaves
from tests.support.mutations import FUZZ, MARKED_SECRET, assert_private, mutated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = (
    f"""\
kafka:
  bootstrap_servers: broker-1:9092
  topics: [orders]
  sasl_password: {MARKED_SECRET}
  client: {{socket.keepalive.enable: true}}
button:
  api_key: {MARKED_SECRET}
  environment: production
""".encode(),
    f"""\
kafka: &kafka
  bootstrap_servers: "broker-1:9092"
button: {{api_key: '{MARKED_SECRET}'}}
delivery:
  concurrency: 64
  drain_seconds: 30.5
mapping:
  fields:
    order_id: product_action.transaction_id
sessions: {{topic: sessions}}
log: !!map
  level: info
ops: {{port: 0x1F90, <<: *kafka}}
""".encode(),
    b"a: !!int 1\nb: !!float 1\nc: !!bool yes\nd: !!timestamp 2026-01-01\n",
    b"e: !!binary YQ==\nf: !!set {a}\ng: !!omap [a: b]\n",
)
quick = settings(FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _try(config: Path | None, environ: Mapping[str, str]) -> None:
    """Fail unless the settings are taken, or refused in sentences that show nothing secret."""
    try:
        load(config, environ)
        lines = ["It was taken."]
    except SettingsError as error:
        lines = [str(problem) for problem in error.problems]
    assert lines
    assert all("\n" not in line and line.endswith((".", "?")) for line in lines)
    assert_private(*lines)


@quick
@given(text=mutated(FILES))
@example(text=b"a: !!int ''")
@example(text=b"a: !!bool maybe")
@example(text=b"a: !!timestamp never")
@example(text=b"ops: {port: 0x" + b"f" * 5_000 + b"}")
@example(text=b"a: " + b"9" * 5_000)
@example(text=b"a: " + b"[" * 2_000)
@example(text=b"a: &a [*a, *a]\nkafka: *a")
@example(text=b"kafka: &a {client: *a}")
@example(text=b"kafka:\n  <<: [1, {}]\n")
@example(text=b"a: !!python/object/apply:os.system [id]")
@example(text=b"--- a: 1\n--- b: 2\n")
@example(text=b"ops: {port: 1e400}\ndelivery: {drain_seconds: .nan}")
def test_every_file_is_taken_or_refused_in_sentences(tmp_path: Path, text: bytes) -> None:
    """Whatever a settings file holds, what is wrong is said by key and line, and the secrets stay in the file."""
    file = tmp_path / "connector.yaml"
    file.write_bytes(text)
    _try(file, {})


_WIDE = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)), "kafka: *a59"])


def test_a_file_that_unfolds_without_bound_is_refused_at_once(tmp_path: Path) -> None:
    """Aliases that would come to 2**60 values cost nothing: what is shared stays shared."""
    file = tmp_path / "connector.yaml"
    file.write_text(_WIDE)
    with pytest.raises(SettingsError):
        load(file, {})


names = st.sampled_from([variable(path) for path in leaves()]) | st.sampled_from(
    [
        f"{PREFIX}KAFKA__CLIENT__SOCKET_KEEPALIVE_ENABLE",
        f"{PREFIX}KAFKA",
        f"{PREFIX}",
        f"{PREFIX}X__Y",
        "BUTTON_CONNECTOR_X",
    ],
)
values = st.sampled_from(
    [
        "",
        " ",
        "{",
        "[1",
        '{"a": 1}',
        "[]",
        "null",
        "1e400",
        "9" * 5_000,
        "true",
        "0x10",
        "nan",
        "\u202e",
        "\udcff",
        MARKED_SECRET,
    ],
) | st.text(st.characters(exclude_characters="\0"), max_size=20)


@FUZZ
@given(st.dictionaries(names, values, max_size=5))
@example({f"{PREFIX}OPS__PORT": "9" * 5_000})
@example({f"{PREFIX}KAFKA__TOPICS": "[" * 3_000})
@example({f"{PREFIX}OPS__PORT": "[" * 3_000})
def test_every_environment_is_taken_or_refused_in_sentences(environ: dict[str, str]) -> None:
    """Whatever the variables hold, what is wrong is said by the variable's name."""
    _try(None, environ)
