# SPDX-License-Identifier: Apache-2.0
"""The schema registry: whether it answers, and whether the schemas that it has can be read as events.

Owns which subjects are looked at: those of the topics' values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from connector import wiring
from connector.avro.fetched import Found, Unavailable, Unknown, Unusable
from connector.avro.subjects import schema_of, versions_of
from connector.avro.writers import Writer, bind_writer
from connector.checks.findings import Finding, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.avro.registry import RegistryOptions
    from connector.settings import Settings

_AREA = "registry"
_SETTING = "schema_registry.url"
_NEWEST = 10
"""How many versions of a subject are looked at: older ones are seldom still in a topic."""


def registry_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what is to be said of the registry; blocks."""
    url = settings.schema_registry.url
    if url is None:
        yield ok(_AREA, _SETTING, "none is configured: values must be in Avro's single-object encoding")
        return
    secret = settings.schema_registry.read_password()
    password = "" if secret is None else secret.get_secret_value()
    options = wiring.registry_options(settings.schema_registry, url, lambda: password)
    for topic in settings.kafka.topics:
        subject = f"{topic}-value"
        versions = versions_of(options, subject)
        match versions:
            case Unavailable() | Unusable():
                message = f"the registry cannot be asked: {versions.message}"
                yield failed(_AREA, _SETTING, message, "Check the address, the network and the credentials.")
                return
            case Unknown():
                message = (
                    f"{url} answers; subject {subject!r} does not exist: nothing has been written by a registry yet"
                )
                yield warning(
                    _AREA,
                    _SETTING,
                    message,
                    "Register the schema (schemas register), or let producers do so.",
                )
            case tuple():
                yield from _subject(settings, options, subject, versions[:_NEWEST])
            case _:
                assert_never(versions)


def _subject(
    settings: Settings,
    options: RegistryOptions,
    subject: str,
    versions: tuple[int, ...],
) -> Iterator[Finding]:
    takes_doubles = settings.avro.double_amounts == "shortest"
    for version in versions:
        label = f"{subject!r} version {version}"
        fetched = schema_of(options, subject, version)
        if not isinstance(fetched, Found):
            yield failed(_AREA, _SETTING, f"{label}: {fetched.message}", "Look at the subject in the registry.")
            continue
        writer = bind_writer(
            fetched.schema,
            fetched.references,
            takes_doubles=takes_doubles,
            elsewhere=wiring.elsewhere(settings),
        )
        if not isinstance(writer, Writer):
            yield failed(_AREA, _SETTING, f"{label} cannot be read as events: {writer.message}", "Correct the schema.")
        elif writer.lacks is not None:
            yield failed(_AREA, _SETTING, f"{label}: {writer.lacks.message}", "Correct the schema.")
        else:
            yield ok(_AREA, _SETTING, f"{label} can be read as events")
