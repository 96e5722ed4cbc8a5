# SPDX-License-Identifier: Apache-2.0
"""The lease in the running connector: who asks it, and how long it lasts."""

from __future__ import annotations

import sys

import pytest

from connector import wiring
from connector.app import Connector
from connector.ops.logs import open_log
from connector.ops.redaction import Redactor
from connector.settings import Settings

_AREAS = {"kafka": {"bootstrap_servers": "127.0.0.1:1"}, "button": {"api_key": "sk-x"}, "ledger": {"enabled": False}}


async def test_every_start_of_a_call_asks_the_source_s_lease() -> None:
    """An engine that was put together without it would start calls of partitions that others own [17]."""
    settings, redactor = Settings.model_validate(_AREAS), Redactor()
    log = open_log(sys.stderr, "error", "json", redactor)
    connector = Connector(settings, wiring.connection(settings.kafka), log, redactor)
    connector._build(0, {})  # noqa: SLF001  nothing of it is to run
    ports = connector._engine._ports  # noqa: SLF001  what it was given is what is asked here
    assert ports.may_start == connector._source.may_start  # noqa: SLF001  as above
    await connector._letters.close(0.1)  # noqa: SLF001  the one part that has begun
    await connector._transport.close()  # noqa: SLF001  as above
    connector._passing.cleanup()  # noqa: SLF001  as above


def test_a_lease_ends_a_call_and_a_margin_before_the_session() -> None:
    """The settings that an operator gives are what it is made of."""
    kafka = {"bootstrap_servers": "127.0.0.1:1", "session_timeout_ms": 30_000}
    button = {"api_key": "sk-x", "request_timeout_seconds": 7}
    settings = Settings.model_validate({"kafka": kafka, "button": button})
    options = wiring.source_options(settings, wiring.connection(settings.kafka))
    assert options.lease_seconds == pytest.approx(30 * 0.8 - 7)
