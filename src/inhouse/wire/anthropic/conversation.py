"""A conversation in OpenAI's shape, said in Anthropic's.

System texts stand apart, roles take turns, and what tools answered is the user's. The API refuses
blank texts, so they are left out. Format: https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from inhouse.core.requests import Message
from inhouse.wire.decoding import UNREADABLE

Block = dict[str, Any]

_DATA_URL = re.compile(r"data:(?P<kind>[\w.+-]+/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)


class UnsayableError(Exception):
    """The dialect has no words for a field of the request; `param` is its path."""

    def __init__(self, param: str, why: str) -> None:
        """Keep the path, and why it cannot be said."""
        super().__init__(f"'{param}' {why}")
        self.param = param


def system_text(messages: Sequence[Message]) -> str:
    """Return the texts of all system messages, as paragraphs."""
    texts = (_text(each) for each in messages if each.role in {"system", "developer"})
    return "\n\n".join(text for text in texts if text.strip())


def turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the conversation without its system texts; what one side says in a row is one turn.

    Raises:
        UnsayableError: a part or a role has no counterpart.

    """
    found: list[dict[str, Any]] = []
    for at, message in enumerate(messages):
        if message.role in {"system", "developer"}:
            continue
        role, blocks = _said(message, f"messages.{at}")
        if not blocks:
            continue
        if found and found[-1]["role"] == role:
            found[-1]["content"].extend(blocks)
        else:
            found.append({"role": role, "content": blocks})
    if found and found[-1]["role"] == "assistant":
        _strip_end(found[-1]["content"])
    if not found:
        raise UnsayableError("messages", "holds no text. Add a message with the role 'user'")
    return found


def _said(message: Message, path: str) -> tuple[str, list[Block]]:
    """Return whose turn a message is, and its blocks."""
    match message.role:
        case "user":
            return "user", list(_blocks(message, path))
        case "assistant":
            calls = enumerate(message.tool_calls or ())
            used = [_tool_use(call, f"{path}.tool_calls.{at}") for at, call in calls]
            return "assistant", [*_blocks(message, path), *used]
        case "tool":
            result = {"type": "tool_result", "tool_use_id": message.tool_call_id or ""}
            blocks = list(_blocks(message, path))
            return "user", [result | {"content": blocks} if blocks else result]
        case _:
            raise UnsayableError(
                f"{path}.role", f"is '{message.role}', which the Messages API does not know"
            )


def _blocks(message: Message, path: str) -> Iterator[Block]:
    content = message.content
    if isinstance(content, str):
        if content.strip():
            yield {"type": "text", "text": content}
        return
    for at, part in enumerate(content or ()):
        if (block := _block(part, f"{path}.content.{at}")) is not None:
            yield block


def _block(part: dict[str, Any], path: str) -> Block | None:
    """Return a part as a block, None where it is blank."""
    match part:
        case {"type": "text" | "input_text", "text": str() as text}:
            return {"type": "text", "text": text} if text.strip() else None
        case {"type": "refusal", "refusal": str() as text}:
            return {"type": "text", "text": text} if text.strip() else None
        case {"type": "image_url", "image_url": {"url": str() as url}}:
            return {"type": "image", "source": _source(url)}
        case {"type": "file", "file": {"file_data": str() as url}}:
            return {"type": "document", "source": _source(url)}
        case _:
            kind = part.get("type")
            raise UnsayableError(
                path, f"is a part of the type '{kind}'; the Messages API takes texts and images"
            )


def _source(url: str) -> dict[str, Any]:
    found = _DATA_URL.fullmatch(url)
    if found is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": found["kind"], "data": found["data"]}


def _tool_use(call: dict[str, Any], path: str) -> Block:
    match call:
        case {"id": str() as name, "function": {"name": str() as function}}:
            given = cast("dict[str, Any]", call["function"]).get("arguments") or "{}"
            return {
                "type": "tool_use",
                "id": name,
                "name": function,
                "input": _arguments(given, f"{path}.function.arguments"),
            }
        case _:
            raise UnsayableError(path, "is no call of a function with an id and a name")


def _arguments(given: Any, path: str) -> dict[str, Any]:
    try:
        found: Any = msgspec.json.decode(given) if isinstance(given, str) else None
    except UNREADABLE:
        found = None
    if not isinstance(found, dict):
        raise UnsayableError(path, "is no JSON object")
    return cast("dict[str, Any]", found)


def _text(message: Message) -> str:
    content = message.content
    if not isinstance(content, list):
        return content or ""
    return "".join(part["text"] for part in content if isinstance(part.get("text"), str))


def _strip_end(blocks: list[Block]) -> None:
    """Take blanks off the end of words that the model is to continue: the API refuses them."""
    last = blocks[-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()
