"""Undo in an answer what disarming did to special tokens in the caller's code."""

from __future__ import annotations

from inhouse.prompts import restore


class Restorer:
    """Restores one streamed text; holds back only what may be the start of a disarmed token."""

    def __init__(self, tokens: tuple[str, ...]) -> None:
        """`tokens` are the special tokens that were disarmed in the prompt."""
        self._tokens = tokens
        self._heads = "".join({token[0] for token in tokens})
        self._held = ""
        self.done = False

    def feed(self, text: str) -> str:
        """Take the next piece and return what is certain."""
        text = self._held + text
        cut = self._uncertain_from(text)
        self._held = text[cut:]
        return restore(text[:cut], self._tokens)

    def finish(self) -> str:
        """Return what was held."""
        held, self._held = self._held, ""
        return restore(held, self._tokens)

    def _uncertain_from(self, text: str) -> int:
        # A token's first character stands nowhere else in a token, so the last one decides.
        at = max((text.rfind(head) for head in self._heads), default=-1)
        if at < 0:
            return len(text)
        head, rest = text[at], text[at + 1 :].lstrip(" ")
        open_tokens = (token for token in self._tokens if token[0] == head)
        return at if any(token[1:].startswith(rest) for token in open_tokens) else len(text)
