# SPDX-License-Identifier: Apache-2.0
"""The page at ``/``: what the sandbox holds, for people.

Owns one self-contained HTML document: no asset from elsewhere, everything escaped, readable without a script and by a
screen reader. Must never show a key or anything of a customer.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING

from connector.sandbox.switches import active
from connector.sandbox.views import rules_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connector.sandbox.orders import HeldOrder
    from connector.sandbox.request_log import RequestRecord
    from connector.sandbox.service import Service

SHOWN_ORDERS = 50
SHOWN_REQUESTS = 50
SHOWN_LINES = 4

_STYLE = """
:root { color-scheme: light dark; --edge: #8886; --quiet: light-dark(#595959, #b0b0b0);
  --bad: light-dark(#a40000, #ff9a9a); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem; }
header { align-items: center; display: flex; flex-wrap: wrap; gap: 1rem; justify-content: space-between; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
button { font: inherit; min-height: 2.75rem; padding: 0 1rem; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
dl div { border: 1px solid var(--edge); border-radius: .5rem; padding: .5rem 1rem; }
dt, .quiet { color: var(--quiet); font-size: .875rem; }
dd { font-size: 1.5rem; font-variant-numeric: tabular-nums; margin: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; min-width: 52rem; width: 100%; }
th, td { border-bottom: 1px solid var(--edge); text-align: left; vertical-align: top;
  padding: .35rem 1.25rem .35rem 0; }
td.number, th.number { font-variant-numeric: tabular-nums; text-align: right; }
.bad { color: var(--bad); font-weight: 600; }
code { overflow-wrap: anywhere; } ul { margin: 0; padding-left: 1.2rem; }
"""

_SCRIPT = """
const button = document.querySelector("button"), state = document.querySelector("[role=status]");
const regions = () => [...document.querySelectorAll(".scroll")];
let timer = 0;
async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const before = regions(), focus = before.indexOf(document.activeElement);
    const at = before.map((region) => region.scrollLeft);
    document.querySelector("main").replaceChildren(...fresh.querySelector("main").childNodes);
    regions().forEach((region, index) => { region.scrollLeft = at[index]; });
    regions()[focus]?.focus({ preventScroll: true });
    if (state.textContent) state.textContent = "";
  } catch { state.textContent = "The sandbox does not answer."; }
}
function run(on) {
  clearInterval(timer);
  timer = on ? setInterval(refresh, 2000) : 0;
  button.textContent = on ? "Pause" : "Resume";
}
button.hidden = false;
button.addEventListener("click", () => run(!timer));
run(true);
"""


def page(service: Service, now: float) -> str:
    """Return the whole document."""
    service.orders.drop_vanished(now)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Button sandbox</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body><header><h1>Button sandbox</h1>"
        '<div><span role="status"></span> <button type="button" hidden>Pause</button></div></header><main>'
        f"{_counts(service)}{_switches(service)}{_orders(service)}{_requests(service)}"
        f"</main><script>{_SCRIPT}</script></body></html>"
    )


def _counts(service: Service) -> str:
    orders = service.orders.orders.values()
    cancelled = sum(held.cancelled for held in orders)
    counts = {
        "Orders open": len(orders) - cancelled,
        "Orders cancelled": cancelled,
        "Requests": service.log.total,
        "Requests open": service.log.open,
        "Faults played": service.log.by_fault.total(),
    }
    tiles = "".join(f"<div><dt>{name}</dt><dd>{count:,}</dd></div>" for name, count in counts.items())
    named = {
        "By operation": service.log.by_operation,
        "By answer": service.log.by_status,
        "By fault": service.log.by_fault,
    }
    rows = "".join(
        f"<li>{title}: {escape(', '.join(f'{name} {count:,}' for name, count in sorted(counter.items())))}</li>"
        for title, counter in named.items()
        if counter
    )
    return f"<dl>{tiles}</dl>" + (f"<ul>{rows}</ul>" if rows else "")


def _switches(service: Service) -> str:
    items = [f"<code>{escape(f'{name}={value}')}</code>" for name, value in active(service.switches).items()]
    items += [
        "fault by order id: " + "<code>" + escape(", ".join(f"{k}={v}" for k, v in rule.items() if v)) + "</code>"
        for rule in rules_view(service)[:SHOWN_REQUESTS]
    ]
    body = "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>" if items else "<p>None: all defaults.</p>"
    return f"<h2>Active switches</h2>{body}"


def _orders(service: Service) -> str:
    held = service.orders.orders
    newest = islice(reversed(held.values()), SHOWN_ORDERS)
    head = ("Order", "Status", "Total, minor units", "Lines", "Token", "Changes")
    return _table(f"Orders: newest {min(len(held), SHOWN_ORDERS)} of {len(held):,}", head, map(_order_row, newest))


def _order_row(held: HeldOrder) -> str:
    fields = held.fields
    total = escape(f"{fields['total']} {fields['currency']}")
    token, lines = escape(str(fields.get("btn_ref") or "none")), _lines(fields.get("line_items"))
    status = f'<span class="bad">{held.status}</span>' if held.cancelled else held.status
    return (
        f'<th scope="row"><code>{escape(held.order_id)}</code></th><td>{status}</td><td class="number">{total}</td>'
        f'<td>{lines}</td><td><code>{token}</code></td><td class="number">{held.changes}</td>'
    )


def _lines(lines: object) -> str:
    if not isinstance(lines, list) or not lines:
        return '<span class="quiet">none</span>'
    shown = [
        escape(f"{line.get('quantity', 1)} \N{MULTIPLICATION SIGN} {line['identifier']}: {line['total']}")
        for line in lines[:SHOWN_LINES]
    ]
    if len(lines) > SHOWN_LINES:
        shown.append(f"and {len(lines) - SHOWN_LINES} more")
    return "<ul>" + "".join(f"<li>{line}</li>" for line in shown) + "</ul>"


def _requests(service: Service) -> str:
    shown = list(service.log.newest(SHOWN_REQUESTS))
    head = ("No.", "Call", "Order or token", "Answer", "Took, ms", "Fault", "Changed")
    return _table(f"Requests: newest {len(shown)} of {service.log.total:,}", head, map(_request_row, shown))


def _request_row(record: RequestRecord) -> str:
    took = "" if record.finished_ms is None else f"{record.finished_ms - record.started_ms:.1f}"
    answer = str(record.outcome if record.status in (None, "dropped") else record.status)
    is_bad = not answer.startswith("2") and record.outcome != "open"
    subject, fault = escape(record.order_id or record.path), escape(record.fault or "")
    return (
        f'<td class="number">{record.sequence}</td><td>{escape(record.method)} {escape(record.operation)}</td>'
        f"<td><code>{subject}</code></td><td{' class=bad' if is_bad else ''}>{answer}</td>"
        f'<td class="number">{took}</td><td>{fault}</td><td>{"yes" if record.applied else "no"}</td>'
    )


_NUMBERS = {"Total, minor units", "Changes", "No.", "Took, ms"}


def _table(title: str, head: Sequence[str], rows: Iterable[str]) -> str:
    columns = "".join(f'<th scope="col"{" class=number" if name in _NUMBERS else ""}>{name}</th>' for name in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<h2>{title}</h2><div class="scroll" role="region" tabindex="0" aria-label="{title}"><table>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )
