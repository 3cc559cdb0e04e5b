"""A later completion of the same caller and file takes the place of the earlier one."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from inhouse.errors import SupersededError
from inhouse.routing.watch import Watch

Owner = tuple[str, str, str, str]
"""The caller, the user that it asks for, the project where it is known, and the file."""


class Superseding:
    """Knows the completion that runs for each file of each caller.

    Editors ask anew at each keystroke, and some never hang up the request before: its answer is of
    no use to anybody, and keeps a slot of the model busy.
    """

    def __init__(self) -> None:
        """Know of none."""
        self._current: dict[Owner, Watch] = {}

    @contextlib.contextmanager
    def claim(self, owner: Owner, watch: Watch) -> Generator[None]:
        """Interrupt the earlier request of `owner`; while the block runs, ours can be."""
        earlier = self._current.get(owner)
        if earlier is not None:
            earlier.interrupt(
                SupersededError("A later completion for the same file has taken its place.")
            )
        self._current[owner] = watch
        try:
            yield
        finally:
            if self._current.get(owner) is watch:
                del self._current[owner]
