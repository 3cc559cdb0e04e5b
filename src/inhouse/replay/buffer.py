"""The text in an editor, its cursor, and what undo takes back."""

from __future__ import annotations

from msgspec import Struct


class State(Struct, frozen=True):
    """A text and the cursor in it, in characters from its beginning."""

    text: str
    cursor: int

    @property
    def prefix(self) -> str:
        """What stands before the cursor."""
        return self.text[: self.cursor]

    @property
    def suffix(self) -> str:
        """What stands behind the cursor."""
        return self.text[self.cursor :]

    def with_inserted(self, text: str, closes: str = "") -> State:
        """Return the state after `text` came in at the cursor, and `closes` behind it."""
        changed = f"{self.prefix}{text}{closes}{self.suffix}"
        return State(changed, self.cursor + len(text))


class Buffer:
    """A text that is edited; every edit is one step of undo.

    Whatever cannot be done where the cursor stands raises `ValueError`, and changes nothing.
    """

    def __init__(self, state: State) -> None:
        """Begin with nothing to take back."""
        if not 0 <= state.cursor <= len(state.text):
            raise ValueError("the cursor is outside of the text")
        self.state = state
        self._undone: list[State] = []
        self._done: list[State] = []

    def type(self, text: str, closes: str = "") -> None:
        """Insert `text` before the cursor, and behind it what the editor `closes` by itself."""
        if not text:
            raise ValueError("nothing is typed")
        self._edit(self.state.with_inserted(text, closes))

    def over(self) -> None:
        """Type what already stands behind the cursor: the editor only moves on."""
        self.move(self.state.cursor + 1)

    def backspace(self, count: int = 1) -> None:
        """Take away the `count` characters before the cursor."""
        if not 1 <= count <= self.state.cursor:
            raise ValueError(f"there are no {count} characters before the cursor")
        begin = self.state.cursor - count
        self._edit(State(self.state.text[:begin] + self.state.suffix, begin))

    def move(self, to: int) -> None:
        """Put the cursor somewhere else; that is no step of undo."""
        if not 0 <= to <= len(self.state.text):
            raise ValueError("the cursor is outside of the text")
        self.state = State(self.state.text, to)

    def undo(self) -> None:
        """Return to where the cursor stood before the last edit, without that."""
        if not self._done:
            raise ValueError("there is nothing to undo")
        self._undone.append(self.state)
        self.state = self._done.pop()

    def redo(self) -> None:
        """Return to where the last `undo` was asked for."""
        if not self._undone:
            raise ValueError("there is nothing to redo")
        self._done.append(self.state)
        self.state = self._undone.pop()

    def _edit(self, changed: State) -> None:
        self._done.append(self.state)
        self._undone.clear()
        self.state = changed
