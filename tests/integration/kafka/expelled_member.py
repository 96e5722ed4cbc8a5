# SPDX-License-Identifier: Apache-2.0
"""A member as a process of its own, so that a test can freeze it: ``expelled_member BOOTSTRAP TOPIC``.

Prints the engine's calls, one a line, each as it happens.
"""

from __future__ import annotations

import asyncio
import sys

from connector.kafka.options import KafkaConnection, SourceOptions
from tests.integration.kafka.parts import member


async def _main(bootstrap_servers: str, topic: str) -> None:
    settings = SourceOptions(
        connection=KafkaConnection(bootstrap_servers),
        group_id=f"group-{topic}",
        topics=(topic,),
        session_timeout_ms=6_000,
    )
    async with member(settings) as one:
        told = 0
        while True:
            names = one.intake.names()
            for name in names[told:]:
                sys.stdout.write(f"{name}\n")
                sys.stdout.flush()
            told = len(names)
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
