# SPDX-License-Identifier: Apache-2.0
"""A real Kafka that lets in only who can prove who they are, and only to what they are allowed.

Owns the broker's listeners (TLS with client certificates, SASL over TLS), its users and their rights. The plain
listener is the operator's: whoever comes by it may do everything. Certificates are PEM texts inside the broker's
properties, so no file has to reach the broker.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trustme
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its types do not know what it exports
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.support.kafka_broker import Broker, free_port, start_broker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER = "connector"
PASSWORD = "correct-horse-battery"  # noqa: S105  of a broker that lives as long as a test
_REQUEST_SECONDS = 15.0
_SCRAM = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
_TOPIC, _GROUP = ResourceType.TOPIC, ResourceType.GROUP


@dataclass(frozen=True)
class SecureKafka:
    """The broker as its operator sees it, and what a client must know; ``broker`` is the plain listener."""

    broker: Broker
    sasl_servers: str
    tls_servers: str
    ca_file: Path
    other_ca_file: Path
    client_cert_file: Path

    def sasl(self, mechanism: str = "SCRAM-SHA-512", user: str = USER, password: str = PASSWORD) -> dict[str, Any]:
        """Return the settings of the Kafka area for SASL over TLS."""
        properties = {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca_file),
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": password,
        }
        return {"bootstrap_servers": self.sasl_servers, "properties": properties}

    def tls(self) -> dict[str, Any]:
        """Return the settings of the Kafka area for TLS with our certificate."""
        properties = {
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.ca_file),
            "ssl.certificate.location": str(self.client_cert_file),
            "ssl.key.location": str(self.client_cert_file),
        }
        return {"bootstrap_servers": self.tls_servers, "properties": properties}

    def add_user(self, name: str, password: str = PASSWORD) -> str:
        """Let a user in by both SCRAM mechanisms; it may do nothing yet."""
        admin = self.broker.admin()
        for mechanism in _SCRAM:  # The broker takes one change of a user at a time.
            change = UserScramCredentialUpsertion(name, ScramCredentialInfo(mechanism, 4096), password.encode())
            admin.alter_user_scram_credentials([change])[name].result(_REQUEST_SECONDS)
        return name

    def allow_topic(self, user: str, topic: str, *operations: AclOperation) -> None:
        """Allow operations on a topic."""
        self._allow(user, _TOPIC, topic, operations)

    def allow_group(self, user: str, group: str, *operations: AclOperation) -> None:
        """Allow operations on a group."""
        self._allow(user, _GROUP, group, operations)

    def _allow(self, user: str, kind: ResourceType, name: str, operations: tuple[AclOperation, ...]) -> None:
        admin = self.broker.admin()
        pattern, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
        rules = [AclBinding(kind, name, pattern, f"User:{user}", "*", each, allow) for each in operations]
        for answer in admin.create_acls(rules).values():
            answer.result(_REQUEST_SECONDS)


@contextmanager
def start_secure_kafka(folder: Path) -> Iterator[SecureKafka]:
    """Start one; raises :class:`tests.support.kafka_broker.NoBrokerError` where no broker can be had."""
    ca, other_ca = trustme.CA(), trustme.CA()
    ca_file, other_ca_file, client_cert_file = folder / "ca.pem", folder / "other-ca.pem", folder / "client.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    other_ca.cert_pem.write_to_path(str(other_ca_file))
    certificate = ca.issue_cert("client@connector.example", common_name=USER)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(client_cert_file))
    ports = {"SASL_SSL": free_port(), "SSL": free_port()}
    with start_broker(_properties(ca), ports) as broker:
        sasl_servers, tls_servers = f"127.0.0.1:{ports['SASL_SSL']}", f"127.0.0.1:{ports['SSL']}"
        secure = SecureKafka(broker, sasl_servers, tls_servers, ca_file, other_ca_file, client_cert_file)
        secure.add_user(USER)
        yield secure


def _properties(ca: trustme.CA) -> dict[str, str]:
    certificate = ca.issue_cert("127.0.0.1")
    # The broker reads keys as PKCS 8 only.
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    chain = "".join(each.bytes().decode() for each in certificate.cert_chain_pems)
    module = "org.apache.kafka.common.security"
    scram = f"{module}.scram.ScramLoginModule required;"
    sasl = "listener.name.sasl_ssl"
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": _one_line(key_pem),
        "ssl.keystore.certificate.chain": _one_line(chain),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": _one_line(ca.cert_pem.bytes().decode()),
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]*).*$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        f"{sasl}.plain.sasl.jaas.config": f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        f"{sasl}.scram-sha-256.sasl.jaas.config": scram,
        f"{sasl}.scram-sha-512.sasl.jaas.config": scram,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


def _one_line(pem: str) -> str:
    return pem.replace("\r", "").replace("\n", "\\n")
