# SPDX-License-Identifier: Apache-2.0
"""What is said about bad settings of the schema registry, and that its password is never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.settings import Settings, SettingsError, load
from tests.support.certificates import new_authority

if TYPE_CHECKING:
    from pathlib import Path

REQUIRED = {"BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS": "a:1", "BUTTON_CONNECTOR__BUTTON__API_KEY": "sk-x"}
PREFIX = "BUTTON_CONNECTOR__SCHEMA_REGISTRY__"
SECRET = "hunter2-hunter2"  # noqa: S105  a marked value that must never come out


def settings(**registry: str) -> Settings:
    """Load settings from variables."""
    return load(None, REQUIRED | {PREFIX + name.upper(): value for name, value in registry.items()})


def said(**registry: str) -> list[str]:
    """Return what is said about settings."""
    with pytest.raises(SettingsError) as caught:
        settings(**registry)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_registry_nothing_is_asked() -> None:
    """The default is none; unknown ids are waited for half a minute."""
    registry = settings().schema_registry
    assert (registry.url, registry.unknown_id_seconds, registry.read_password()) == (None, 30.0, None)


def test_several_addresses_are_one_registry() -> None:
    """As with brokers, commas lie between them."""
    url = settings(url="https://one:8081/, http://two/registry").schema_registry.url
    assert url == "https://one:8081,http://two/registry"


@pytest.mark.parametrize("url", ["registry:8081", "ftp://registry", "https://", "https://r:0", "https://r?x=1", "h t"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """The remedy shows one."""
    (line,) = said(url=url)
    assert line.startswith("schema_registry.url: ")
    assert "is not a URL" in line
    assert "https://registry:8081" in line


def test_credentials_in_the_url_are_refused_and_not_shown() -> None:
    """An address is shown in logs, so that no secret may be in it."""
    (line,) = said(url=f"https://user:{SECRET}@registry:8081")
    assert "holds credentials" in line
    assert "schema_registry.password_file" in line
    assert SECRET not in line


@pytest.mark.parametrize(
    ("given", "key", "what"),
    [
        ({"username": "u", "password": SECRET}, "url", "is required when other settings of the registry are given"),
        ({"url": "http://r", "username": "u"}, "username", "is given without a password"),
        ({"url": "http://r", "password": SECRET}, "username", "is required when a password is given"),
        ({"url": "http://r", "client_key_file": "/k"}, "client_key_file", "is given without schema_registry.client_ce"),
    ],
)
def test_what_belongs_together_is_given_together(given: dict[str, str], key: str, what: str) -> None:
    """A half of a pair says that somebody forgot the other."""
    (line,) = said(**given)
    assert line.startswith(f"schema_registry.{key}: {what}")
    assert SECRET not in line


def test_a_password_is_given_once(tmp_path: Path) -> None:
    """Two places would make it a guess which one counts."""
    file = tmp_path / "password"
    file.write_text(SECRET)
    (line,) = said(url="http://r", username="u", password="other", password_file=str(file))  # noqa: S106  made up
    assert line.startswith("schema_registry.password_file: is given beside schema_registry.password")


def test_a_password_file_is_read_anew_and_must_hold_one(tmp_path: Path) -> None:
    """A rotated password is used without a restart; an empty or absent file is noticed at the start."""
    file = tmp_path / "password"
    (line,) = said(url="http://r", username="u", password_file=str(file))
    assert "cannot be read (No such file or directory)" in line
    file.write_text("\n")
    (line,) = said(url="http://r", username="u", password_file=str(file))
    assert "is empty" in line
    file.write_text("first\n")
    registry = settings(url="http://r", username="u", password_file=str(file)).schema_registry
    file.write_text("second\n")
    password = registry.read_password()
    assert password is not None
    assert password.get_secret_value() == "second"


def test_a_user_name_with_a_colon_is_refused() -> None:
    """HTTP ends the name there, and the rest would become a part of the password."""
    (line,) = said(url="http://r", username="a:b", password=SECRET)
    assert "schema_registry.username" in line
    assert "colon" in line


def test_certificate_files_are_tried_at_the_start(tmp_path: Path) -> None:
    """A file that holds none would otherwise show only when the first schema is needed."""
    authority = new_authority(tmp_path)
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    good = settings(url="https://r", ca_file=str(authority.ca_file), client_cert_file=str(authority.client_cert_file))
    assert good.schema_registry.ca_file == authority.ca_file
    for key in ("ca_file", "client_cert_file"):
        for file in (broken, tmp_path / "absent.pem"):
            (line,) = said(url="https://r", **{key: str(file)})
            assert line.startswith(f"schema_registry.{key}: ")
            assert "cannot be used (" in line


def test_the_password_is_never_shown() -> None:
    """Neither in a description of the settings nor in their representation."""
    loaded = settings(url="http://r", username="u", password=SECRET)
    assert SECRET not in repr(loaded) + str(loaded.describe())


@pytest.mark.parametrize(
    ("name", "value"),
    [("AVRO__DOUBLE_AMOUNTS", "round"), ("SESSIONS__COMPACTION_UNKNOWN", "ignore")],
)
def test_a_choice_is_one_of_its_values(name: str, value: str) -> None:
    """The message lists them."""
    with pytest.raises(SettingsError, match="is not one of"):
        load(None, REQUIRED | {f"BUTTON_CONNECTOR__{name}": value})


def test_choices_are_taken_in_any_case() -> None:
    """As other choices are."""
    loaded = load(
        None,
        REQUIRED
        | {
            "BUTTON_CONNECTOR__AVRO__DOUBLE_AMOUNTS": "Shortest",
            "BUTTON_CONNECTOR__SESSIONS__COMPACTION_UNKNOWN": "WARN",
        },
    )
    assert (loaded.avro.double_amounts, loaded.sessions.compaction_unknown) == ("shortest", "warn")
