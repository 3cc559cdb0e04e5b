"""Text of any language as tokens; joining the tokens gives the text back."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?: \r\n? | \n ) [ \t]*      # a newline and the indentation behind it are one token
    | [ \t]+
    | [^\W\d]\w*
    | \d\w* (?: \.\d\w* )?
    | \"{3} | '{3}
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


def lex(text: str) -> list[str]:
    """Split `text` into newlines with indentation, blanks, words, numbers and single signs."""
    return _TOKEN.findall(text)


def is_word(token: str) -> bool:
    """Tell whether a token is an identifier or keyword."""
    return token[:1].isidentifier()


def ends_line(token: str) -> bool:
    """Tell whether a token begins with a newline."""
    return token[:1] in ("\n", "\r")
