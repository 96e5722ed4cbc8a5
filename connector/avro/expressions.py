# SPDX-License-Identifier: Apache-2.0
"""JMESPath expressions, checked against the schema of what they will be asked of.

Owns what is wrong with an expression before any event is seen: its grammar, functions that do not exist, and fields
that no event can have. JMESPath itself gives null for a field that is not there, so that a typing mistake would look
like a field that happens to be absent in every event. Keys of a map may be anything; values that a function gives are
not looked into.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.lexer import Lexer

from connector.avro.writer_schema import AvroType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Node = dict[str, Any]
Types = tuple[AvroType, ...] | None
"""What a value may be; ``None`` when nothing is known of it."""

_IDENTIFIERS = {"quoted_identifier", "unquoted_identifier"}
_NAMED = {"field", "function_expression", "key_val_pair"}
_SAME_AS_ARGUMENT = {"reverse", "sort", "sort_by"}
_ITEM_OF_ARGUMENT = {"max_by", "min_by"}
_MOST_NAMES = 12


class Expression(NamedTuple):
    """An expression that can be asked; ``search`` takes plain data and raises what JMESPath raises."""

    text: str
    search: Callable[[object], object]


class ExpressionProblem(NamedTuple):
    """Why an expression cannot be used; ``position`` counts its characters from 1."""

    text: str
    position: int
    what: str

    def __str__(self) -> str:
        """Return one line that shows where."""
        return f"{self.text!r}, character {self.position}: {self.what}"


class _Mistake(Exception):  # noqa: N818  it never leaves this module
    def __init__(self, node: Node, what: str) -> None:
        super().__init__(what)
        self.node, self.what = node, what


def compile_expression(text: str, types: tuple[AvroType, ...]) -> Expression | ExpressionProblem:
    """Return the expression if it can be asked of a value of one of these types, else its first mistake."""
    try:
        compiled = jmespath.compile(text)
    except JMESPathError as error:
        position = getattr(error, "lex_position", None) or 0
        said = str(error).splitlines()[0].split(": Parse error at")[0].rpartition("expression: ")[2].rstrip(":")
        return ExpressionProblem(text, position + 1, f"this is no JMESPath: {said}")
    parsed: Any = compiled.parsed
    try:
        _Walk().types_of(parsed, types)
    except _Mistake as mistake:
        return ExpressionProblem(text, _position(text, parsed, mistake.node), mistake.what)
    return Expression(text, compiled.search)


class _Walk:
    """Follows the types through an expression."""

    def types_of(self, node: Node, types: Types) -> Types:
        """Return what the node gives when it is asked of a value of these types."""
        rule: Callable[[Node, Types], Types] = getattr(self, f"_{node['type']}")
        return rule(node, types)

    def _field(self, node: Node, types: Types) -> Types:
        if types is None:
            return None
        name, found = node["value"], list(_members(types, node["value"]))
        if not found:
            raise _Mistake(node, _no_such_field(name, types))
        return tuple(member for members in found for member in members)

    def _current(self, _: Node, types: Types) -> Types:
        return types

    _identity = _current

    def _literal(self, _: Node, __: Types) -> Types:
        return None

    def _subexpression(self, node: Node, types: Types) -> Types:
        for child in node["children"]:
            types = self.types_of(child, types)
        return types

    _pipe = _subexpression

    def _index_expression(self, node: Node, types: Types) -> Types:
        list_, index = node["children"]
        types = self.types_of(list_, types)
        items = _items(list_, types)
        return items if index["type"] == "index" else types

    def _flatten(self, node: Node, types: Types) -> Types:
        (list_,) = node["children"]
        items = _items(list_, self.types_of(list_, types))
        if items is None:
            return None
        inner = [item.items.alternatives() if item.kind == "array" and item.items else (item,) for item in items]
        return _list_of(tuple(type_ for types_ in inner for type_ in types_))

    def _projection(self, node: Node, types: Types) -> Types:
        left, right = node["children"]
        return _list_of(self.types_of(right, _items(left, self.types_of(left, types))))

    def _filter_projection(self, node: Node, types: Types) -> Types:
        left, right, condition = node["children"]
        items = _items(left, self.types_of(left, types))
        self.types_of(condition, items)
        return _list_of(self.types_of(right, items))

    def _value_projection(self, node: Node, types: Types) -> Types:
        left, right = node["children"]
        return _list_of(self.types_of(right, _values(self.types_of(left, types))))

    def _or_expression(self, node: Node, types: Types) -> Types:
        return _either(*(self.types_of(child, types) for child in node["children"]))

    _and_expression = _or_expression

    def _not_expression(self, node: Node, types: Types) -> Types:
        for child in node["children"]:
            self.types_of(child, types)
        return None

    def _comparator(self, node: Node, types: Types) -> Types:
        for child in node["children"]:
            try:
                self.types_of(child, types)
            except _Mistake as mistake:
                if mistake.node is child:  # most likely no field was meant at all
                    mistake.what += f"; if it is a text, write '{child['value']}' in single quotes"
                raise
        return None

    def _multi_select_list(self, node: Node, types: Types) -> Types:
        return _list_of(_either(*(self.types_of(child, types) for child in node["children"])))

    def _multi_select_dict(self, node: Node, types: Types) -> Types:
        self._not_expression(node, types)
        return None

    _key_val_pair = _not_expression

    def _function_expression(self, node: Node, types: Types) -> Types:
        name, arguments = node["value"], node["children"]
        _check_call(node, name, len(arguments))
        plain = [self.types_of(child, types) for child in arguments if child["type"] != "expref"]
        list_ = next((each for each in plain if each), None)
        items = None if list_ is None else _items(node, list_) if len(plain) < len(arguments) else None
        for child in arguments:
            if child["type"] == "expref":
                self.types_of(child["children"][0], items)
        if name == "not_null":
            return _either(*plain)
        if name in _ITEM_OF_ARGUMENT:
            return items
        return list_ if name in _SAME_AS_ARGUMENT else None


def _check_call(node: Node, name: str, arguments: int) -> None:
    function = Functions.FUNCTION_TABLE.get(name)
    if function is None:
        raise _Mistake(node, f"there is no function {name}(){_meant(name, list(Functions.FUNCTION_TABLE))}")
    wanted = len(function["signature"])
    is_open = bool(function["signature"]) and bool(function["signature"][-1].get("variadic"))
    if arguments < wanted or (arguments > wanted and not is_open):
        raise _Mistake(node, f"{name}() takes {wanted} argument(s), not {arguments}")


def _members(types: tuple[AvroType, ...], name: str) -> Iterator[tuple[AvroType, ...]]:
    for type_ in types:
        if type_.kind == "map" and type_.items:
            yield type_.items.alternatives()
        elif name in type_.fields:
            yield type_.fields[name].alternatives()


def _items(node: Node, types: Types) -> Types:
    """Return what the lists among the types hold."""
    if types is None:
        return None
    lists = [type_ for type_ in types if type_.kind == "array"]
    if not lists:
        raise _Mistake(node, f"a list is expected here, and this is {_kinds(types)}")
    if any(list_.items is None for list_ in lists):
        return None
    return tuple(type_ for list_ in lists if list_.items for type_ in list_.items.alternatives())


def _values(types: Types) -> Types:
    if types is None:
        return None
    found = [tuple(type_.fields.values()) or ((type_.items,) if type_.items else ()) for type_ in types]
    return tuple(alternative for values in found for value in values for alternative in value.alternatives())


def _list_of(items: Types) -> Types:
    union = None if items is None else AvroType("union", 1, branches=items)
    return (AvroType("array", 1, items=union),)


def _either(*each: Types) -> Types:
    known = [types for types in each if types is not None]
    return tuple(type_ for types in known for type_ in types) if len(known) == len(each) else None


def _no_such_field(name: str, types: tuple[AvroType, ...]) -> str:
    names = sorted({field for type_ in types for field in type_.fields})
    if not names:
        kinds = _kinds(types)
        lists = "; write [] or an index before it" if "a list" in kinds else ""
        return f"there is no field {name!r} here, because this is {kinds}{lists}"
    there = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return f"there is no field {name!r}{_meant(name, names) or f'; there are {there}'}"


def _meant(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _kinds(types: tuple[AvroType, ...]) -> str:
    kinds = {"array": "a list", "record": "a record", "map": "a map", "string": "text", "boolean": "true or false"}
    return " or ".join(sorted({kinds.get(type_.kind, "a number") for type_ in types})) or "always null"


def _position(text: str, root: Node, mistake: Node) -> int:
    """Return where a node's name begins; of what has no name, the last name in it."""
    starts = [token["start"] for token in Lexer().tokenize(text) if token["type"] in _IDENTIFIERS]
    places = dict(zip(map(id, _named(root)), starts, strict=False))
    own = places.get(id(mistake))
    return 1 + (own if own is not None else max((places.get(id(node), 0) for node in _named(mistake)), default=0))


def _named(node: Node) -> Iterator[Node]:
    """Yield the nodes that have a name, in the order in which they stand in the text."""
    if node["type"] in _NAMED:
        yield node
    children = [child for child in node["children"] if isinstance(child, dict)]
    if node["type"] == "filter_projection":
        children = [children[0], children[2], children[1]]
    for child in children:
        yield from _named(child)
