# SPDX-License-Identifier: Apache-2.0
"""Rules of what may be shown of foreign text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.button.redaction import shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Client not wearing jumper.", "Client not wearing jumper."),
        ("bob@example.com is unknown", "[redacted] is unknown"),
        ('no "<Bob.O\'Neil+tag@mail.example.co.uk>" here', "no [redacted] here"),
        ("bob%40example.com", "[redacted]"),
        ("bob&#64;example.com", "[redacted]"),
        ("bob\uff20example.com", "[redacted]"),
        ("b\u200bob@exam\u200bple.com", "[redacted]"),
        ("bob\x00@example.com", "[redacted]"),
        ("one\r\ntwo\tthree\x1b[31m", "one two three[31m"),
        ("\u202etxet", "txet"),
        ("  spaced   out  ", "spaced out"),
        ("", ""),
    ],
)
def test_no_address_and_no_invisible_character_is_shown(text: str, line: str) -> None:
    """An address goes together with the word that it stands in; whatever steers a terminal goes, too."""
    assert shown(text) == line


def test_a_secret_goes_wherever_it_stands() -> None:
    """Also inside a word, and when invisible characters are strewn into it."""
    assert shown("key=sk-123;", secrets=["sk-123"]) == "key=[redacted];"
    assert shown("key=sk\u200b-1\x0023;", secrets=["sk-123"]) == "key=[redacted];"


def test_a_personal_value_goes_as_a_word() -> None:
    """A short customer id does not make holes into numbers that it is part of."""
    assert shown("customer 42 (42), line 1427", personal=["42", None, ""]) == (
        "customer [redacted] ([redacted]), line 1427"
    )
    assert shown("HASH ABCDEF", personal=["abcdef"]) == "HASH [redacted]"


def test_a_message_is_bounded_without_cutting_a_secret_in_half() -> None:
    """What is cut off has been looked at before."""
    assert len(shown("word " * 1000)) == 200
    assert "sk-1" not in shown("x" * 195 + " sk-123", secrets=["sk-123"])
    assert shown("a" * 5000 + "@example.com") == ""
    assert "bob" not in shown("\u200b" * 990 + " bob.longer.name@example.com")


@given(st.text(alphabet=st.sampled_from("ab@. \n\x00\u200bsk-1"), max_size=1200))
def test_no_text_slips_through(text: str) -> None:
    """Whatever the text, the line is short, printable and free of addresses and of the secret."""
    line = shown(text, secrets=["sk-1"])
    assert len(line) <= 200
    assert line.isprintable()
    assert "@" not in line
    assert "sk-1" not in line
