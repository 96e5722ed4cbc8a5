# SPDX-License-Identifier: Apache-2.0
"""Settings of the schema registry.

Owns their names, defaults and rules, and where the password is read from. Never shows the password, and never talks to
a registry.
"""

import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from connector.settings.base import Area, Seconds, refusal

_URL_REMEDY = "Give scheme, host and port, for example https://registry:8081; several with commas between them."
_ABOUT_THE_REGISTRY = frozenset(
    {"username", "password", "password_file", "ca_file", "client_cert_file", "client_key_file"},
)
_FILE_REMEDY = "Check the path, and that the connector's user may read the file."


def _join(value: object) -> object:
    """Accept a YAML list, too."""
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    return value


def _are_urls(value: str) -> str:
    urls = [part.strip().rstrip("/") for part in value.split(",")]
    if any("@" in url for url in urls):
        what = "holds credentials"
        raise refusal(what, "Give them as schema_registry.username and schema_registry.password_file.")
    if not all(_is_url(url) for url in urls):
        what = "is not a URL"
        raise refusal(what, _URL_REMEDY)
    return ",".join(urls)


def _is_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        has_place = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return has_place and not (url.query or url.fragment or " " in value)


def _has_no_colon(value: str) -> str:
    if ":" in value:
        what = "holds a colon, which ends a user name in HTTP's Basic authentication"
        raise refusal(what, "Give the user name alone.")
    return value


def _is_given(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value():
        what = "is empty"
        raise refusal(what, "Give the password, or leave it and the user name out.")
    return secret


def _holds_a_password(path: Path) -> Path:
    try:
        _is_given(_read_password(path))
    except UnicodeDecodeError:
        what = "is not a text file"
        raise refusal(what, "Put the password, and nothing else, into the file.") from None
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise refusal(what, _FILE_REMEDY) from None
    return path


def _holds_certificates(path: Path) -> Path:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        what = f"cannot be used ({_reason(error)})"
        raise refusal(what, "Give a readable PEM file that holds certificates.") from None
    return path


def _reason(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or "it cannot be read"


def _read_password(path: Path) -> SecretStr:
    return SecretStr(path.read_text(encoding="utf-8").strip())


class SchemaRegistrySettings(Area):
    """Where the schemas of values in Confluent's wire format are."""

    url: Annotated[str, BeforeValidator(_join), AfterValidator(_are_urls)] | None = Field(
        default=None,
        description="The schema registry; several addresses of it with commas between them. Without one, only values "
        "in Avro's single-object encoding can be read.",
        examples=["https://registry:8081"],
    )
    username: Annotated[str, AfterValidator(_has_no_colon), Field(min_length=1)] | None = Field(
        default=None,
        description="The user name, if the registry wants one.",
        examples=["button-connector"],
    )
    password: Annotated[SecretStr, AfterValidator(_is_given)] | None = Field(
        default=None,
        description="The user's password. Give this or password_file.",
    )
    password_file: Annotated[Path, AfterValidator(_holds_a_password)] | None = Field(
        default=None,
        description="A file with the password and nothing else; read again for each request, so that it can be "
        "rotated. Give this or password.",
        examples=["/run/secrets/schema-registry-password"],
    )
    ca_file: Annotated[Path, AfterValidator(_holds_certificates)] | None = Field(
        default=None,
        description="The certificates (PEM) of the authority that vouches for the registry, if it is a private one.",
        examples=["/etc/button-connector/registry-ca.pem"],
    )
    client_cert_file: Path | None = Field(
        default=None,
        description="The connector's own certificate (PEM), if the registry wants one.",
        examples=["/etc/button-connector/client.pem"],
    )
    client_key_file: Path | None = Field(
        default=None,
        description="The unencrypted key (PEM) of that certificate, if it is not in client_cert_file.",
        examples=["/etc/button-connector/client-key.pem"],
    )
    unknown_id_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=30.0,
        description="How long a partition waits for a schema id that the registry does not know yet; then the id's "
        "records are dead letters.",
    )
    request_timeout_seconds: Seconds = Field(
        default=5.0,
        description="How long the registry may be silent before a request counts as failed; it is made again.",
    )

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        problem = next(_contradictions(given), None)
        if problem is not None:
            key, what, remedy = problem
            raise refusal(what, remedy, key=key)
        if self.client_cert_file is not None:
            _check_certificate(self.client_cert_file, self.client_key_file)
        return self

    def read_password(self) -> SecretStr | None:
        """Return the password as it is now, if there is one; a password in a file is read anew.

        Raises ``OSError`` when the file has become unreadable since the start.
        """
        return self.password if self.password_file is None else _read_password(self.password_file)


def _contradictions(given: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield key, what is wrong and remedy of what cannot be given, or left out, together."""
    if "url" not in given and given & _ABOUT_THE_REGISTRY:
        yield "url", "is required when other settings of the registry are given", _URL_REMEDY
    if {"password", "password_file"} <= given:
        yield "password_file", "is given beside schema_registry.password", "Give one of them, not both."
    if "username" in given and not given & {"password", "password_file"}:
        yield "username", "is given without a password", "Give schema_registry.password_file, too."
    if "username" not in given and given & {"password", "password_file"}:
        yield "username", "is required when a password is given", "Give the name of the password's user."
    if "client_key_file" in given and "client_cert_file" not in given:
        yield "client_key_file", "is given without schema_registry.client_cert_file", "Give the key's certificate, too."


def _check_certificate(certificate: Path, key: Path | None) -> None:
    # The empty password keeps OpenSSL from asking for one at the terminal.
    load = partial(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain, certificate, key, password="")
    try:
        load()
    except OSError as error:
        what = f"cannot be used ({_reason(error)})"
        remedy = "Give readable PEM files that hold the certificate, its chain and its unencrypted key."
        raise refusal(what, remedy, key="client_cert_file") from None
