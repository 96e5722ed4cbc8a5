# SPDX-License-Identifier: Apache-2.0
"""The books compared: what the topics say must be, and what is.

Owns the comparison and nothing else: both sides are given. A difference names the order or the record that it is
about.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connector.demo.expectation import Expectation, Place
    from connector.demo.topics import Record

HEADER_PREFIX = "button-connector."


@dataclass(frozen=True, slots=True)
class Findings:
    """What is: the sandbox's orders, the records of input and dead letters, the group's offsets."""

    orders: Mapping[str, Mapping[str, Any]]
    events: Sequence[Record]
    dead_letters: Sequence[Record]
    committed: Mapping[int, int]
    ends: Mapping[int, int]


class Row(NamedTuple):
    """One line of the table."""

    what: str
    expected: int
    found: int


@dataclass(slots=True)
class Reconciliation:
    """The table, and every difference by name."""

    rows: list[Row] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether the books agree."""
        return not self.differences and all(row.expected == row.found for row in self.rows)


def reconcile(expectation: Expectation, findings: Findings) -> Reconciliation:
    """Compare."""
    wanted, found = expectation.orders, findings.orders
    letters = {_origin(record): record for record in findings.dead_letters}
    rows = [
        Row("orders", len(wanted), len(found)),
        Row("of these cancelled", _count(order.is_cancelled for order in wanted.values()), _cancelled(found)),
        Row("with a token", _count("btn_ref" in order.fields for order in wanted.values()), _with_token(found)),
        *_totals(expectation, findings),
        *_letter_rows(expectation, letters),
        Row("events skipped", len(expectation.skipped), _traceless(findings, letters)),
        *(
            Row(f"committed offset of partition {partition}", end, findings.committed.get(partition, 0))
            for partition, end in sorted(findings.ends.items())
        ),
    ]
    differences = [*_order_differences(expectation, findings), *_letter_differences(expectation, findings, letters)]
    return Reconciliation(rows, differences)


def _count(claims: Iterator[bool]) -> int:
    return sum(claims)


def _cancelled(found: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(order["cancelled"] for order in found.values())


def _with_token(found: Mapping[str, Mapping[str, Any]]) -> int:
    return sum("btn_ref" in order["fields"] for order in found.values())


def _totals(expectation: Expectation, findings: Findings) -> Iterator[Row]:
    """Add up the open orders of each currency, in minor units."""
    wanted, found = Counter[str](), Counter[str]()
    for expected in expectation.orders.values():
        wanted[expected.fields["currency"]] += 0 if expected.is_cancelled else expected.fields["total"]
    for order in findings.orders.values():
        found[order["fields"]["currency"]] += 0 if order["cancelled"] else order["fields"]["total"]
    for currency in sorted(wanted.keys() | found.keys()):
        yield Row(f"total of open orders, {currency} minor units", wanted[currency], found[currency])


def _letter_rows(expectation: Expectation, letters: Mapping[Place, Record]) -> Iterator[Row]:
    wanted = Counter(expectation.dead_letters.values())
    found = Counter(_reason(record) for record in letters.values())
    for reason in sorted(wanted.keys() | found.keys()):
        yield Row(f"dead letters, {reason}", wanted[reason], found[reason])


def _traceless(findings: Findings, letters: Mapping[Place, Record]) -> int:
    """Count the committed records that left neither an order nor a dead letter."""
    return sum(
        record.offset < findings.committed.get(record.partition, 0)
        and (record.key or b"").decode() not in findings.orders
        and _place(record) not in letters
        for record in findings.events
    )


def _order_differences(expectation: Expectation, findings: Findings) -> Iterator[str]:
    for order_id, expected in expectation.orders.items():
        order = findings.orders.get(order_id)
        if order is None:
            yield f"order {order_id}: Button does not have it"
            continue
        if order["cancelled"] != expected.is_cancelled:
            says = {True: "cancelled", False: "open"}
            yield f"order {order_id}: expected {says[expected.is_cancelled]}, found {says[order['cancelled']]}"
        yield from _field_differences(order_id, expected.fields, order["fields"])
    for order_id in findings.orders.keys() - expectation.orders.keys():
        yield f"order {order_id}: Button has it, but no event asked for it"


def _field_differences(order_id: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(expected.keys() | found.keys()):
        wanted, value = expected.get(name), found.get(name)
        if isinstance(wanted, datetime) and isinstance(value, str):
            value = datetime.fromisoformat(value)
        if wanted != value:
            # The customer is personal; what differs there can be seen at the sandbox.
            shown = "" if name == "customer" else f": expected {wanted}, found {value}"
            yield f"order {order_id}: {name} differs{shown}"


def _letter_differences(
    expectation: Expectation,
    findings: Findings,
    letters: Mapping[Place, Record],
) -> Iterator[str]:
    originals = {_place(record): record for record in findings.events}
    if len(letters) != len(findings.dead_letters):
        yield f"dead letters: {len(findings.dead_letters)} were written for {len(letters)} records"
    for place in sorted(expectation.dead_letters.keys() | letters.keys()):
        wanted, letter = expectation.dead_letters.get(place, "none"), letters.get(place)
        reason = "none" if letter is None else _reason(letter)
        where = "{}/{} at offset {}".format(*place)
        if wanted != reason:
            yield f"dead letter of {where}: expected {wanted}, found {reason}"
        elif letter is not None and (letter.key, letter.value) != (originals[place].key, originals[place].value):
            yield f"dead letter of {where}: key or value is not the original's"


def _place(record: Record) -> Place:
    return (record.topic, record.partition, record.offset)


def _origin(letter: Record) -> Place:
    headers = letter.headers
    topic, partition, offset = (headers.get(HEADER_PREFIX + name, "-1") for name in ("topic", "partition", "offset"))
    return (topic, int(partition), int(offset))


def _reason(letter: Record) -> str:
    return letter.headers.get(HEADER_PREFIX + "reason", "no reason given")
