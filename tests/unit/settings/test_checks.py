# SPDX-License-Identifier: Apache-2.0
"""Settings that contradict one another stop the start, naming both."""

from __future__ import annotations

import pytest

from connector.settings import SettingsError, load

REQUIRED = {"BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS": "a:1", "BUTTON_CONNECTOR__BUTTON__API_KEY": "sk-x"}


def said(**settings: str) -> list[str]:
    """Return what is said about variables; a name is ``area__key``."""
    given = {f"BUTTON_CONNECTOR__{name.upper()}": value for name, value in settings.items()}
    try:
        load(None, REQUIRED | given)
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("settings", "keys", "what", "remedy"),
    [
        (
            {"button__connect_timeout_seconds": "15"},
            "button.connect_timeout_seconds, button.request_timeout_seconds",
            "15 s is not below 15 s",
            "Lower button.connect_timeout_seconds below 15 s, or raise button.request_timeout_seconds above 15 s.",
        ),
        (
            {"kafka__session_timeout_ms": "30000"},
            "button.request_timeout_seconds, kafka.session_timeout_ms",
            "15 s exceeds 40% of 30000 ms",
            "Lower button.request_timeout_seconds to 12 s, or raise kafka.session_timeout_ms to 37500 ms.",
        ),
        (
            {"kafka__session_timeout_ms": "300001", "ops__liveness_timeout_seconds": "600"},
            "kafka.session_timeout_ms, kafka.max_poll_interval_ms",
            "300001 ms exceeds 300000 ms",
            "Lower kafka.session_timeout_ms to 300000 ms, or raise kafka.max_poll_interval_ms to 300001 ms.",
        ),
        (
            {"ops__liveness_timeout_seconds": "45"},
            "kafka.session_timeout_ms, ops.liveness_timeout_seconds",
            "45000 ms is not below 45 s",
            "Lower kafka.session_timeout_ms below 45000 ms, or raise ops.liveness_timeout_seconds above 45 s.",
        ),
        (
            {"delivery__drain_seconds": "20"},
            "button.request_timeout_seconds, delivery.drain_seconds",
            "15 s and 6 s to finish is not below 20 s",
            "Lower button.request_timeout_seconds below 14 s, or raise delivery.drain_seconds above 21 s.",
        ),
        (
            {"button__settle_seconds": "10"},
            "button.request_timeout_seconds, delivery.drain_seconds",
            "15 s and 15 s to finish is not below 30 s",
            "Lower button.request_timeout_seconds below 15 s, or raise delivery.drain_seconds above 30 s.",
        ),
        (
            {"delivery__drain_seconds": "30.5", "kafka__max_poll_interval_ms": "60000"},
            "delivery.drain_seconds, kafka.max_poll_interval_ms",
            "30.5 s exceeds 50% of 60000 ms",
            "Lower delivery.drain_seconds to 30 s, or raise kafka.max_poll_interval_ms to 61000 ms.",
        ),
        (
            {"delivery__shutdown_seconds": "30"},
            "delivery.drain_seconds, delivery.shutdown_seconds",
            "30 s and 3 s to finish is not below 30 s",
            "Lower delivery.drain_seconds below 27 s, or raise delivery.shutdown_seconds above 33 s.",
        ),
        (
            {"delivery__retry_initial_seconds": "31"},
            "delivery.retry_initial_seconds, delivery.retry_max_seconds",
            "31 s exceeds 30 s",
            "Lower delivery.retry_initial_seconds to 30 s, or raise delivery.retry_max_seconds to 31 s.",
        ),
        (
            {"delivery__pin_seconds": "301"},
            "delivery.pin_seconds, delivery.poison_seconds",
            "301 s exceeds 300 s",
            "Lower delivery.pin_seconds to 300 s, or raise delivery.poison_seconds to 301 s.",
        ),
        (
            {"kafka__topics": "orders,letters", "dead_letters__topic": "letters"},
            "kafka.topics[1], dead_letters.topic",
            "'letters' is given for both",
            "Each topic has one purpose: name another one.",
        ),
        (
            {"kafka__topics": "orders,orders"},
            "kafka.topics[0], kafka.topics[1]",
            "'orders' is given for both",
            "Each topic has one purpose: name another one.",
        ),
        (
            {"dead_letters__topic": "session-attribution"},
            "sessions.topic, dead_letters.topic",
            "'session-attribution' is given for both",
            "Each topic has one purpose: name another one.",
        ),
    ],
)
def test_a_contradiction_names_both_keys_both_values_and_a_remedy(
    settings: dict[str, str],
    keys: str,
    what: str,
    remedy: str,
) -> None:
    """Each relation has a line of its own, just beyond its limit [13]."""
    (line,) = said(**settings)
    assert line.startswith(f"{keys}: {what}")
    assert line.endswith(remedy)


@pytest.mark.parametrize(
    "settings",
    [
        {"button__connect_timeout_seconds": "14.9"},
        {"button__request_timeout_seconds": "8", "kafka__session_timeout_ms": "20000"},
        {"kafka__session_timeout_ms": "300000", "ops__liveness_timeout_seconds": "300.1"},
        {"delivery__drain_seconds": "21.1"},
        {"button__settle_seconds": "9.9"},
        {"delivery__drain_seconds": "30", "kafka__max_poll_interval_ms": "60000"},
        {"delivery__shutdown_seconds": "33.1"},
        {"delivery__retry_initial_seconds": "30"},
        {"delivery__max_uncommitted_records": "1"},
    ],
)
def test_what_is_just_within_its_limit_is_fine(settings: dict[str, str]) -> None:
    """The limits are where they are said to be."""
    assert said(**settings) == []


def test_a_contradiction_says_where_each_value_came_from() -> None:
    """A value may be somebody else's, or nobody's."""
    (line,) = said(delivery__shutdown_seconds="30")
    assert "(drain_seconds from the default; shutdown_seconds from environment variable " in line
    assert "BUTTON_CONNECTOR__DELIVERY__SHUTDOWN_SECONDS)" in line
