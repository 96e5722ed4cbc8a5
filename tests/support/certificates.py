# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made on the spot by a private authority.

Owns the authority, the files that a client is given and the contexts that a server uses.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """A private authority; ``ca_file`` is what a client must trust, ``client_cert_file`` what it may present."""

    ca: trustme.CA
    ca_file: Path
    client_cert_file: Path

    def server_context(self, name: str = "127.0.0.1", *, demands_client: bool = False) -> ssl.SSLContext:
        """Return the context of a server that has a certificate for ``name``."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        if demands_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self.ca.configure_trust(context)
        return context


def new_authority(folder: Path) -> Authority:
    """Make an authority and its files in ``folder``."""
    ca = trustme.CA()
    ca_file, client_cert_file = folder / "ca.pem", folder / "client.pem"
    ca.cert_pem.write_to_path(ca_file)
    ca.issue_cert("client@connector.example").private_key_and_cert_chain_pem.write_to_path(client_cert_file)
    return Authority(ca, ca_file, client_cert_file)
