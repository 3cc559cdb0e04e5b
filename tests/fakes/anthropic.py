"""A fake of Anthropic's API: checks requests as strictly as the real one, fails on demand.

It "generates" the words ``w0 w1 w2 …`` and counts every blank-separated word as a token. Driven by
the official client in `tests/providers/test_anthropic_fake.py`.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from tests.fakes.http import Exchange, Handler, Request, Server

HOLD = "x-fake-hold"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"request-id: req_fake\r\ntransfer-encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
MODEL = "claude-test-1"
VERSIONS = ("2023-06-01", "2026-10-21")
"""The later one takes no sampling fields."""
CACHED = 3
"""Tokens of each prompt that are read from a cache."""

_FIELDS = {
    "model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p",
    "top_k", "tools", "tool_choice", "metadata", "thinking", "output_config", "service_tier",
    "cache_control",
}  # fmt: skip

_SAMPLING = {"temperature", "top_p", "top_k"}

Refused = tuple[int, str, str]
"""Status, type and message of an error."""


class FakeAnthropic(Server):
    """Serves one model below ``/v1``, or below another `prefix`.

    The next requests for messages go to `faults` while there are any. `generated` counts tokens
    sent. A stream that is asked for with the header `HOLD` waits for `released` before its first
    token. `refuses` are sampling fields that the model does not take; "both" stands for the two
    together. A `bearer` gateway takes no ``x-api-key``.
    """

    def __init__(
        self,
        *,
        prefix: str = "/v1",
        api_key: str = "sk-hush",
        window: int = 2048,
        most_tokens: int = 1_000_000,
        counts: bool = True,
        bearer: bool = False,
    ) -> None:
        super().__init__(self._route)
        self.prefix = prefix
        self.api_key = api_key
        self.window = window
        self.most_tokens = most_tokens
        self.counts = counts
        self.bearer = bearer
        self.refuses: set[str] = set()
        self.faults: deque[Handler] = deque()
        self.generated = 0
        self.busy = 0
        self.released = asyncio.Event()
        self.words: list[str] | None = None
        self.thoughts: list[str] = []
        self.tells_window = True

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of all requests for messages, oldest first."""
        return [each.json for each in self.requests if each.target.endswith("/messages")]

    async def settled(self) -> int:
        """Wait until nothing runs; return the tokens generated since the start."""
        await self.until(lambda: not self.busy)
        return self.generated

    async def _route(self, exchange: Exchange) -> None:
        request = exchange.request
        path = request.target.partition("?")[0]
        refused = self._stranger(request)
        if refused is not None:
            await refuse(exchange, *refused)
        elif path == f"{self.prefix}/models":
            await self._models(exchange)
        elif path == f"{self.prefix}/messages" and request.method == "POST":
            if self.faults:
                await self.faults.popleft()(exchange)
            else:
                await self._messages(exchange)
        elif path == f"{self.prefix}/messages/count_tokens" and self.counts:
            await self._count(exchange)
        else:
            await refuse(exchange, 404, "not_found_error", "Not Found")

    def _stranger(self, request: Request) -> Refused | None:
        if "anthropic-version" not in request.headers:
            return 400, "invalid_request_error", "anthropic-version: header is required"
        if request.headers["anthropic-version"] not in VERSIONS:
            return 400, "invalid_request_error", "anthropic-version: is not a valid version"
        name, bearer = "x-api-key", request.headers.get("authorization", "")
        key = bearer or ("" if self.bearer else request.headers.get(name, ""))
        if not key:
            return 401, "authentication_error", f"{name} header is required"
        if key.removeprefix("Bearer ") != self.api_key:
            return 401, "authentication_error", f"invalid {name}"
        return None

    async def _models(self, exchange: Exchange) -> None:
        model: dict[str, Any] = {
            "type": "model",
            "id": MODEL,
            "display_name": "Test 1",
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
        }
        if self.tells_window:
            model |= {"max_input_tokens": self.window, "max_tokens": self.most_tokens}
        page = {"data": [model], "has_more": False, "first_id": MODEL, "last_id": MODEL}
        await reply(exchange, page)

    async def _count(self, exchange: Exchange) -> None:
        body = exchange.request.json
        fault = _messages_fault(body.get("messages"))
        if fault is not None:
            await refuse(exchange, 400, "invalid_request_error", fault)
            return
        await reply(exchange, {"input_tokens": prompt_tokens(body)})

    async def _messages(self, exchange: Exchange) -> None:
        body = exchange.request.json
        latest = exchange.request.headers["anthropic-version"] == VERSIONS[-1]
        fault = self._fault(body, latest=latest)
        if fault is not None:
            await refuse(exchange, *fault)
            return
        blocks, reason = self._blocks(body)
        usage = _usage(body, blocks)
        if not body.get("stream"):
            await reply(exchange, message(blocks, reason, usage))
            return
        self.busy += 1
        self.changed()
        try:
            await exchange.send(STREAM_HEAD)
            if HOLD in exchange.request.headers:
                await self.released.wait()
            for event in self._events(blocks, reason, usage):
                await exchange.send(sse(event))
            await exchange.send(END)
        finally:
            self.busy -= 1

    def _events(
        self, blocks: list[dict[str, Any]], reason: dict[str, Any], usage: dict[str, int]
    ) -> Iterator[dict[str, Any]]:
        first = message([], {"stop_reason": None, "stop_sequence": None}, usage)
        first["usage"] = usage | {"output_tokens": 1}
        yield {"type": "message_start", "message": first}
        yield {"type": "ping"}
        for at, block in enumerate(blocks):
            start, deltas = pieces(block)
            yield {"type": "content_block_start", "index": at, "content_block": start}
            for delta in deltas:
                self.generated += 1
                yield {"type": "content_block_delta", "index": at, "delta": delta}
            yield {"type": "content_block_stop", "index": at}
        told = {"output_tokens": usage["output_tokens"]}
        yield {"type": "message_delta", "delta": reason, "usage": told}
        yield {"type": "message_stop"}

    def _blocks(self, body: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return what is generated, and why it ends."""
        blocks: list[dict[str, Any]] = []
        if body.get("thinking", {}).get("type") == "enabled" or self.thoughts:
            thought = "".join(self.thoughts) or "Let me think."
            blocks.append({"type": "thinking", "thinking": thought, "signature": "c2ln"})
        if body.get("tools") and body.get("tool_choice", {}).get("type") in {"any", "tool"}:
            given = {"path": "a.py"} if body["tools"][0]["input_schema"].get("properties") else {}
            called = {"id": "toolu_1", "name": body["tools"][0]["name"], "input": given}
            return [*blocks, {"type": "tool_use"} | called], _reason("tool_use")
        words, reason = _words(body, self.words)
        return [*blocks, {"type": "text", "text": "".join(words)}], reason

    def _fault(self, body: dict[str, Any], *, latest: bool) -> Refused | None:
        what = self._invalid(body, _FIELDS - _SAMPLING if latest else _FIELDS)
        if what is not None:
            return 400, "invalid_request_error", what
        if body["model"] != MODEL:
            return 404, "not_found_error", f"model: {body['model']}"
        return None

    def _invalid(self, body: dict[str, Any], fields: set[str]) -> str | None:
        for name in ("model", "messages", "max_tokens"):
            if name not in body:
                return f"{name}: Field required"
        for name in sorted(body.keys() - fields):
            return f"{name}: Extra inputs are not permitted"
        most = body["max_tokens"]
        if most < 1:
            return "max_tokens: must be greater than or equal to 1"
        if most > self.most_tokens:
            return (
                f"max_tokens: {most} > {self.most_tokens}, which is the maximum allowed number of"
                f" output tokens for {MODEL}"
            )
        return self._sampling(body) or _stops_fault(body) or self._length(body)

    def _sampling(self, body: dict[str, Any]) -> str | None:
        for name in ("temperature", "top_p"):
            if name in body and not 0 <= body[name] <= 1:
                return f"{name}: range: 0..1"
            if name in body and name in self.refuses:
                return f"`{name}` is deprecated for this model."
        if "both" in self.refuses and {"temperature", "top_p"} <= body.keys():
            return (
                "`temperature` and `top_p` cannot both be specified for this model."
                " Please use only one."
            )
        if "thinking" in body and body.get("temperature", 1) != 1:
            return "`temperature` may only be set to 1 when thinking is enabled."
        if "effort" in body.get("output_config", {}) and "effort" in self.refuses:
            return "This model does not support the effort parameter."
        return None

    def _length(self, body: dict[str, Any]) -> str | None:
        fault = _messages_fault(body["messages"])
        if fault is not None:
            return fault
        asked, most = prompt_tokens(body), body["max_tokens"]
        if asked > self.window:
            return f"prompt is too long: {asked} tokens > {self.window} maximum"
        if self.most_tokens < 1_000_000 and asked + most > self.window:
            return (
                f"input length and `max_tokens` exceed context limit: {asked} + {most} >"
                f" {self.window}, decrease input length or `max_tokens` and try again"
            )
        return None


async def reply(exchange: Exchange, body: Any, status: int = 200, headers: str = "") -> None:
    raw = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nrequest-id: req_fake\r\n"
    await exchange.send(f"{head}{headers}content-length: {len(raw)}\r\n\r\n".encode() + raw)


async def refuse(exchange: Exchange, status: int, kind: str, said: str, headers: str = "") -> None:
    body = {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_fake"}
    await reply(exchange, body, status, headers)


def sse(event: dict[str, Any]) -> bytes:
    """Return an event as one chunk of a chunked body; it is named as its data says."""
    data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def message(
    blocks: list[dict[str, Any]], reason: dict[str, Any], usage: dict[str, int]
) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": blocks,
        "usage": usage,
    } | reason


def pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as it starts, and its deltas."""
    match block["type"]:
        case "text":
            words = re.findall(r"\s*\S+|\s+", block["text"])
            return block | {"text": ""}, [{"type": "text_delta", "text": word} for word in words]
        case "thinking":
            said = {"type": "thinking_delta", "thinking": block["thinking"]}
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return block | {"thinking": "", "signature": ""}, [said, signed]
        case _:
            raw = json.dumps(block["input"]) if block["input"] else ""
            cuts = [raw[at : at + 6] for at in range(0, len(raw), 6)]
            deltas = [{"type": "input_json_delta", "partial_json": cut} for cut in ["", *cuts]]
            return block | {"input": {}}, deltas


def blocks_of(said: dict[str, Any]) -> list[dict[str, Any]]:
    content: Any = said["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def prompt_tokens(body: dict[str, Any]) -> int:
    texts = [str(body.get("system", ""))]
    for each in body["messages"]:
        texts += [block.get("text") or "" for block in blocks_of(each)]
    return len(" ".join(texts).split())


def _usage(body: dict[str, Any], blocks: list[dict[str, Any]]) -> dict[str, int]:
    said = sum(len(pieces(block)[1]) for block in blocks)
    return {
        "input_tokens": max(0, prompt_tokens(body) - CACHED),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": min(CACHED, prompt_tokens(body)),
        "output_tokens": said,
    }


def _reason(why: str, stop: str | None = None) -> dict[str, Any]:
    return {"stop_reason": why, "stop_sequence": stop}


def _words(body: dict[str, Any], scripted: list[str] | None) -> tuple[list[str], dict[str, Any]]:
    most = body["max_tokens"]
    words = [f" w{at}" for at in range(most)] if scripted is None else scripted
    said: list[str] = []
    for word in words[:most]:
        for stop in body.get("stop_sequences", ()):
            if stop in word:
                return said, _reason("stop_sequence", stop)
        said.append(word)
    ended = scripted is not None and len(scripted) <= most
    return said, _reason("end_turn" if ended else "max_tokens")


def _stops_fault(body: dict[str, Any]) -> str | None:
    for stop in body.get("stop_sequences", ()):
        if not stop:
            return "stop_sequences: each stop sequence must be non-empty"
        if not stop.strip():
            return "stop_sequences: each stop sequence must contain non-whitespace"
    return None


def _messages_fault(messages: Any) -> str | None:
    """Say what is wrong with a conversation: its roles, blank texts, tools without a call."""
    if not messages:
        return "messages: at least one message is required"
    calls: set[str] = set()
    for at, each in enumerate(messages):
        if each["role"] not in {"user", "assistant"}:
            return f'messages: Unexpected role "{each["role"]}".'
        blocks = blocks_of(each)
        used: set[str] = set()
        for number, block in enumerate(blocks):
            path = f"messages.{at}.content.{number}"
            if block["type"] == "text" and not block["text"].strip():
                return "messages: text content blocks must contain non-whitespace text"
            if block["type"] == "tool_use":
                used.add(block["id"])
            if block["type"] == "tool_result" and block["tool_use_id"] not in calls:
                return f"{path}: unexpected `tool_use_id` found in `tool_result` blocks"
        answered = {block.get("tool_use_id") for block in blocks}
        if calls - answered:
            return f"messages.{at}: `tool_use` ids were found without `tool_result` blocks"
        calls = used
    last = messages[-1]
    text = last["content"] if isinstance(last["content"], str) else last["content"][-1].get("text")
    if last["role"] == "assistant" and text and text != text.rstrip():
        return "messages: final assistant content cannot end with trailing whitespace"
    return None
