# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001  a script that is copied into a ConfigMap, not a package
"""Make the topics that are missing: ``create_topics.py FOLDER``, with connector.yaml and topics.json in it.

Owns making them; run by the chart's Job in the connector's own image, so that it reaches Kafka as the connector does.
Never changes a topic that is there.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from connector import wiring
from connector.settings.load import load

_SECONDS = 60


def main(folder: Path) -> int:
    """Return 0 when every topic is there."""
    settings = load(folder / "connector.yaml", os.environ)
    wanted = json.loads((folder / "topics.json").read_text(encoding="utf-8"))
    through = wiring.connection(settings.kafka)
    admin = AdminClient({**through.properties, "bootstrap.servers": through.bootstrap_servers})
    topics = [
        NewTopic(
            each["name"],
            num_partitions=each["partitions"],
            replication_factor=wanted["replication_factor"],
            config=each["config"],
        )
        for each in wanted["topics"]
    ]
    made = admin.create_topics(topics, request_timeout=_SECONDS)
    return max([_say(name, future.exception(_SECONDS)) for name, future in made.items()], default=0)


def _say(name: str, error: BaseException | None) -> int:
    if error is None:
        sys.stdout.write(f"topic {name!r} is made\n")
        return 0
    if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
        sys.stdout.write(f"topic {name!r} is there, and left as it is\n")
        return 0
    sys.stderr.write(f"topic {name!r} could not be made: {error}. Make it by hand, or allow CREATE on it.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
