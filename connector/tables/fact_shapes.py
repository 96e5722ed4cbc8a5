# SPDX-License-Identifier: Apache-2.0
"""Of which types the rows of a fact are.

Owns the judgement whether a row of a value is of the form in which facts are written: another program may write to
the ledger's topic, and a fact of which one number is a text would fail where nobody knows any more whence it came.
Looks at types only, because what the values mean is the domain's business; cheap, because every known fact of an
order is looked at before the order is decided.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NULL = type(None)
_TEXT, _WHOLE, _LARGE, _FLAG, _ROWS = (str,), (int,), (int, str), (bool,), (list,)
_MAYBE_TEXT, _MAYBE_LARGE, _MAYBE_ROW, _MAYBE_MAP = (str, _NULL), (int, str, _NULL), (list, _NULL), (dict, _NULL)

_Shapes = frozenset[tuple[type, ...]]


def _shapes(*columns: tuple[type, ...]) -> _Shapes:
    return frozenset(product(*columns))


_ORDER = _shapes(_WHOLE, _TEXT, _TEXT, _ROWS, *[_MAYBE_TEXT] * 4)
_LINE = _shapes(_TEXT, _WHOLE, _WHOLE, _MAYBE_TEXT, _MAYBE_TEXT, _ROWS, _MAYBE_MAP, _MAYBE_TEXT)
_PURCHASE = _shapes(_ROWS, _MAYBE_LARGE)
_REFUND = _shapes(_ROWS, _MAYBE_ROW, _MAYBE_ROW, _MAYBE_ROW, _MAYBE_TEXT, _FLAG, _FLAG)
_REFUNDED = _shapes(_MAYBE_TEXT, _MAYBE_TEXT, _MAYBE_LARGE, _MAYBE_ROW, _MAYBE_ROW)
_AMOUNT = _shapes(_LARGE, _WHOLE)
_OBSERVED = _shapes(_ROWS, _FLAG)
_MARK = _shapes(_TEXT, _TEXT)
_SOURCE = _shapes(_TEXT, _TEXT, _TEXT, _WHOLE, _WHOLE, _WHOLE)
_RECORD = _shapes(_MAYBE_TEXT, _TEXT, _ROWS, _WHOLE)
_HEADER = _shapes(_TEXT, _MAYBE_TEXT)

_FIELDS: tuple[tuple[str, type, object], ...] = (
    ("at", int, None),
    ("w", int, None),
    ("told", list, []),
    ("base", int, -1),
    ("call", str, ""),
    ("ans", str, ""),
    ("id", str, ""),
    ("tok", str, ""),
)
"""Name, type, and what stands for a field that is absent; without the first two there is no fact."""
_MAYBE_TEXTS = frozenset(_MAYBE_TEXT)
_TEXTS = frozenset(_TEXT)
_MOST_SCALE = 1_000
"""A scale is a power of ten that somebody may compute."""


def misshapen(row: Mapping[str, Any], kind: str) -> str | None:
    """Return the name of the first field of a fact's row that is not as it is written, ``None`` if all are."""
    for name, wanted, absent in _FIELDS:
        if type(row.get(name, absent)) is not wanted:
            return name
    if not _MAYBE_TEXTS.issuperset(map(type, row.get("told", ()))):
        return "told"
    if "src" in row and not _is(row["src"], _SOURCE):
        return "src"
    if "rec" in row and not (_is(row["rec"], _RECORD) and _are(row["rec"][2], _HEADER)):
        return "rec"
    return None if _IS_SAID[kind](row.get(kind)) else kind


def _is(row: Any, shapes: _Shapes) -> bool:  # noqa: ANN401  any JSON
    return type(row) is list and tuple(map(type, row)) in shapes


def _are(rows: Iterable[Any], shapes: _Shapes) -> bool:
    return all(_is(row, shapes) for row in rows)


def _is_purchase(row: Any) -> bool:  # noqa: ANN401  any JSON
    return _is(row, _PURCHASE) and _is_order(row[0])


def _is_order(row: Any) -> bool:  # noqa: ANN401  any JSON
    return _is(row, _ORDER) and all(map(_is_line, row[3]))


def _is_line(row: Any) -> bool:  # noqa: ANN401  any JSON
    if not _is(row, _LINE) or not _TEXTS.issuperset(map(type, row[5])):
        return False
    return row[6] is None or _TEXTS.issuperset(map(type, row[6].values()))


def _is_refund(row: Any) -> bool:  # noqa: ANN401  any JSON
    return _is(row, _REFUND) and all(map(_is_amount, row[1:4])) and all(map(_is_refunded, row[0]))


def _is_refunded(row: Any) -> bool:  # noqa: ANN401  any JSON
    return _is(row, _REFUNDED) and _is_amount(row[3]) and _is_amount(row[4])


def _is_amount(row: Any) -> bool:  # noqa: ANN401  any JSON
    return row is None or (_is(row, _AMOUNT) and 0 <= row[1] <= _MOST_SCALE)


def _is_observed(row: Any) -> bool:  # noqa: ANN401  any JSON
    return _is(row, _OBSERVED) and _is_order(row[0])


def _is_mark(row: Any) -> bool:  # noqa: ANN401  any JSON
    return _is(row, _MARK)


_IS_SAID = {"p": _is_purchase, "r": _is_refund, "o": _is_observed, "m": _is_mark}
