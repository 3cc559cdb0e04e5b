"""What the cursor stands in: code, or text for people, where a sentence is the right answer."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from msgspec import Struct

from inhouse.features.fences import has_code_mark
from inhouse.features.prose import is_prose, is_wordy
from inhouse.prompts import line_comment

_TEXT_KINDS = (
    "markdown md mdx mkd txt text plaintext rst restructuredtext adoc asciidoc asc org tex latex"
    " textile wiki mediawiki pod man roff rtf srt po pot eml gitcommit git-commit feature gherkin"
    " cucumber robot robotframework cobol cob cbl inform7 applescript csv tsv log"
)
_TEXT_NAMES = "readme license licence changelog authors contributing notice todo"
_MARKUP_KINDS = (
    "html htm xhtml xml svg vue svelte jsx tsx javascriptreact typescriptreact erb ejs jinja jinja2"
    " j2 twig hbs handlebars php astro"
)
_VALUE_KINDS = "yaml yml toml ini properties env json json5 jsonc"
_DOTTED_KINDS = "erlang erl prolog pl coq v pascal pas abap smalltalk st ada"
_TICKED_KINDS = "rust rs haskell hs ocaml ml lisp el clojure clj scheme scm verilog sv ada vb"
_TEXTS = frozenset(_TEXT_KINDS.split())
_NAMES = frozenset(_TEXT_NAMES.split())
_MARKUP = frozenset(_MARKUP_KINDS.split())
_VALUES = frozenset(_VALUE_KINDS.split())
_DOTTED = frozenset(_DOTTED_KINDS.split())
_TICKED = frozenset(_TICKED_KINDS.split())
"""Where an apostrophe is no quotation mark."""
_BLOCKS = (
    ("/*", "*/", "//"),
    ("<!--", "-->", ""),
    ("{-", "-}", "--"),
    ("--[[", "]]", "--"),
    ("=begin", "=end", "#"),
)
_ANY_COMMENT = ("#", "//", "--", "/*", "* ", ";;")
"""What opens comments in most languages, for files of which nothing is known."""
_QUOTED_LINES = ('"""', "'''")
_TAG = re.compile(r"(?<![=-])>([^<>{};=]*)\Z")
_VALUE = re.compile(r"""^\s*(?:- )?["']?[\w.-]+["']?\s*[:=]\s*["'|>]?\s*\S*""")
_LOOKED_AT = 8000
_LINES = 10
"""So many lines tell what a file without a name is made of."""


class Place(Struct, frozen=True):
    """`text` claims that words belong here; `file`, that the whole file is made of them.

    `dotted` claims that the language ends its statements with a full stop.
    """

    text: bool
    file: bool
    dotted: bool


def place(prefix: str, path: str, language: str) -> Place:
    """Look at the file's kind and at what is open before the cursor."""
    name = PurePosixPath(path).name.lower()
    kind = language.lower() or name.rpartition(".")[2]
    unknown = not kind
    file = kind in _TEXTS or name.partition(".")[0] in _NAMES
    near = prefix[-_LOOKED_AT:]
    head = near.rpartition("\n")[2]
    comment = line_comment(path, language)
    text = file or (
        _in_comment(head, comment)
        or (unknown and (head.lstrip().startswith(_ANY_COMMENT) or _reads_as_text(near)))
        or _in_string(head, kind)
        or _in_block(near, comment)
        or (kind in _MARKUP and _TAG.search(near) is not None)
        or (kind in _VALUES and _VALUE.match(head) is not None)
    )
    return Place(text=text, file=file, dotted=kind in _DOTTED)


def _reads_as_text(near: str) -> bool:
    """Tell whether half of the last lines are words: all there is to know of a nameless file."""
    lines = [line for line in near.split("\n") if line.strip()][-_LINES:]
    worded = sum(is_prose(each) or (is_wordy(each) and not has_code_mark(each)) for each in lines)
    return worded > 0 and worded * 2 >= len(lines)


def _in_comment(head: str, comment: str) -> bool:
    at = head.find(comment)
    while at >= 0:
        address = comment == "//" and head[at - 1 : at] == ":"
        if not address and head[:at].count('"') % 2 == 0:
            return True
        at = head.find(comment, at + 1)
    return False


def _in_string(head: str, kind: str) -> bool:
    bare = re.sub(r"\\.|\"\"\"|'''", "", head)
    quotes = '"' if kind in _TICKED else "\"'"
    return any(bare.count(quote) % 2 for quote in quotes)


def _in_block(near: str, comment: str) -> bool:
    for opening, closing, marker in _BLOCKS:
        if marker in {"", comment} and near.rfind(opening) > near.rfind(closing):
            return True
    return comment == "#" and any(near.count(quotes) % 2 for quotes in _QUOTED_LINES)
