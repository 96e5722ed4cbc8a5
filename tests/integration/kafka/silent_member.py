# SPDX-License-Identifier: Apache-2.0
"""A member as a process of its own, so that a test can kill it: ``silent_member JSON``.

The argument is the changes to the usual options. Prints the partitions that it is given, one assignment a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from connector.kafka.options import KafkaConnection, SourceOptions
from tests.integration.kafka.parts import member


async def _main(given: dict[str, Any]) -> None:
    connection = KafkaConnection(given.pop("bootstrap_servers"))
    async with member(SourceOptions(connection=connection, **given)) as one:
        told: dict[object, int] = {}
        while True:
            if one.intake.starts != told:
                told = dict(one.intake.starts)
                sys.stdout.write(f"{json.dumps(sorted(each.partition for each in one.intake.starts))}\n")
                sys.stdout.flush()
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
