# SPDX-License-Identifier: Apache-2.0
"""Properties that are passed through to the Kafka client: what is taken, refused, and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from connector.settings import KafkaSettings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

    from connector.settings import Settings

SECRET = "hunter2-hunter2"  # noqa: S105  a marked value that must never come out
GOOD = "button:\n  api_key: sk-x\nkafka:\n  bootstrap_servers: a:1\n"
PREFIX = "BUTTON_CONNECTOR__KAFKA__"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return where the settings file of a test lies."""
    return tmp_path / "connector.yaml"


def loaded(config: Path, added: str, **environ: str) -> Settings:
    """Load a file with this added to its Kafka area."""
    config.write_text(GOOD + added)
    return load(config, {PREFIX + name: value for name, value in environ.items()})


def properties(settings: Settings) -> dict[str, str]:
    """Return the properties as the client is told them."""
    return {name: value.get_secret_value() for name, value in settings.kafka.read_properties().items()}


def said(config: Path, added: str, **environ: str) -> list[str]:
    """Return what is said about this; it never holds the secret."""
    with pytest.raises(SettingsError) as caught:
        loaded(config, added, **environ)
    assert SECRET not in repr(caught.value)
    return [str(problem).replace(str(config.parent) + "/", "") for problem in caught.value.problems]


def test_any_property_is_passed_on_as_the_client_writes_it(config: Path) -> None:
    """Text, numbers and truth values all arrive as text, which is what the client reads."""
    settings = loaded(
        config,
        "  properties:\n    security.protocol: SASL_SSL\n    fetch.min.bytes: 5\n"
        "    enable.ssl.certificate.verification: true\n    log_level: 7\n",
    )
    assert properties(settings) == {
        "security.protocol": "SASL_SSL",
        "fetch.min.bytes": "5",
        "enable.ssl.certificate.verification": "true",
        "log_level": "7",
    }


def test_a_value_may_lie_in_a_file(config: Path, tmp_path: Path) -> None:
    """The line break that editors leave at the end is not part of it; everything else is."""
    (tmp_path / "password").write_text(f" {SECRET} \n")
    settings = loaded(config, f"  properties_from_files:\n    sasl.password: {tmp_path}/password\n")
    assert properties(settings) == {"sasl.password": f" {SECRET} "}


def test_a_variable_sets_one_property_and_leaves_the_others_of_the_file(config: Path) -> None:
    """Underscores stand for dots, because few systems take dots in the names of variables."""
    settings = loaded(
        config,
        "  properties:\n    sasl.username: from-file\n    client.id: from-file\n",
        PROPERTIES__SASL_PASSWORD=SECRET,
        PROPERTIES__CLIENT_ID="from-variable",
    )
    assert properties(settings) == {
        "sasl.username": "from-file",
        "client.id": "from-variable",
        "sasl.password": SECRET,
    }


def test_a_variable_may_hold_properties_as_json(config: Path) -> None:
    """They, too, are laid over those of the file."""
    settings = loaded(config, "  properties: {client.id: x}\n", PROPERTIES='{"linger.ms": 7, "log_level": 3}')
    assert properties(settings) == {"client.id": "x", "linger.ms": "7", "log_level": "3"}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "bootstrap.servers",
            "is the connector's own: it has a setting (connector.yaml, line 6). Use kafka.bootstrap_servers.",
        ),
        (
            "session.timeout.ms",
            "is the connector's own: it has a setting (connector.yaml, line 6). Use kafka.session_timeout_ms.",
        ),
        (
            "enable.auto.commit",
            (
                "is the connector's own: an offset is committed when what it covers was acknowledged, and never "
                "otherwise (connector.yaml, line 6). Leave it out."
            ),
        ),
        (
            "auto.offset.reset",
            (
                "is the connector's own: nothing may skip records on its own (connector.yaml, line 6). "
                "Use kafka.start, which counts for a new group."
            ),
        ),
        (
            "acks",
            (
                "is the connector's own: a dead letter counts as written when all in-sync replicas have it, and is "
                "written again until then (connector.yaml, line 6). Leave it out."
            ),
        ),
        (
            "error_cb",
            (
                "is not the name of a client property (connector.yaml, line 6). "
                "Write it as librdkafka does: lower case, with dots."
            ),
        ),
        (
            "SASL.Password",
            (
                "is not the name of a client property (connector.yaml, line 6). "
                "Write it as librdkafka does: lower case, with dots."
            ),
        ),
    ],
)
def test_the_connector_s_own_properties_are_refused_with_the_reason(config: Path, name: str, line: str) -> None:
    """Each of them carries a promise, so no value of it is taken, in the settings or from a file."""
    assert said(config, f"  properties:\n    {name}: {SECRET}\n") == [f"kafka.properties.{name}: {line}"]
    from_file = said(config, f"  properties_from_files:\n    {name}: {config}\n")
    assert from_file == [f"kafka.properties_from_files.{name}: {line}"]


@pytest.mark.parametrize(
    ("added", "line"),
    [
        (
            "  properties: SASL_SSL\n",
            (
                "kafka.properties: the value (hidden) is not a mapping (connector.yaml, line 5). Write names and "
                "values indented below it, or in a variable as JSON, for example "
                "{security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-512, sasl.username: connector}."
            ),
        ),
        (
            "  properties: {sasl.password: 0123}\n",
            "kafka.properties.sasl.password: is not text (connector.yaml, line 5). Put it in quotes.",
        ),
        (
            "  properties: {linger.ms: 1.5}\n",
            (
                "kafka.properties.linger.ms: is not text, a whole number, true or false (connector.yaml, line 5). "
                "Give one of them; put text in quotes."
            ),
        ),
        (
            "  properties: {ssl.ca.location: /no/such/file}\n",
            (
                "kafka.properties.ssl.ca.location: names a file that cannot be read (No such file or directory) "
                "(connector.yaml, line 5). Check the path, and that the connector's user may read the file."
            ),
        ),
        (
            "  properties_from_files: {ssl.ca.location: /etc/ssl/ca.pem}\n",
            (
                "kafka.properties_from_files.ssl.ca.location: is itself the path of a file (connector.yaml, line 5). "
                "Give it as kafka.properties.ssl.ca.location."
            ),
        ),
        (
            "  properties_from_files: {sasl.password: /no/such/file}\n",
            (
                "kafka.properties_from_files.sasl.password: names a file that cannot be read (No such file or "
                "directory) (connector.yaml, line 5). Check the path, and that the connector's user may read the file."
            ),
        ),
        (
            "  properties_from_files: {sasl.password: /dev/null}\n",
            (
                "kafka.properties_from_files.sasl.password: names a file that is empty (connector.yaml, line 5). "
                "Put the value, and nothing else, into the file."
            ),
        ),
        (
            "  properties_from_files: {sasl.password: 5}\n",
            (
                "kafka.properties_from_files.sasl.password: is not a path (connector.yaml, line 5). "
                "Give the path of a file."
            ),
        ),
    ],
)
def test_a_bad_property_is_named_with_line_and_remedy(config: Path, added: str, line: str) -> None:
    """One problem gives one line, and no line shows a value."""
    assert said(config, added) == [line]


def test_a_property_is_given_in_one_place(config: Path, tmp_path: Path) -> None:
    """Which of two would count is a guess that nobody should have to make."""
    (tmp_path / "password").write_text(SECRET)
    added = (
        f"  properties: {{sasl.password: {SECRET}}}\n  properties_from_files: {{sasl.password: {tmp_path}/password}}\n"
    )
    assert said(config, added) == [
        (
            "kafka.properties_from_files.sasl.password: is given beside kafka.properties.sasl.password "
            "(connector.yaml, line 6). Give one of them."
        ),
    ]


def test_all_that_is_wrong_with_properties_is_said_in_one_go(config: Path) -> None:
    """Also where a variable and the file have a share in it."""
    lines = said(config, f"  properties:\n    acks: {SECRET}\n    group.id: x\n", PROPERTIES__ENABLE_IDEMPOTENCE="1")
    assert [line.split("(")[1].split(")")[0] for line in lines] == [
        "connector.yaml, line 6",
        "connector.yaml, line 7",
        f"environment variable {PREFIX}PROPERTIES__ENABLE_IDEMPOTENCE",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.config",
    ],
)
def test_secrets_among_the_properties_are_never_shown(config: Path, tmp_path: Path, name: str) -> None:
    """A description shows the rest, so that one can see what the client is told."""
    settings = loaded(config, f"  properties:\n    {name}: {SECRET}\n    client.id: shown\n")
    assert SECRET not in repr(settings)
    described = str(settings.describe())
    assert SECRET not in described
    assert "'client.id': 'shown'" in described
    assert settings.kafka.secret_names() == {name}
    (tmp_path / "value").write_text(SECRET)
    from_file = loaded(config, f"  properties_from_files:\n    client.id: {tmp_path}/value\n")
    assert SECRET not in str(from_file.describe()) + repr(from_file)
    assert from_file.kafka.secret_names() == {"client.id"}


def test_settings_built_in_code_take_secrets_as_such() -> None:
    """Whoever has a secret need not unwrap it."""
    settings = KafkaSettings(bootstrap_servers="a:1", properties={"sasl.password": SecretStr(SECRET)})
    assert settings.read_properties()["sasl.password"].get_secret_value() == SECRET
