"""A conversation in OpenAI's shape, as Converse wants it: turns of typed blocks.

Converse takes instructions apart from the turns, wants the turns to alternate and the first to be
the user's, and refuses blank text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec

from inhouse.core.requests import Message
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.wire.decoding import UNREADABLE

Block = dict[str, Any]
Turn = dict[str, Any]

OPENING = "(The conversation begins.)"
"""Stands in for the user's turn that Converse wants first."""
_NO_OUTPUT = "(no output)"
_IMAGE = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,([A-Za-z0-9+/=\s]+)\Z")


def conversation(messages: Sequence[Message]) -> tuple[list[Block], list[Turn]]:
    """Return `system` and `messages` of a Converse request.

    Raises:
        UpstreamError: a message holds what Converse cannot take; `param` names the place.

    """
    system: list[Block] = []
    turns: list[Turn] = []
    for at, message in enumerate(messages):
        blocks = list(_blocks(message, f"messages[{at}]"))
        if message.role in {"system", "developer"}:
            system.extend(blocks)
        elif blocks:
            role = "assistant" if message.role == "assistant" else "user"
            if not turns or turns[-1]["role"] != role:
                turns.append({"role": role, "content": []})
            turns[-1]["content"].extend(blocks)
    if not turns:
        if not system:
            raise _refused("messages", "every message is empty")
        system, turns = [], [{"role": "user", "content": system}]
    if turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [{"text": OPENING}]})
    _trim(turns[-1])
    return system, turns


def used_tools(turns: Iterable[Turn]) -> list[str]:
    """Return the names of the tools that a conversation has used, each once."""
    blocks = [block for turn in turns for block in turn["content"]]
    return list(dict.fromkeys(block["toolUse"]["name"] for block in blocks if "toolUse" in block))


def _trim(turn: Turn) -> None:
    """Models refuse to continue an answer that ends in blanks."""
    last = turn["content"][-1]
    if turn["role"] == "assistant" and "text" in last:
        last["text"] = last["text"].rstrip()


def _blocks(message: Message, where: str) -> Iterable[Block]:
    content = list(_content(message.content, f"{where}.content"))
    if message.role == "tool":
        if not message.tool_call_id:
            raise _refused(f"{where}.tool_call_id", "a tool's message needs one")
        blocks = content or [{"text": _NO_OUTPUT}]
        yield {"toolResult": {"toolUseId": message.tool_call_id, "content": blocks}}
        return
    yield from content
    for at, call in enumerate(message.tool_calls or ()):
        yield _tool_use(call, f"{where}.tool_calls[{at}]")


def _content(content: str | list[dict[str, Any]] | None, where: str) -> Iterable[Block]:
    if isinstance(content, str):
        if content.strip():
            yield {"text": content}
        return
    for at, part in enumerate(content or ()):
        kind = part.get("type")
        if kind in {"text", "input_text", "refusal"}:
            text = part.get("text") or part.get("refusal") or ""
            if isinstance(text, str) and text.strip():
                yield {"text": text}
        elif kind == "image_url":
            yield _image(part.get("image_url"), f"{where}[{at}]")
        else:
            raise _refused(
                f"{where}[{at}].type", f"Bedrock takes text and images, not {str(kind)[:40]!a}"
            )


def _image(source: Any, where: str) -> Block:
    url = cast(dict[str, Any], source).get("url") if isinstance(source, dict) else source
    found = _IMAGE.match(url) if isinstance(url, str) else None
    if found is None:
        raise _refused(
            f"{where}.image_url",
            "Bedrock takes images as data URLs (data:image/png;base64,…) of PNG, JPEG, GIF or WebP",
        )
    kind, data = found.groups()
    source = {"bytes": "".join(data.split())}
    return {"image": {"format": "jpeg" if kind == "jpg" else kind, "source": source}}


def _tool_use(call: dict[str, Any], where: str) -> Block:
    said: Any = call.get("function")
    function = cast(dict[str, Any], said) if isinstance(said, dict) else {}
    name = function.get("name")
    if not isinstance(name, str) or not isinstance(call.get("id"), str):
        raise _refused(where, "a tool call needs an id and a function's name")
    return {
        "toolUse": {
            "toolUseId": call["id"],
            "name": name,
            "input": _arguments(function.get("arguments")),
        }
    }


def _arguments(said: Any) -> dict[str, Any]:
    """Return what a model once said as an object, which Converse insists on."""
    try:
        found = msgspec.json.decode(said or "{}")
    except (*UNREADABLE, TypeError):
        return {"arguments": str(said)}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {"arguments": found}


def _refused(param: str, what: str) -> UpstreamError:
    return UpstreamError(UpstreamFailure.BAD_REQUEST, f"{param}: {what}.", param=param)
