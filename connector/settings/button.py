# SPDX-License-Identifier: Apache-2.0
"""Settings of Button's Order API.

Owns their names, defaults and single-value rules, and where the API key is read from. Never shows the key.
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from connector.domain.answer_policy import AnswerPolicy
from connector.settings.answers import Ambiguous, Responses, ambiguous_of, overrides_of
from connector.settings.base import AnyCase, Area, Seconds, refusal


def _is_base_url(value: str) -> str:
    try:
        url = urlsplit(value)
        is_url = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_url = False
    else:
        is_url = is_url and not (url.query or url.fragment or "@" in url.netloc or " " in value)
    if not is_url:
        what = "is not a base URL"
        raise refusal(what, "Give scheme, host and port only, for example https://api.usebutton.com.")
    return value.rstrip("/")


def _is_proxy(secret: SecretStr) -> SecretStr:
    try:
        url = urlsplit(secret.get_secret_value())
        is_url = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_url = False
    else:
        is_url = is_url and url.path in {"", "/"} and not (url.query or url.fragment)
    if not is_url:
        what = "is not the URL of a proxy"
        raise refusal(what, "Give scheme, host and port, for example http://proxy.example:3128.")
    return secret


def _is_readable(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise _unreadable(error) from None
    return path


def _unreadable(error: OSError) -> PydanticCustomError:
    what = f"cannot be read ({error.strerror})"
    return refusal(what, "Check the path, and that the connector's user may read the file.")


def _is_key(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value()
    if not key:
        what = "is empty"
        raise refusal(what, "Give the API key of your Button organization; it starts with sk-.")
    if not (key.isascii() and key.isprintable()) or " " in key or ":" in key:
        what = "holds a character that no API key has"
        raise refusal(what, "Look for spaces, line breaks, colons and quotes around the key.")
    return secret


def _holds_a_key(path: Path) -> Path:
    try:
        _is_key(_read_key(path))
    except UnicodeDecodeError:
        what = "is not a text file"
        raise refusal(what, "Put the API key, and nothing else, into the file.") from None
    except OSError as error:
        raise _unreadable(error) from None
    return path


def _read_key(path: Path) -> SecretStr:
    return SecretStr(path.read_text(encoding="utf-8").strip())


class ButtonSettings(Area):
    """How Button is reached."""

    base_url: Annotated[str, AfterValidator(_is_base_url)] = Field(
        default="https://api.usebutton.com",
        description="Where the Order API is; without a path for the real one.",
    )
    api_key: Annotated[SecretStr, AfterValidator(_is_key)] | None = Field(
        default=None,
        description="The organization's API key. Give this or api_key_file.",
        examples=["sk-..."],
    )
    api_key_file: Annotated[Path, AfterValidator(_holds_a_key)] | None = Field(
        default=None,
        description="A file with the API key and nothing else; read again when Button refuses the key, so that it can "
        "be rotated. Give this or api_key.",
        examples=["/run/secrets/button-api-key"],
    )
    request_timeout_seconds: Seconds = Field(
        default=15.0,
        description="How long one call may take, from connecting to the last byte of its answer.",
    )
    connect_timeout_seconds: Seconds = Field(default=3.0, description="How long connecting may take.")
    idle_timeout_seconds: Seconds = Field(
        default=30.0,
        description="How long a connection may be idle and still be used again; below what load balancers on the way "
        "grant, which close theirs after 60 seconds or so.",
    )
    transport: Annotated[Literal["auto", "asyncio", "pyreqwest", "httpx2"], AnyCase] = Field(
        default="auto",
        description="What makes the HTTP calls: asyncio (on the event loop, the fastest, knows no proxies), pyreqwest "
        "(in Rust, on a thread of its own) or httpx2 (the most portable). auto takes asyncio, with a proxy pyreqwest.",
    )
    ca_file: Annotated[Path, AfterValidator(_is_readable)] | None = Field(
        default=None,
        description="Certificates (PEM) of authorities to trust beside the system's: for a proxy or a stand-in.",
        examples=["/etc/ssl/private-ca.pem"],
    )
    client_cert_file: Annotated[Path, AfterValidator(_is_readable)] | None = Field(
        default=None,
        description="Our own certificate, its chain and its unencrypted key (PEM), where the other side wants one.",
        examples=["/run/secrets/client.pem"],
    )
    proxy: Annotated[SecretStr, AfterValidator(_is_proxy)] | None = Field(
        default=None,
        description="An HTTP proxy to go through; it may hold a user name and a password. Proxies are taken from here "
        "alone, never from HTTPS_PROXY and its like.",
        examples=["http://proxy.example:3128"],
    )
    api_version: dt.date | None = Field(
        default=None,
        description="Sent as X-Button-API-Version; without it Button uses the organization's own version.",
        examples=["2018-02-13"],
    )

    update_sends: Annotated[Literal["changed", "all"], AnyCase] = Field(
        default="changed",
        description="What an update tells: the total and the lines, as Button advises, or all that is known of the "
        "order, for an account where Button forgets what an update leaves out.",
    )
    responses: Responses = Field(
        default={},
        description="What answers mean, where Button is known to mean something else than docs/responses.md says: by "
        "call, and by status, class of statuses or type of error.",
        examples=["{cancel: {404: already_applied, OrderFinalized: finalized}}"],
    )
    ambiguous: Ambiguous = Field(
        default={},
        description="What follows a call that was sent and got no answer, by call: retry (the default of each), lookup "
        "or dead_letter.",
        examples=["{update: lookup}"],
    )
    visibility_seconds: Seconds = Field(
        default=30.0,
        description="How long two answers about one order may contradict each other (it exists, it is not found) "
        "before its event becomes a dead letter.",
    )
    settle_seconds: Seconds = Field(
        default=1.0,
        description="How long a call without an answer is given to land before a lookup is believed; a drain waits "
        "for as long.",
    )

    def to_answers(self) -> AnswerPolicy:
        """Return what answers are judged by."""
        return AnswerPolicy(
            overrides_of(self.responses),
            ambiguous_of(self.ambiguous),
            self.visibility_seconds,
            self.settle_seconds,
        )

    @model_validator(mode="after")
    def _has_exactly_one_key(self) -> Self:
        if self.api_key is None and self.api_key_file is None:
            what = "is required, or else button.api_key_file, and neither is given"
            remedy = (
                "Set one of them in the file, or BUTTON_CONNECTOR__BUTTON__API_KEY_FILE to the path of a file with it."
            )
            raise refusal(what, remedy, key="api_key")
        if self.api_key is not None and self.api_key_file is not None:
            what = "is given beside button.api_key"
            raise refusal(what, "Give one of them, not both.", key="api_key_file")
        return self

    def read_api_key(self) -> SecretStr:
        """Return the API key as it is now; a key in a file is read anew.

        Raises ``OSError`` when the file has become unreadable since the start.
        """
        if self.api_key_file is not None:
            return _read_key(self.api_key_file)
        assert self.api_key is not None  # noqa: S101  the validator above allows nothing else
        return self.api_key
