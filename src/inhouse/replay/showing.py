"""What is left of a suggestion on the screen when the next key comes."""

from __future__ import annotations

from inhouse.replay.session import Accept, Event, Type


def left(shown: str, event: Event) -> str:
    """Return what an editor still shows of `shown` behind `event`, empty where it hides it.

    Typing through keeps the rest. A bracket that the editor closes by itself is no longer part of
    it, where it was the last; anywhere else the suggestion no longer fits.
    """
    match event:
        case Accept():
            return shown
        case Type() if shown.startswith(event.text):
            rest = shown[len(event.text) :]
            return rest.removesuffix(event.closes) if rest.endswith(event.closes) else ""
        case _:
            return ""
