"""A later completion of the same caller and file takes the place of the earlier one."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from inhouse.errors import SupersededError
from inhouse.routing.watch import Watch

Owner = tuple[str, str, str, str]
"""The caller, the user that it asks for, the project where it is known, and the file."""


class _Place:
    """What runs for one file: one answer, and the requests that read it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.watches: list[Watch] = []


class Superseding:
    """Knows the completion that runs for each file of each caller.

    Editors ask anew at each keystroke, and some never hang up the request before: its answer is of
    no use to anybody, and keeps a slot of the model busy.
    """

    def __init__(self) -> None:
        """Know of none."""
        self._current: dict[Owner, _Place] = {}

    @contextlib.contextmanager
    def claim(self, owner: Owner, watch: Watch, answer: object = None) -> Generator[None]:
        """Interrupt the earlier request of `owner`; while the block runs, ours can be.

        Who reads the same `answer` shares the place: it costs nothing more.
        """
        place = self._current.get(owner)
        if place is None or answer is None or place.answer is not answer:
            for earlier in place.watches if place is not None else ():
                earlier.interrupt(
                    SupersededError("A later completion for the same file has taken its place.")
                )
            place = self._current[owner] = _Place(answer)
        place.watches.append(watch)
        try:
            yield
        finally:
            place.watches.remove(watch)
            if not place.watches and self._current.get(owner) is place:
                del self._current[owner]
