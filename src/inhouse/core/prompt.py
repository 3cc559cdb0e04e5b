"""What a provider is asked: rendered text, a hole to fill, or messages."""

from __future__ import annotations

from msgspec import Struct

from inhouse.core.requests import Message


class Text(Struct, frozen=True, tag=True):
    """Continue `text` as it stands; a FIM prompt with its sentinels is one."""

    text: str


class Fim(Struct, frozen=True, tag=True, kw_only=True):
    """Fill in between `prefix` and `suffix`, for an upstream that renders the hole itself."""

    prefix: str
    suffix: str = ""
    path: str = ""


class Messages(Struct, frozen=True, tag=True):
    """Answer a conversation."""

    messages: tuple[Message, ...]


Prompt = Text | Fim | Messages


def text_of(prompt: Prompt) -> str:
    """Return the text that a prompt holds, without form: to count it, or to find it quoted."""
    match prompt:
        case Text(text):
            return text
        case Fim():
            return prompt.prefix + prompt.suffix
        case Messages(messages):
            return "\n".join(str(message.content) for message in messages)
