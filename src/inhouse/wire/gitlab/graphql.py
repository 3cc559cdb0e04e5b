"""As much of GraphQL as it takes to answer an editor: which fields are asked for, by which names.

Types, fragments of a name and directives are passed over: editors ask a handful of short queries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from inhouse.errors import InvalidValueError

LONGEST = 20_000
"""Characters of a query."""
DEEPEST = 20
_TOKEN = re.compile(
    r"""(?P<skip>[\s,]+|\#[^\n]*)|(?P<text>\"\"\".*?\"\"\"|"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<word>[$@]?[A-Za-z_]\w*|-?[0-9][\w.+-]*)|(?P<sign>\.\.\.|[{}()\[\]:=!|&])""",
    re.DOTALL,
)
_LISTS = frozenset({"edges", "errors", "nodes"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


class Field(Struct, frozen=True):
    """A field that is asked for: the name for the answer, its own, its arguments, what is in it.

    Arguments are words and texts as they stand, by name; objects and lists are left out.
    """

    key: str
    name: str
    arguments: dict[str, str]
    fields: tuple[Field, ...]


def selected(query: str) -> tuple[Field, ...]:
    """Return the fields that the first operation of a query asks for.

    Raises:
        InvalidValueError: it is too long, nested too deeply, or no GraphQL.

    """
    if len(query) > LONGEST:
        raise _wrong(f"it is longer than {LONGEST} characters")
    tokens = _Tokens(query)
    # What stands before the first brace names the operation and declares its variables.
    while tokens.peek() not in {"{", ""}:
        tokens.skip_value()
    return _selection(tokens, DEEPEST)


def answered(fields: tuple[Field, ...], value: Callable[[Field], Any]) -> dict[str, Any]:
    """Return an answer in the shape of what is asked; `value` gives what has no fields in it.

    Lists are empty.
    """
    found: dict[str, Any] = {}
    for each in fields:
        if each.name in _LISTS:
            found[each.key] = []
        else:
            found[each.key] = answered(each.fields, value) if each.fields else value(each)
    return found


class _Tokens:
    def __init__(self, query: str) -> None:
        self._tokens: list[str] = []
        self._at = 0
        position = 0
        while position < len(query):
            found = _TOKEN.match(query, position)
            if found is None:
                raise _wrong(f"it has no meaning from character {position} on")
            position = found.end()
            if found["skip"] is None:
                self._tokens.append(found[0])

    def peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise _wrong(f"there is {token[:20]!r} where {expected or 'more'!r} was expected")
        self._at += 1
        return token

    def skip_value(self) -> str:
        """Take a word, or whatever stands between two brackets."""
        first = self.take()
        depth = int(first in _OPENING)
        while depth:
            token = self.take()
            depth += (token in _OPENING) - (token in _CLOSING)
        return first


def _selection(tokens: _Tokens, depth: int) -> tuple[Field, ...]:
    if not depth:
        raise _wrong(f"it is nested more than {DEEPEST} deep")
    tokens.take("{")
    fields: list[Field] = []
    while tokens.peek() != "}":
        if tokens.peek() == "...":
            fields.extend(_spread(tokens, depth))
        else:
            fields.append(_field(tokens, depth))
    tokens.take("}")
    return tuple(fields)


def _spread(tokens: _Tokens, depth: int) -> tuple[Field, ...]:
    """Return the fields of a fragment that is written in place, none of one that has a name."""
    tokens.take("...")
    named = tokens.peek() not in {"on", "{"} and not tokens.peek().startswith("@")
    if tokens.peek() == "on":
        tokens.take()
    if tokens.peek() != "{" and not tokens.peek().startswith("@"):
        tokens.take()
    _skip_directives(tokens)
    return () if named or tokens.peek() != "{" else _selection(tokens, depth - 1)


def _field(tokens: _Tokens, depth: int) -> Field:
    key = name = _word(tokens)
    if tokens.peek() == ":":
        tokens.take()
        name = _word(tokens)
    arguments = _arguments(tokens) if tokens.peek() == "(" else {}
    _skip_directives(tokens)
    fields = _selection(tokens, depth - 1) if tokens.peek() == "{" else ()
    return Field(key, name, arguments, fields)


def _arguments(tokens: _Tokens) -> dict[str, str]:
    tokens.take("(")
    found: dict[str, str] = {}
    while tokens.peek() != ")":
        name = _word(tokens)
        tokens.take(":")
        value = tokens.skip_value()
        if value not in _OPENING:
            found[name] = value.strip('"')
    tokens.take(")")
    return found


def _skip_directives(tokens: _Tokens) -> None:
    while tokens.peek().startswith("@"):
        tokens.take()
        if tokens.peek() == "(":
            tokens.skip_value()


def _word(tokens: _Tokens) -> str:
    word = tokens.take()
    if not (word[0].isalpha() or word[0] == "_"):
        raise _wrong(f"there is {word[:20]!r} where a name was expected")
    return word


def _wrong(what: str) -> InvalidValueError:
    return InvalidValueError(f"The query cannot be read: {what}.", param="query")
