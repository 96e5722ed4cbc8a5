# SPDX-License-Identifier: Apache-2.0
"""What the chart's Job runs makes the topics on a real Kafka, and leaves alone what is there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import yaml
from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]  # not exported by name

from tests.support.helm_values import CHART
from tests.support.kafka_broker import Broker, unique_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.conftest import Helm

_SECONDS = 60


def _run_job(helm: Helm, kafka: Broker, folder: Path, names: dict[str, str], partitions: int) -> str:
    """Do what the Job does, with the files that it would find; return what it says."""
    options = [
        *("--values", str(CHART / "ci" / "minimal-values.yaml"), "--show-only", "templates/topics.yaml"),
        *(
            "--set",
            f"topics.create=true,topics.replicationFactor=1,topics.minInsyncReplicas=1,topics.partitions={partitions}",
        ),
        *("--set", "config.kafka.bootstrap_servers=" + kafka.bootstrap_servers.replace(",", r"\,")),
        *("--set", f"config.kafka.topics={{{names['events']}}}"),
        *("--set", f"config.sessions.topic={names['sessions']},config.dead_letters.topic={names['letters']}"),
        *("--set", "secrets.apiKey.existingSecret=null,extraEnv[0].name=BUTTON_CONNECTOR__BUTTON__API_KEY"),
    ]
    files = helm.objects(*options)["ConfigMap"]["data"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    settings = yaml.safe_load(files["connector.yaml"])
    settings["tables"]["directory"] = str(folder)
    (folder / "connector.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, str(folder / "create_topics.py"), str(folder)]
    environment = {"BUTTON_CONNECTOR__BUTTON__API_KEY": "sk-test"}
    done = subprocess.run(  # noqa: S603  our own script
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_job_makes_topics_as_they_must_be_kept_and_changes_none(helm: Helm, kafka: Broker, tmp_path: Path) -> None:
    """Partitions, compaction and retention are those of the values; a second run with others finds all there."""
    names = {each: unique_topic(each) for each in ("events", "sessions", "letters")}
    said = _run_job(helm, kafka, tmp_path, names, partitions=5)
    assert all(f"topic {name!r} is made" in said for name in names.values())
    again = _run_job(helm, kafka, tmp_path, names, partitions=7)
    assert all(f"topic {name!r} is there" in again for name in names.values())
    admin = kafka.admin()
    topics = admin.list_topics(timeout=_SECONDS).topics
    assert {each: len(topics[name].partitions) for each, name in names.items()} == {
        "events": 5,
        "sessions": 6,
        "letters": 6,
    }
    asked = {each: ConfigResource(ResourceType.TOPIC, name) for each, name in names.items()}
    answers = admin.describe_configs(list(asked.values()))
    kept = {
        each: {key: entry.value for key, entry in answers[of].result(_SECONDS).items()} for each, of in asked.items()
    }
    assert (kept["events"]["cleanup.policy"], kept["events"]["retention.ms"]) == ("delete", "604800000")
    assert (kept["sessions"]["cleanup.policy"], kept["sessions"]["min.compaction.lag.ms"]) == ("compact", "86400000")
    assert (kept["letters"]["cleanup.policy"], kept["letters"]["retention.ms"]) == ("delete", "2592000000")
