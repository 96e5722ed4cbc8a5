# SPDX-License-Identifier: Apache-2.0
"""What a schema registry says of an id, as data, and the port through which it is asked.

Owns the distinction that everything else follows from: what blames the records of an id, and what blames nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Found:
    """The id's Avro schema as parsed JSON, and the schemas that it refers to, each behind those it uses itself."""

    schema: Any
    references: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """The id's schema is none that can be read by; that never changes, because an id's schema never does."""

    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The registry answers and does not have the id, or what its schema refers to: not yet, or never."""

    message: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The registry says nothing of the id: it is down, refuses us, or is no registry at all."""

    message: str


Fetched = Found | Unusable | Unknown | Unavailable


class SchemaSource(Protocol):
    """A schema registry."""

    async def fetch(self, schema_id: int) -> Fetched:
        """Ask once; never raises for anything that the other side or the net does."""
