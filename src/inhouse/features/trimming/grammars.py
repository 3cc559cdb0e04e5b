"""Grammars of tree-sitter, for languages whose wheels are installed; nothing is imported before."""

from __future__ import annotations

import functools
import importlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from tree_sitter import Parser


class Grammar(NamedTuple):
    """Where a language's parser is, and the halves of its literals that go over lines."""

    module: str
    literals: tuple[tuple[bytes, bytes], ...]
    function: str = "language"


_COMMENT = (b"/*", b"*/")
_DOUBLE = (b'"', b'"')
_SINGLE = (b"'", b"'")
_TRIPLE = (b'"""', b'"""')
_TEMPLATE = (b"`", b"`")

_C = Grammar("tree_sitter_c", (_COMMENT,))
_CPP = Grammar("tree_sitter_cpp", (_COMMENT, (b'R"(', b')"')))
_CSHARP = Grammar("tree_sitter_c_sharp", (_COMMENT, _TRIPLE, _DOUBLE))
_GO = Grammar("tree_sitter_go", (_COMMENT, _TEMPLATE))
_JAVA = Grammar("tree_sitter_java", (_COMMENT, _TRIPLE))
_PHP = Grammar("tree_sitter_php", (_COMMENT, _DOUBLE, _SINGLE), "language_php_only")
_PYTHON = Grammar("tree_sitter_python", (_TRIPLE, (b"'''", b"'''")))
_RUBY = Grammar("tree_sitter_ruby", ((b"\n=begin", b"\n=end"), _DOUBLE))
_RUST = Grammar("tree_sitter_rust", (_COMMENT, (b'#"', b'"#'), _DOUBLE))
_SCRIPT = Grammar("tree_sitter_javascript", (_COMMENT, _TEMPLATE))
_SHELL = Grammar("tree_sitter_bash", (_DOUBLE, _SINGLE))
_TYPED = Grammar("tree_sitter_typescript", (_COMMENT, _TEMPLATE), "language_typescript")
_TYPED_JSX = Grammar("tree_sitter_typescript", (_COMMENT, _TEMPLATE), "language_tsx")

_GRAMMARS = {
    "py pyi python": _PYTHON,
    "js mjs cjs jsx javascript javascriptreact": _SCRIPT,
    "ts mts cts typescript": _TYPED,
    "tsx typescriptreact": _TYPED_JSX,
    "go": _GO,
    "rs rust": _RUST,
    "java": _JAVA,
    "c": _C,
    "h cc cpp cxx hh hpp c++": _CPP,
    "cs csharp": _CSHARP,
    "rb ruby": _RUBY,
    "php": _PHP,
    "sh bash shell shellscript": _SHELL,
}
_KINDS = {kind: grammar for kinds, grammar in _GRAMMARS.items() for kind in kinds.split()}


def grammar_of(path: str, language: str) -> Grammar | None:
    """Return the grammar of a file, by its language's name or else by its ending."""
    by_name = _KINDS.get(language.lower()) if language else None
    return by_name or _KINDS.get(PurePosixPath(path).suffix[1:].lower())


@functools.cache
def parser_of(grammar: Grammar) -> Parser | None:
    """Return the parser, None where its wheel is not installed."""
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        module = cast("Any", importlib.import_module(grammar.module))
    except ImportError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(getattr(module, grammar.function)()))
