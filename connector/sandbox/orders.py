# SPDX-License-Identifier: Apache-2.0
"""The orders that the sandbox holds, and what each call does to them.

Owns the state behind the API. Knows nothing of HTTP, faults or time: the moment of a call is an argument, in seconds of
any clock that only goes forward. Called from one thread; a call is carried out whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from connector.sandbox.switches import Switches
from connector.sandbox.validation import OPTIONAL, REQUIRED, create_problem, fields_problem, sum_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN_FIELDS: Final = (*REQUIRED, *OPTIONAL)
KEPT_BY_REPLACE: Final = REQUIRED
_FLAGS: Final = frozenset({"is_new", "is_new_user"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a call was refused; ``slug`` and ``order_id`` are only shown by ``error_body=typed``."""

    message: str
    slug: str
    order_id: str | None = None


class Result(NamedTuple):
    """What a call came to.

    ``payload`` is what the answer holds beside ``meta``; ``applied`` is whether the call changed anything.
    """

    status: int
    payload: Mapping[str, object] | None = None
    problem: Problem | None = None
    applied: bool = False


@dataclass(slots=True)
class HeldOrder:
    """One order as it is held; ``changes`` counts the calls that made it what it is."""

    order_id: str
    button_order_id: str
    fields: dict[str, object]
    reported_at: float
    vanishes_at: float = float("inf")
    cancelled: bool = False
    changes: int = 1

    @property
    def status(self) -> str:
        """The order's status as the API names it."""
        return "cancelled" if self.cancelled else "open"


@dataclass(slots=True)
class OrderBook:
    """All orders by id; an order is also found by the id that the sandbox gave it."""

    switches: Switches = field(default_factory=Switches)
    orders: dict[str, HeldOrder] = field(default_factory=dict)
    _own_ids: dict[str, str] = field(default_factory=dict)

    def create(self, body: Mapping[str, object], now: float) -> Result:
        """Report an order."""
        late = self.switches.create_answers != "200"
        problem = create_problem(body, self.switches) or sum_problem(body, self.switches)
        if problem and self.switches.create_answers == "202_validated_later":
            return Result(202, {"object": None})
        if problem:
            return _invalid(problem, body.get("order_id"))
        order_id = str(body["order_id"])
        held = self.find(order_id, now)
        if held is not None:
            return self._create_again(held, body, now)
        return self._hold(order_id, body, now, changes=1, late=late)

    def _create_again(self, held: HeldOrder, body: Mapping[str, object], now: float) -> Result:
        if held.cancelled:
            if self.switches.create_of_cancelled_id == "200_new":
                return self._hold(held.order_id, body, now, changes=held.changes + 1, late=False)
            return _refused(409, "Order was cancelled", held.order_id)
        match self.switches.create_of_known_id:
            case "200_echo":
                return Result(200, {"object": self._shown(held)})
            case "200_upsert":
                held.fields = self._known(body)
                held.changes += 1
                return Result(200, {"object": self._shown(held)}, applied=True)
            case _:
                return _refused(409, "Order already exists", held.order_id)

    def _hold(self, order_id: str, body: Mapping[str, object], now: float, *, changes: int, late: bool) -> Result:
        own_id = "btnorder-" + blake2b(order_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        held = HeldOrder(order_id, own_id, self._known(body), now, changes=changes)
        if self.switches.create_answers == "202_dropped_later":
            held.vanishes_at = now + self.switches.vanish_after_ms / 1000
        self.orders[order_id] = held
        self._own_ids[own_id] = order_id
        shown = self._shown(held)
        if late:
            del shown["button_order_id"]
        return Result(202 if late else 200, {"object": shown}, applied=True)

    def get(self, order_id: str, now: float) -> Result:
        """Look an order up by its id."""
        held = self.find(order_id, now)
        if held is None or not self._is_visible(held, now):
            return _refused(404, "Order not found", order_id)
        return Result(200, {"object": self._read_back(held)})

    def get_by_btn_ref(self, btn_ref: str, now: float) -> Result:
        """List the orders that were reported with an attribution token; there may be none."""
        self.drop_vanished(now)
        found = (held for held in self.orders.values() if held.fields.get("btn_ref") == btn_ref)
        return Result(200, {"objects": [self._read_back(held) for held in found if self._is_visible(held, now)]})

    def update(self, order_id: str, body: Mapping[str, object], now: float) -> Result:
        """Report the current state of an order."""
        held = self.find(order_id, now)
        if held is None:
            return _refused(int(self.switches.update_of_unknown_id), "Order not found", order_id)
        if held.cancelled:
            return _refused(int(self.switches.update_of_cancelled_id), "Order was cancelled", held.order_id)
        if self._is_final(held, now):
            return _refused(int(self.switches.after_finalization), "Order is already finalized", held.order_id)
        if body.get("order_id", held.order_id) not in (held.order_id, held.button_order_id):
            return _invalid("order_id: must be the id of the path", held.order_id)
        return self._change(held, body)

    def _change(self, held: HeldOrder, body: Mapping[str, object]) -> Result:
        given = {**body, "order_id": held.order_id}
        kept = held.fields if self.switches.update_missing_fields == "merge" else _required_of(held.fields)
        fields = {**kept, **self._known(given)}
        problem = fields_problem(given, self.switches) or sum_problem(fields, self.switches)
        if problem:
            return _invalid(problem, held.order_id)
        held.fields = fields
        held.changes += 1
        return Result(200, {"object": self._shown(held)}, applied=True)

    def cancel(self, order_id: str, now: float) -> Result:
        """Take an order back as a whole."""
        held = self.find(order_id, now)
        if held is None:
            return _refused(int(self.switches.cancel_of_unknown_id), "Order not found", order_id)
        if held.cancelled and self.switches.second_cancel != "200":
            return _refused(int(self.switches.second_cancel), "Order was cancelled", held.order_id)
        if not held.cancelled and self._is_final(held, now):
            return _refused(int(self.switches.after_finalization), "Order is already finalized", held.order_id)
        applied = not held.cancelled
        held.cancelled = True
        held.changes += applied
        if self.switches.cancel_answers == "204":
            return Result(204, applied=applied)
        shown = self._shown(held) if self.switches.cancel_answers == "200_object" else None
        return Result(200, {"object": shown}, applied=applied)

    def find(self, order_id: str, now: float) -> HeldOrder | None:
        """Return the order of that id, whichever of the two ids it is, unless it has vanished."""
        held = self.orders.get(order_id) or self.orders.get(self._own_ids.get(order_id, ""))
        if held is not None and now >= held.vanishes_at:
            del self.orders[held.order_id]
            return None
        return held

    def forget(self, order_id: str) -> bool:
        """Lose an order, as if it had never been reported; tell whether there was one."""
        return self.orders.pop(order_id, None) is not None

    def drop_vanished(self, now: float) -> None:
        """Let go of the orders whose time is over."""
        for order_id in [held.order_id for held in self.orders.values() if now >= held.vanishes_at]:
            del self.orders[order_id]

    def clear(self) -> None:
        """Forget every order."""
        self.orders.clear()
        self._own_ids.clear()

    def _is_visible(self, held: HeldOrder, now: float) -> bool:
        if held.cancelled and self.switches.get_of_cancelled == "404":
            return False
        return now >= held.reported_at + self.switches.visible_after_ms / 1000

    def _is_final(self, held: HeldOrder, now: float) -> bool:
        window = self.switches.finalization_seconds
        return window > 0 and now >= held.reported_at + window

    def _known(self, body: Mapping[str, object]) -> dict[str, object]:
        fields = {name: body[name] for name in KNOWN_FIELDS if name in body}
        customer = fields.get("customer")
        if isinstance(customer, dict) and self.switches.first_purchase_flag != "both":
            ignored = _FLAGS - {self.switches.first_purchase_flag}
            fields["customer"] = {name: value for name, value in customer.items() if name not in ignored}
        return fields

    def _read_back(self, held: HeldOrder) -> dict[str, object]:
        shown = self._shown(held)
        if self.switches.get_shows == "id":
            return {"button_order_id": held.button_order_id}
        return shown if self.switches.get_includes_lines == "yes" else {**shown, "line_items": []}

    @staticmethod
    def _shown(held: HeldOrder) -> dict[str, object]:
        fields = held.fields
        return {
            "button_order_id": held.button_order_id,
            "total": fields["total"],
            "currency": fields["currency"],
            "order_id": held.order_id,
            "btn_ref": fields.get("btn_ref"),
            "session_id": None,
            "ifa": None,
            "line_items": fields.get("line_items") or [],
            "status": held.status,
            "purchase_date": fields["purchase_date"],
            "finalization_date": fields.get("finalization_date"),
        }


def _required_of(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: fields[name] for name in KEPT_BY_REPLACE}


def _invalid(problem: str, order_id: object) -> Result:
    return Result(400, problem=Problem(problem, "InvalidField", None if order_id is None else str(order_id)))


def _refused(status: int, message: str, order_id: str) -> Result:
    slug = "".join(word.capitalize() for word in message.split())
    return Result(status, problem=Problem(f"{message}: {order_id}", slug, order_id))
