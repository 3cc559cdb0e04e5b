"""Grammars of tree-sitter, for languages whose wheels are installed; nothing is imported before."""

from __future__ import annotations

import functools
import importlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from tree_sitter import Parser


class Grammar(NamedTuple):
    """Where a language's parser is, and what ends whatever literal may be open in it."""

    module: str
    closers: bytes
    """Written behind the code, so that a literal that has no end yet is one."""
    function: str = "language"


_C = b"\nx*/\n"
_JAVASCRIPT = b"\nx*/`\n"
_PYTHON = Grammar("tree_sitter_python", b'\nx"""\n\'\'\'\n"""\n')
_SCRIPT = Grammar("tree_sitter_javascript", _JAVASCRIPT)
_TYPED = Grammar("tree_sitter_typescript", _JAVASCRIPT, "language_typescript")
_TYPED_JSX = Grammar("tree_sitter_typescript", _JAVASCRIPT, "language_tsx")
_CPP = Grammar("tree_sitter_cpp", b'\nx*/)"\n')
_RUBY = Grammar("tree_sitter_ruby", b'\nx\n=end\n"\n')
_SHELL = Grammar("tree_sitter_bash", b"\nx\"\n'\n")

_KINDS = {
    "py": _PYTHON,
    "pyi": _PYTHON,
    "python": _PYTHON,
    "js": _SCRIPT,
    "mjs": _SCRIPT,
    "cjs": _SCRIPT,
    "jsx": _SCRIPT,
    "javascript": _SCRIPT,
    "javascriptreact": _SCRIPT,
    "ts": _TYPED,
    "typescript": _TYPED,
    "tsx": _TYPED_JSX,
    "typescriptreact": _TYPED_JSX,
    "go": Grammar("tree_sitter_go", _JAVASCRIPT),
    "rs": Grammar("tree_sitter_rust", b'\nx*/"#\n'),
    "rust": Grammar("tree_sitter_rust", b'\nx*/"#\n'),
    "java": Grammar("tree_sitter_java", b'\nx*/"""\n'),
    "c": Grammar("tree_sitter_c", _C),
    "h": _CPP,
    "cc": _CPP,
    "cpp": _CPP,
    "cxx": _CPP,
    "hh": _CPP,
    "hpp": _CPP,
    "cs": Grammar("tree_sitter_c_sharp", b'\nx*/"""\n'),
    "csharp": Grammar("tree_sitter_c_sharp", b'\nx*/"""\n'),
    "rb": _RUBY,
    "ruby": _RUBY,
    "php": Grammar("tree_sitter_php", b"\nx*/\"\n'\n", "language_php_only"),
    "sh": _SHELL,
    "bash": _SHELL,
    "shell": _SHELL,
    "shellscript": _SHELL,
}


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
