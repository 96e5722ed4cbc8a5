# SPDX-License-Identifier: Apache-2.0
"""What a check finds, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Grade(StrEnum):
    """How good it is; ``UNKNOWN`` where whoever was asked does not say."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Finding(NamedTuple):
    """One thing that was looked at: under which setting, how it is, and what to do where it is not well."""

    area: str
    subject: str
    grade: Grade
    message: str
    remedy: str = ""


def ok(area: str, subject: str, message: str) -> Finding:
    """Return that something is as it must be."""
    return Finding(area, subject, Grade.OK, message)


def warning(area: str, subject: str, message: str, remedy: str) -> Finding:
    """Return that something works and could be better."""
    return Finding(area, subject, Grade.WARNING, message, remedy)


def unknown(area: str, subject: str, message: str, remedy: str) -> Finding:
    """Return that nobody says how something is."""
    return Finding(area, subject, Grade.UNKNOWN, message, remedy)


def failed(area: str, subject: str, message: str, remedy: str = "") -> Finding:
    """Return that something is not as it must be; the remedy may stand in the message already."""
    return Finding(area, subject, Grade.FAILED, message, remedy)
