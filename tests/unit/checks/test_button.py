# SPDX-License-Identifier: Apache-2.0
"""What an answer to the lookup of an order that cannot exist says of address, key and clock."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from connector.checks.button import button_findings, clock_finding
from connector.checks.findings import Grade
from connector.sandbox import SandboxThread
from connector.settings import Settings, load
from tests.support.http_peers import answers, closes_after_reading, listening, refused_url

if TYPE_CHECKING:
    from connector.checks.findings import Finding

NOW = 1_767_225_600.0
NOT_FOUND = b'{"meta": {"status": "error"}, "error": {"message": "no such order"}}'


def settings(url: str, key: str = "sk-x") -> Settings:
    """Return settings for a Button at that address."""
    given = {"KAFKA__BOOTSTRAP_SERVERS": "a:1", "BUTTON__API_KEY": key, "BUTTON__BASE_URL": url}
    return load(None, {f"BUTTON_CONNECTOR__{name}": value for name, value in given.items()})


async def first(url: str, key: str = "sk-x") -> Finding:
    """Return what is said of address and key."""
    found = [finding async for finding in button_findings(settings(url, key))]
    return found[0]


async def test_a_good_key_is_told_from_a_bad_one_and_no_order_is_reported() -> None:
    """By the sandbox: 404 with the envelope, 401."""
    with SandboxThread() as sandbox:
        good, bad = await first(sandbox.url, sandbox.switches.api_key), await first(sandbox.url, "sk-wrong")
        assert (good.grade, bad.grade) == (Grade.OK, Grade.FAILED)
        assert "refuses the API key (401)" in bad.message
        assert bad.remedy.startswith("Check button.api_key or the file")
        assert "sk-wrong" not in str(bad)
        assert {request.method for request in sandbox.requests} == {"GET"}


@pytest.mark.parametrize(
    ("status", "body", "grade", "subject", "message"),
    [
        (404, NOT_FOUND, Grade.OK, "button.api_key", "takes the key"),
        (404, b"<html>", Grade.FAILED, "button.base_url", "does not answer like Button (HTTP 404)"),
        (200, b"{}", Grade.FAILED, "button.base_url", "does not answer like Button (HTTP 200)"),
        (302, b"", Grade.FAILED, "button.base_url", "does not answer like Button (HTTP 302)"),
        (403, NOT_FOUND, Grade.FAILED, "button.api_key", "knows the key and forbids the lookup (403)"),
        (429, NOT_FOUND, Grade.UNKNOWN, "button.api_key", "asked too often (429)"),
        (503, b"", Grade.FAILED, "button.base_url", "is out of order (HTTP 503)"),
    ],
)
async def test_only_button_s_own_not_found_says_that_the_key_is_good(
    status: int,
    body: bytes,
    grade: Grade,
    subject: str,
    message: str,
) -> None:
    """Whatever else answers at the address."""
    async with listening(answers(status, body)) as peer:
        found = await first(peer.url)
    assert (found.grade, found.subject) == (grade, subject)
    assert message in found.message


async def test_an_address_where_nobody_is_says_so() -> None:
    """Refused, or closed without an answer."""
    refused = await first(refused_url())
    async with listening(closes_after_reading) as peer:
        closed = await first(peer.url)
    assert "cannot be reached" in refused.message
    assert "gave no whole answer" in closed.message
    assert refused.grade is closed.grade is Grade.FAILED


async def test_the_clock_is_compared_with_the_answer_s_date() -> None:
    """An answer has one unless something took it away."""
    async with listening(answers(404, NOT_FOUND, f"Date: {formatdate(NOW - 86_400, usegmt=True)}")) as peer:
        *_, clock = [finding async for finding in button_findings(settings(peer.url))]
    assert clock.grade is Grade.WARNING
    assert "ahead of Button's" in clock.message


@pytest.mark.parametrize(
    ("date", "local", "grade", "message"),
    [
        (formatdate(NOW, usegmt=True), NOW + 0.5, Grade.OK, "agrees with Button's within 5 s"),
        (formatdate(NOW, usegmt=True), NOW + 5.5, Grade.OK, "agrees"),
        (formatdate(NOW, usegmt=True), NOW + 60.5, Grade.WARNING, "60 s ahead of Button's"),
        (formatdate(NOW, usegmt=True), NOW - 59.5, Grade.WARNING, "60 s behind Button's"),
        (None, NOW, Grade.UNKNOWN, "no date"),
        ("soon", NOW, Grade.UNKNOWN, "no date"),
    ],
)
def test_clocks_that_differ_are_named_with_their_difference(
    date: str | None,
    local: float,
    grade: Grade,
    message: str,
) -> None:
    """A date of whole seconds tells no more than that."""
    finding = clock_finding(date, local)
    assert finding.grade is grade
    assert message in finding.message
