"""How much disk an installed package takes, with everything that it depends on."""

from __future__ import annotations

import importlib.metadata
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def installed_bytes(name: str) -> tuple[int, int]:
    """Return the bytes of all files of a package and its dependencies, and how many those are.

    Compiled bytecode counts only where the installer listed it.
    """
    closure: dict[str, Distribution] = {}
    todo = [name]
    while todo:
        each = canonicalize_name(todo.pop())
        if each in closure:
            continue
        closure[each] = importlib.metadata.distribution(each)
        requirements = map(Requirement, closure[each].requires or ())
        todo += [
            requirement.name
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ]
    return sum(map(_bytes, closure.values())), len(closure) - 1


def _bytes(distribution: Distribution) -> int:
    paths = [Path(str(distribution.locate_file(each))) for each in distribution.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())
