# SPDX-License-Identifier: Apache-2.0
"""An order as Button has it, by one lookup, beside what the ledger says.

Owns the comparison and its words. Sends nothing but the lookup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector import wiring
from connector.button.client import ButtonClient
from connector.domain.folding import Status
from connector.domain.orders import Operation
from connector.domain.outcomes import Found, Halt, LookUp, NotFound, Refused, Retry
from connector.domain.responses import interpret
from connector.orders_view.words import money
from connector.version import version

if TYPE_CHECKING:
    from connector.domain.folding import OrderState
    from connector.domain.orders import Order
    from connector.domain.outcomes import Outcome
    from connector.settings import Settings

_KEY = "Check button.api_key or the file that button.api_key_file names; --without-button leaves Button out."
_URL = "Check button.base_url and the network; --without-button leaves Button out."


class ButtonView(NamedTuple):
    """What Button shows; ``agrees`` is ``None`` where there is nothing to compare."""

    status: str
    total: int | None
    currency: str | None
    agrees: bool | None
    comparison: str


class Unanswered(NamedTuple):
    """Why Button's view is not known, and what to do."""

    why: str


async def look_up(settings: Settings, order_id: str, state: OrderState) -> ButtonView | Unanswered:
    """Ask Button for the order and compare."""
    transport = wiring.open_transport(settings)
    api_version = settings.button.api_version
    try:
        client = ButtonClient(
            transport,
            lambda: settings.button.read_api_key().get_secret_value(),
            version=version(),
            api_version=api_version.isoformat() if api_version else None,
        )
        reply = await client.lookup(order_id)
    except ValueError:
        why = f"ORDER_ID: no path can hold {order_id!a}, so Button has no such order. See how the shop spells it."
        return Unanswered(why)
    finally:
        await transport.close()
    outcome = interpret(Operation.LOOKUP, reply, policy=settings.button.to_answers())
    match outcome:
        case Found(order=order, is_cancelled=is_cancelled):
            return compared(state, order, "cancelled" if is_cancelled else "open")
        case NotFound():
            return compared(state, None, "absent")
        case _:
            return Unanswered(_why(settings.button.base_url, outcome))


def _why(url: str, outcome: Outcome) -> str:
    match outcome:
        case Halt(message=message):
            return f"button.api_key: {url} refuses it: {message}. {_KEY}"
        case LookUp(message=message) | Refused(message=message):
            return f"button.api_key: {url} forbids the lookup of this order: {message}. {_KEY}"
        case Retry(message=message):
            return f"button.base_url: {url} was asked for the order in vain: {message}. {_URL}"
        case _:
            return f"button.base_url: {url} gave an answer that no lookup has: {outcome}. {_URL}"


def compared(state: OrderState, shown: Order | None, status: str) -> ButtonView:
    """Return what Button shows, and whether that is what the ledger says."""
    agrees, words = _comparison(state, shown, status)
    return ButtonView(status, shown and shown.total, shown and shown.currency, agrees, words)


def _comparison(state: OrderState, shown: Order | None, status: str) -> tuple[bool | None, str]:
    match state.status:
        case Status.UNKNOWN:
            return None, "the ledger knows nothing of the order, so there is nothing to compare"
        case Status.WAITING if status == "absent":
            return True, "the ledger has only what waits for the purchase, so Button is right to have no order"
        case Status.CANCELLED if status in {"cancelled", "absent"}:
            return True, "as the ledger says"
        case Status.OPEN if status == "open" and state.order is not None:
            return _of_open(state.order, shown)
        case _:
            return False, f"DIFFERS: the ledger says {state.status}, Button says {status}"


def _of_open(told: Order, shown: Order | None) -> tuple[bool | None, str]:
    if shown is None:
        return None, "Button's order cannot be read, so nothing can be compared"
    if (told.total, told.currency) != (shown.total, shown.currency):
        ours, theirs = money(told.total, told.currency), money(shown.total, shown.currency)
        return False, f"DIFFERS: the ledger says {ours}, Button says {theirs}"
    if not shown.line_items:
        return True, "the total is the ledger's; Button shows no lines"
    if _lines(told) != _lines(shown):
        return False, "DIFFERS: the total is the ledger's, the lines are not"
    return True, "as the ledger says, total and lines"


def _lines(order: Order) -> list[tuple[str, int, int]]:
    return sorted((line.identifier, line.total, line.quantity) for line in order.line_items)
