"""What of a completion is code, and what stands in strings, comments and the like.

A bracket in a regular expression closes nothing, and a line of a long string may stand at the
margin. Where a parser is installed, it is asked: only where the shape of a line does not tell,
only about whole lines, and about no more than what surrounds the cursor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inhouse.features.trimming.grammars import Grammar, grammar_of, parser_of

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

LOOKED_AT = 4000
"""Characters before the cursor that are parsed, and of the completion: more is not asked about."""

STEPS_A_PARSE = 32
"""Steps of the parser for one line; 4,000 characters of common code take 25, or half a ms."""
STEPS = 128
"""Steps for all lines of a completion."""


class Reading(NamedTuple):
    """What a line is."""

    code: str
    """The line, without the brackets and quotation marks that are none."""
    within: bool
    """Whether the next line begins in a literal that the completion opened."""
    closed: bool
    """Whether it closes the block around the cursor by a word, or the literal around it."""


class Syntax(Protocol):
    """Reads the lines of one completion."""

    def read(self, line: str, *, doubtful: bool) -> Reading | None:
        """Take the next whole line; return None where its brackets and indentation tell.

        A `doubtful` one would end the completion.
        """
        ...


class Shapes:
    """Knows nothing but what lines look like."""

    def read(self, line: str, *, doubtful: bool) -> Reading | None:
        """Tell nothing."""
        del line, doubtful


def syntax_of(prefix: str, path: str, language: str) -> Syntax:
    """Return what reads a completion of such a file as well as it can be read here."""
    grammar = grammar_of(path, language)
    parser = None if grammar is None else parser_of(grammar)
    return Shapes() if grammar is None or parser is None else Parsed(prefix, grammar, parser)


_PLAIN = re.compile(r"(?:[^\"'`/#%\\<]|<(?!<)|\"[^\"\\]*\"|'[^'\\]*')*+")
"""Lines whose strings are as simple as they look."""
_WORD = re.compile(r"\s*(?:end|fi|done|esac)\b")
_CLOSING = frozenset({"end", "fi", "done", "esac"})
_MARK = re.compile(rb"[()\[\]{}\"'\\]")
_BRACKETS = b"()[]{}"
_LITERAL = re.compile(
    r"(?<!concatenated_)(?<!chained_)string|comment|char|regex|heredoc|nowdoc|rune|jsx_text|\Atext\Z"
)
_CODE = re.compile(r"interpolation|substitution|expansion")
_DEFINES = "async class const def enum export fn func function impl interface private protected pub"
_DEFINITION = re.compile(
    rf"\n\s*\n(?=[ \t]*(?:{_DEFINES.replace(' ', '|')}|public|static|struct|type|void)\b)"
)
"""Where code begins that stands in no literal, as far as its look tells."""


class Parsed:
    """Parses what stands before the cursor, and what the completion adds to it."""

    def __init__(self, prefix: str, grammar: Grammar, parser: Parser) -> None:
        """Nothing is looked at before the first line has come."""
        self._prefix = prefix
        self._grammar = grammar
        self._parser = parser
        self._text = b""
        self._cursor = 0
        self._tree: Tree | None = None
        self._parsed = b""
        self._same = 0
        """Bytes of what was parsed that stay."""
        self._steps = STEPS
        self._around = False
        """Whether the cursor is in a literal, as far as is known."""
        self._within = False

    def read(self, line: str, *, doubtful: bool) -> Reading | None:
        """Take the next whole line; return None where its brackets and indentation tell."""
        if self._steps and not self._text:
            self._begin()
        if not self._steps:
            return None
        start = len(self._text)
        written = line.encode(errors="replace")
        self._text += written + b"\n"
        word = _WORD.match(line) is not None
        asked = self._within or self._around or doubtful or word or not _PLAIN.fullmatch(line)
        if not asked or start > self._cursor + LOOKED_AT:
            return None
        root = self._parse()
        if root is None:
            return None
        code = bytearray(written)
        for match in _MARK.finditer(written):
            at = match.start()
            if match[0] not in _BRACKETS or _literal(_leaf(root, start + at)) is not None:
                code[at] = ord("_")
        next_line = _literal(_leaf(root, len(self._text)))
        self._within = next_line is not None and next_line.start_byte >= self._cursor
        closed = word and self._closes(root, start + len(written) - len(written.lstrip()))
        if self._around:
            around = _literal(_leaf(root, self._cursor))
            self._around = around is not None and around.start_byte < self._cursor
            closed = closed or (self._around and next_line != around)
        return Reading(code.decode(), self._within, closed)

    def _begin(self) -> None:
        head = self._prefix
        if len(head) > LOOKED_AT:
            # A window that begins in a string would turn everything inside out.
            head = head[-LOOKED_AT:]
            definition = _DEFINITION.search(head)
            if definition is None:
                self._steps = 0
                return
            head = head[definition.end() :]
        self._text = head.encode(errors="replace")
        self._cursor = len(self._text)
        self._around = self._open() != b""

    def _parse(self) -> Node | None:
        """Parse anew what has come since the last time; None where that takes too long."""
        text = self._text + b"x\n" + self._open() + b"\n"
        if self._tree is not None:
            # What stood behind the lines so far is written anew.
            same, old = self._same, self._parsed
            points = _point(text, same), _point(old, len(old)), _point(text, len(text))
            self._tree.edit(same, len(old), len(text), *points)
        self._same, self._parsed = len(self._text), text
        most = min(self._steps, STEPS_A_PARSE)
        taken = 0

        def too_long(_offset: int, _failed: bool) -> bool:
            nonlocal taken
            taken += 1
            return taken > most

        def code(at: int, _place: object) -> bytes:
            return text[at:]

        parse = self._parser.parse
        try:
            if self._tree is None:
                self._tree = parse(code, progress_callback=too_long)
            else:
                self._tree = parse(code, self._tree, progress_callback=too_long)
        except ValueError:
            self._parser.reset()
            self._steps = 0
            return None
        self._steps -= taken
        return self._tree.root_node

    def _open(self) -> bytes:
        """Return the other halves of literals that seem to be open."""
        count = self._text.count
        return b"\n".join(
            closer
            for opener, closer in self._grammar.literals
            if (count(opener) % 2 if opener == closer else count(opener) > count(closer))
        )

    def _closes(self, root: Node, at: int) -> bool:
        """Tell whether the word there ends what was begun before the cursor."""
        leaf = _leaf(root, at)
        block = leaf.parent
        return leaf.type in _CLOSING and block is not None and block.start_byte < self._cursor


def _leaf(root: Node, at: int) -> Node:
    return root.descendant_for_byte_range(at, at + 1) or root


def _literal(node: Node | None) -> Node | None:
    """Return the literal that a place is in; code within a string is none."""
    if node is not None and node.parent is not None and node.parent.type == "case_item":
        # A pattern's bracket has no other half.
        return node if node.type == ")" else None
    while node is not None and _CODE.search(node.type) is None:
        if _LITERAL.search(node.type):
            return node
        node = node.parent
    return None


def _point(text: bytes, at: int) -> tuple[int, int]:
    """Return row and column, as tree-sitter wants to know them."""
    return text.count(b"\n", 0, at), at - text.rfind(b"\n", 0, at) - 1
