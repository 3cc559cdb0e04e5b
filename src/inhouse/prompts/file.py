"""What to say of the file that is being edited."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

COMMENTS = {
    "#": "bash cfg cmake conf dockerfile ex elixir gitignore jl julia makefile nim perl pl"
    " powershell ps1 pl py pyi python r rb ruby sh shellscript tcl tf terraform toml yaml yml zsh",
    "--": "ada adb ads elm haskell hs lua sql vhd vhdl",
    "%": "erl erlang latex m matlab octave prolog tex",
    ";": "asm clj clojure el lisp racket rkt scheme scm",
    "'": "bas vb vba",
    "//": "",
}
MARKERS = {name: marker for marker, names in COMMENTS.items() for name in names.split()}


def about(path: str, language: str) -> str:
    """Return a line that names file and language, or nothing where neither is known."""
    said = [f"File: {path}"] if path else []
    if language:
        said.append(f"Language: {language}")
    return "\n".join(said) + "\n\n" if said else ""


def comment(text: str, path: str, language: str, indent: str = "") -> str:
    """Return `text` as line comments of the file's language; ``//`` where it is unknown."""
    marker = line_comment(path, language)
    return "".join(f"{indent}{marker} {line}".rstrip() + "\n" for line in text.splitlines())


def line_comment(path: str, language: str) -> str:
    """Return what opens a line comment in the file's language; ``//`` where it is unknown."""
    name = PurePosixPath(path).name.lower()
    return MARKERS.get(language.lower() or name.rpartition(".")[2], "//")


def is_comment(line: str, path: str, language: str) -> bool:
    """Tell whether a line is a line comment of the file's language, or ends a block comment."""
    text = line.strip()
    return text.startswith(line_comment(path, language)) or text.endswith("*/")


def fenced(text: str) -> str:
    """Return `text` as a fenced block, with a fence that is longer than any inside."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}\n\n"


def line(text: str) -> str:
    """Return `text` on one line: whatever breaks lines becomes a blank."""
    return " ".join(text.split())
