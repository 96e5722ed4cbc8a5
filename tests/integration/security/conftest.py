# SPDX-License-Identifier: Apache-2.0
"""The broker of these tests, started once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.brokers_or_skips import or_skip
from tests.support.secure_kafka import start_secure_kafka

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.secure_kafka import SecureKafka


@pytest.fixture(scope="package")
def secure_kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Give a broker with TLS, SASL and rights."""
    failed_before = request.session.testsfailed
    with or_skip(start_secure_kafka(tmp_path_factory.mktemp("secure-kafka"))) as kafka:
        yield kafka
        kafka.broker.keeps_log = request.session.testsfailed > failed_before
