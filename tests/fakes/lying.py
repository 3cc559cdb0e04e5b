"""A fake model server of the OpenAI dialect that can lie in every way a probe looks for.

Time is no part of it: what runs makes some tokens each time that somebody looks at ``/metrics``.
"""

import asyncio
import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.fakes.http import Exchange, Server
from tests.fakes.openai import STREAM_HEAD, sse

QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
WORDS = ", ".join(
    f"{tens}-{ones}"
    for tens in ("twenty", "thirty", "forty", "fifty")
    for ones in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
LONG = 300
"""An answer of so many tokens does not end while anybody reads it."""
A_LOOK = 200
"""Tokens that an abandoned answer makes between two looks at the counters."""


class Traits(NamedTuple):
    """What the server does; honest where nothing is said."""

    special: tuple[str, ...] = QWEN
    tokenizer: bool = True
    usage: bool = True
    fills: bool = True
    window: int = 32768
    claims: int | None = 32768
    truncates: bool = False
    stops: bool = True
    hears: frozenset[str] = frozenset({"stream", "whole"})
    metrics: bool = True
    arguments: str | None = '{"city": "Oslo", "days": 3}'
    refuses: frozenset[str] = frozenset()
    chats: bool = True
    most_at_once: int = 1000


class Lying(Server):
    """Serves one model; `most` is how many answers were under way at once."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(self._route)
        self.traits = Traits(**traits)
        self.generated = 0
        self.running: list[int] = []
        """Tokens that each answer under way may still make; those that nobody reads included."""
        self.at_once = 0
        self.most = 0

    @property
    def endpoint(self) -> str:
        return f"{self.url}/v1"

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of all requests for answers."""
        return [each.json for each in self.requests if each.target.endswith("completions")]

    async def _route(self, exchange: Exchange) -> None:
        match exchange.request.target:
            case "/v1/models":
                model = {"id": "m", "owned_by": "vllm", "max_model_len": self.traits.claims}
                await self._reply(exchange, {"object": "list", "data": [model]})
            case "/tokenize" if self.traits.tokenizer:
                count = self._count(exchange.request.json["prompt"])
                await self._reply(exchange, {"count": count, "tokens": [0] * count})
            case "/metrics" if self.traits.metrics:
                await exchange.answer(200, self._metrics().encode(), "text/plain")
            case "/v1/completions" | "/v1/chat/completions":
                await self._counted(exchange)
            case _:
                await exchange.answer(404, b'{"detail":"Not Found"}')

    async def _counted(self, exchange: Exchange) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            fault = self._fault(exchange.request.json)
            if fault is None:
                await self._answer(exchange)
            else:
                await self._reply(exchange, {"error": {"message": fault[1]}}, fault[0])
        finally:
            self.at_once -= 1

    def _fault(self, body: dict[str, Any]) -> tuple[int, str] | None:
        for name in self.traits.refuses & body.keys():
            return 400, f"{name} is not supported"
        if "messages" in body and not self.traits.chats:
            return 400, "There is no chat template."
        if self.at_once > self.traits.most_at_once:
            return 429, "Too many requests."
        if self._count(_said(body)) > self.traits.window and not self.traits.truncates:
            return 400, f"This model's maximum context length is {self.traits.window} tokens."
        return None

    async def _answer(self, exchange: Exchange) -> None:
        body = exchange.request.json
        text, reason = self._text(body)
        prompt_tokens = min(self._count(_said(body)), self.traits.window)
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": len(text.split())}
        streamed = bool(body.get("stream"))
        if body["max_tokens"] > LONG:
            await self._long(exchange, streamed=streamed)
        elif streamed:
            await exchange.send(STREAM_HEAD)
            for event in self._events(body, text, reason, usage):
                await exchange.send(sse(json.dumps(event).encode()))
            await exchange.send(sse(b"[DONE]"), b"0\r\n\r\n")
        else:
            message = {"message": {"content": text}, "text": text, "finish_reason": reason}
            await self._reply(exchange, {"choices": [message], "usage": usage})

    async def _long(self, exchange: Exchange, *, streamed: bool) -> None:
        """Write until the caller leaves; go on behind that where hang-ups are not heard."""
        tokens = exchange.request.json["max_tokens"]
        place = len(self.running)
        self.running.append(tokens)
        try:
            if streamed:
                await exchange.send(STREAM_HEAD)
                for number in range(12):
                    self.generated += 1
                    self.running[place] -= 1
                    await exchange.send(sse(json.dumps(_chunk(f" {number}", None)).encode()))
            await asyncio.Event().wait()
        finally:
            if ("stream" if streamed else "whole") in self.traits.hears:
                self.running[place] = 0

    def _metrics(self) -> str:
        for place, left in enumerate(self.running):
            made = min(left, A_LOOK if not self.at_once else 4)
            self.running[place] -= made
            self.generated += made
        now = sum(left > 0 for left in self.running)
        label = '{engine="0",model_name="m"}'
        return (
            f"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{label} {now}.0\n"
            f"vllm:generation_tokens_total{label} {self.generated}.0\n"
            'vllm:generation_tokens_total{engine="0",model_name="other"} 7e9\n'
        )

    def _text(self, body: dict[str, Any]) -> tuple[str, str]:
        """Return the answer and why it ends."""
        # What does not fit is lost at the head, as Ollama does it.
        said, wanted = _said(body)[-3 * self.traits.window :], body["max_tokens"]
        if "tools" in body or "response_format" in body:
            return self.traits.arguments or "I would rather talk.", "stop"
        text = WORDS
        if "Say the code word" in said and "PELICAN-4711" in said:
            text = "It is PELICAN-4711."
        if self.traits.fills and all(each in said for each in self.traits.special):
            text = {"json": "json\n", "math": "math\n"}.get(_called_for(said), WORDS)
        pieces = re.findall(r"\s*\S+", text)
        text = "".join(pieces[:wanted])
        stops: list[str] = body.get("stop", []) if self.traits.stops else []
        for stop in stops:
            if stop in text:
                return text[: text.index(stop)], "stop"
        return text, "length" if len(pieces) > wanted else "stop"

    def _events(
        self, body: dict[str, Any], text: str, reason: str, usage: dict[str, int]
    ) -> Iterator[dict[str, Any]]:
        arguments = self.traits.arguments
        if "tools" in body and arguments is not None:
            function = {"name": body["tools"][0]["function"]["name"], "arguments": arguments}
            call = {"index": 0, "id": "c", "type": "function", "function": function}
            yield {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
            reason = "tool_calls"
        else:
            for piece in re.findall(r"\s*\S+", text):
                yield _chunk(piece, None)
        yield _chunk("", reason)
        if self.traits.usage:
            yield {"choices": [], "usage": usage}

    def _count(self, text: str) -> int:
        count = 1  # the start of the text, as many tokenizers add it
        for token in self.traits.special:
            count += text.count(token)
            text = text.replace(token, "")
        return count + math.ceil(len(text) / 3)

    async def _reply(self, exchange: Exchange, body: Any, status: int = 200) -> None:
        await exchange.answer(status, json.dumps(body).encode())


def _chunk(text: str, reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "delta": {"content": text}, "finish_reason": reason}
    return {"id": "x", "choices": [choice]}


def _said(body: dict[str, Any]) -> str:
    return body.get("prompt") or "\n".join(str(each["content"]) for each in body["messages"])


def _called_for(prompt: str) -> str:
    found = re.search(r"print\((json|math)\.", prompt)
    return found[1] if found else ""
