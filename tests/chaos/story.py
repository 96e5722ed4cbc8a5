# SPDX-License-Identifier: Apache-2.0
"""What became of one order in a run, as a person reads it: its records, calls and facts, and the troubles meanwhile.

Owns how that is written; judges nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.evidence import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from tests.chaos.evidence import Evidence

_AROUND_MS = 10_000.0


def story(evidence: Evidence, order_id: str) -> str:
    """Return all that is known of an order; times are seconds since the run's first call."""
    began_ms = min(float(each["started_ms"]) for each in evidence.requests)
    own = sorted((each for each in evidence.requests if each["order_id"] == order_id), key=_started_ms)
    lines = [f"order {order_id}"]
    lines += [f"  at {each.partition}, {each.offset}: {each.said}" for each in evidence.places.get(order_id, ())]
    lines += (_call(each, began_ms) for each in own)
    lines += (f"  fact {each}" for each in evidence.entries() if each.order_id == order_id)
    lines += _troubles(evidence, own, began_ms)
    return "\n".join(lines)


def _started_ms(request: Mapping[str, Any]) -> float:
    return float(request["started_ms"])


def _call(request: Mapping[str, Any], began_ms: float) -> str:
    times = [request[name] for name in ("started_ms", "taken_ms", "finished_ms")]
    when = ", ".join("never" if each is None else f"{(each - began_ms) / 1000:.3f}" for each in times)
    body = request["body"]
    told = state_of(body) if isinstance(body, dict) and "total" in body else ""
    heard = f"{request['status']} {request['outcome']} result {request['result']} fault {request['fault']}"
    return f"  {request['operation']} at {when} by {request.get('peer') or request['connection']}: {heard} {told}"


def _troubles(evidence: Evidence, own: list[Mapping[str, Any]], began_ms: float) -> Iterator[str]:
    if not own:
        return
    first, last = _started_ms(own[0]) - _AROUND_MS, _started_ms(own[-1]) + _AROUND_MS
    for each in evidence.troubles:
        if each.until_ms >= first and each.from_ms <= last:
            from_, until = ((at - began_ms) / 1000 for at in (each.from_ms, each.until_ms))
            yield f"  {each.kind} from {from_:.3f} to {until:.3f}; committed then {dict(evidence.read_again(each)[0])}"
