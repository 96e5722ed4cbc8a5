# SPDX-License-Identifier: Apache-2.0
"""The certificate files of a transport.

Owns reading them and saying what is wrong with one. Never puts a file's content into a message.
"""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from connector.button.transport import TransportOptions


def tls_context(options: TransportOptions) -> ssl.SSLContext:
    """Return a context that verifies the other side and presents our certificate, if there is one.

    Raises ``ValueError`` naming the option, the file and the remedy.
    """
    context = ssl.create_default_context()
    if options.ca_file is not None:
        _load("ca_file", options.ca_file, "certificates", context.load_verify_locations)
    if options.client_cert_file is not None:
        # The empty password keeps OpenSSL from asking for one at the terminal.
        load = partial(context.load_cert_chain, password="")
        _load("client_cert_file", options.client_cert_file, "our certificate, its chain and its unencrypted key", load)
    return context


def authorities_of(ca_file: Path) -> list[bytes]:
    """Return the certificates of a PEM bundle, each as DER; raises like :func:`tls_context`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load("ca_file", ca_file, "certificates", context.load_verify_locations)
    return context.get_ca_certs(binary_form=True)


def _load(option: str, path: Path, content: str, load: Callable[[Path], None]) -> None:
    try:
        load(path)
    except OSError as error:
        reason = (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or "it cannot be read"
        what = f"{option} {path}: {reason}. Give a readable PEM file that holds {content}."
        raise ValueError(what) from None
