"""A fake OpenAI-compatible upstream: answers in the shape of several servers, fails on demand.

It "generates" the words ``w0 w1 w2 …`` and counts every blank-separated word as a token.
"""

import asyncio
import json
import ssl
from collections import deque
from itertools import zip_longest
from typing import Any, NamedTuple

from tests.fakes.http import Exchange, Handler, Server

HOLD = "x-fake-hold"
CHAT_MODEL = (
    "This is a chat model and not supported in the v1/completions endpoint. Did you mean to use"
    " v1/chat/completions?"
)
FIM_SENTINELS = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")


class Dialect(NamedTuple):
    """Where servers differ, as far as it is known from their sources or from running them."""

    name: str
    window_field: str = ""  # in /v1/models; a dot goes one object deeper
    usage_beside_finish: bool = False
    role_content: str | None = ""
    error: str = "openai"
    route_error: str = '{"detail":"Not Found"}'
    knows_models: bool = True
    refuses_overflow: bool = True
    tokenize: str = ""
    space: bytes = b" "
    extra: tuple[tuple[str, Any], ...] = ()


VLLM = Dialect(
    "vllm",
    window_field="max_model_len",
    tokenize="prompt",
    extra=(("stop_reason", None), ("token_ids", None)),
)
LLAMA = Dialect(
    "llama",
    window_field="meta.n_ctx",
    usage_beside_finish=True,
    role_content=None,
    error="llama",
    route_error='{"error":{"message":"File Not Found","type":"not_found_error","code":404}}',
    knows_models=False,
    tokenize="content",
)
SGLANG = Dialect("sglang", window_field="max_model_len", error="flat", tokenize="prompt")
TGI = Dialect("tgi", error="text", route_error="", tokenize="inputs", space=b"")
OLLAMA = Dialect(
    "ollama",
    route_error="404 page not found",
    refuses_overflow=False,
    extra=(("system_fingerprint", "fp_ollama"),),
)
DIALECTS = (VLLM, LLAMA, SGLANG, TGI, OLLAMA)


class FakeOpenAI(Server):
    """Serves one model below ``prefix``.

    The next requests for answers go to `faults` while there are any. `generated` counts tokens sent
    in streams. A stream that is asked for with the header `HOLD` waits for `released` before its
    first token. Where it does not `completes`, its model only chats, and it says so; `routes` are
    those that it has.
    """

    def __init__(
        self,
        dialect: Dialect = VLLM,
        *,
        prefix: str = "/v1",
        model: str = "tiny-coder",
        api_key: str = "",
        window: int = 2048,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(self._route, tls)
        self.dialect = dialect
        self.prefix = prefix
        self.model = model
        self.api_key = api_key
        self.window = window
        self.faults: deque[Handler] = deque()
        self.generated = 0
        self.busy = 0
        self.released = asyncio.Event()
        self.unsupported: set[str] = set()
        self.completes = True
        self.routes = {"/completions", "/chat/completions"}

    @property
    def endpoint(self) -> str:
        return self.url + self.prefix

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of all requests for answers, oldest first."""
        return [each.json for each in self.requests if each.target.endswith("completions")]

    def saying(
        self,
        choices: list[list[str]],
        finish_reason: str | None,
        usage: dict[str, int] | None = None,
    ) -> Handler:
        """Return a handler that says these pieces of each choice, streamed where asked to stream.

        Without a finish reason, the stream breaks off behind the pieces.
        """

        async def say(exchange: Exchange) -> None:
            chat = exchange.request.target.endswith("/chat/completions")
            if not exchange.request.json.get("stream"):
                await self._whole(exchange, choices, finish_reason, usage, chat=chat)
                return
            await exchange.send(STREAM_HEAD)
            for pieces in zip_longest(*choices):
                for index, piece in enumerate(pieces):
                    if piece is not None:
                        said = {"content": piece} if chat else piece
                        await self._send(exchange, self._chunk(said, chat, index=index))
            if finish_reason is None:
                exchange.close()
                await exchange.hang()
            for index in range(len(choices)):
                await self._send(
                    exchange, self._chunk({} if chat else "", chat, finish_reason, index)
                )
            if usage is not None:
                await self._send(exchange, {"id": "x", "choices": [], "usage": usage})
            await exchange.send(sse(b"[DONE]") + b"0\r\n\r\n")

        return say

    async def settled(self) -> int:
        """Wait until nothing runs; return the tokens generated since the start."""
        await self.until(lambda: not self.busy)
        return self.generated

    async def _route(self, exchange: Exchange) -> None:
        request = exchange.request
        path = request.target.removeprefix(self.prefix)
        if self.api_key and request.headers.get("authorization") != f"Bearer {self.api_key}":
            await self._refuse(exchange, 401, "Unauthorized", "authentication_error")
        elif request.target == "/tokenize" and self.dialect.tokenize:
            await self._tokenize(exchange)
        elif not request.target.startswith(self.prefix):
            await self._no_route(exchange)
        elif path == "/models":
            await self._models(exchange)
        elif path in self.routes:
            if self.faults:
                await self.faults.popleft()(exchange)
            else:
                await self._answer(exchange, chat=path != "/completions")
        else:
            await self._no_route(exchange)

    async def _answer(self, exchange: Exchange, *, chat: bool) -> None:
        body = exchange.request.json
        fault = self._fault(body, chat=chat)
        if fault is not None:
            await self._refuse(exchange, *fault)
            return
        words, finish_reason = words_of(body)
        usage = {"prompt_tokens": prompt_tokens_of(body), "completion_tokens": len(words)}
        if not body.get("stream"):
            await self._whole(exchange, [words], finish_reason, usage, chat=chat)
            return
        self.busy += 1
        try:
            await exchange.send(STREAM_HEAD)
            if HOLD in exchange.request.headers:
                self.changed()
                await self.released.wait()
            for event in self._events(words, finish_reason, body, usage, chat=chat):
                data = event if isinstance(event, bytes) else json.dumps(event).encode()
                await exchange.send(sse(data, self.dialect.space))
            await exchange.send(b"0\r\n\r\n")
        finally:
            self.busy -= 1

    def _events(
        self,
        words: list[str],
        finish_reason: str,
        body: dict[str, Any],
        usage: dict[str, int],
        *,
        chat: bool,
    ) -> Any:
        wants_usage = bool(body.get("stream_options", {}).get("include_usage"))
        beside = self.dialect.usage_beside_finish and not chat
        if chat:
            yield self._chunk({"role": "assistant", "content": self.dialect.role_content}, chat)
        for word in words:
            self.generated += 1
            yield self._chunk({"content": word} if chat else word, chat)
        last = self._chunk({} if chat else "", chat, finish_reason)
        yield last | {"usage": usage} if wants_usage and beside else last
        if wants_usage and not beside:
            yield {"id": "x", "choices": [], "usage": usage}
        yield b"[DONE]"

    def _chunk(
        self, said: Any, chat: bool, finish_reason: str | None = None, index: int = 0
    ) -> dict[str, Any]:
        choice = {"index": index, "finish_reason": finish_reason, "logprobs": None}
        choice |= dict(self.dialect.extra) | {"delta" if chat else "text": said}
        return {"id": "x", "model": self.model, "choices": [choice]}

    async def _send(self, exchange: Exchange, event: dict[str, Any]) -> None:
        await exchange.send(sse(json.dumps(event).encode(), self.dialect.space))

    async def _whole(
        self,
        exchange: Exchange,
        choices: list[list[str]],
        finish_reason: str | None,
        usage: dict[str, int] | None,
        *,
        chat: bool,
    ) -> None:
        name = "message" if chat else "text"
        texts = ("".join(pieces) for pieces in choices)
        said = [
            {
                "index": index,
                name: {"role": "assistant", "content": text} if chat else text,
                "finish_reason": finish_reason,
            }
            for index, text in enumerate(texts)
        ]
        await self.reply(exchange, {"id": "x", "choices": said, "usage": usage})

    def _fault(self, body: dict[str, Any], *, chat: bool) -> tuple[int, str, str] | None:
        for name in sorted(self.unsupported & body.keys()):
            return 400, f"Unrecognized request argument supplied: {name}", "invalid_request_error"
        if not body:
            return 400, "model and messages are required", "BadRequestError"
        if self.dialect.knows_models and body["model"] != self.model:
            return 404, f"The model `{body['model']}` does not exist.", "NotFoundError"
        if not chat and not self.completes:
            return 404, CHAT_MODEL, "invalid_request_error"
        if chat != ("messages" in body):
            return 400, "messages or prompt missing", "BadRequestError"
        if (body.get("max_tokens") or 0) < 0:
            return 400, "max_tokens must be at least 1", "BadRequestError"
        if self.dialect.refuses_overflow and prompt_tokens_of(body) > self.window:
            return (
                400,
                f"This model's maximum context length is {self.window} tokens.",
                "exceed_context_size_error" if self.dialect.error == "llama" else "BadRequestError",
            )
        return None

    async def _models(self, exchange: Exchange) -> None:
        model: dict[str, Any] = {
            "id": self.model,
            "object": "model",
            "owned_by": {"llama": "llamacpp"}.get(self.dialect.name, self.dialect.name),
        }
        outer, dot, inner = self.dialect.window_field.partition(".")
        if outer:
            model[outer] = {inner: self.window} if dot else self.window
        await self.reply(exchange, {"object": "list", "data": [model]})

    async def _tokenize(self, exchange: Exchange) -> None:
        text = exchange.request.json.get(self.dialect.tokenize)
        if text is None:
            await self._refuse(exchange, 422, "missing field `inputs`", "validation")
            return
        tokens = list(range(count_tokens(text)))
        count = {"count": len(tokens)} if self.dialect.tokenize == "prompt" else {}
        await self.reply(exchange, {"tokens": tokens} | count)

    async def _no_route(self, exchange: Exchange) -> None:
        await exchange.answer(404, self.dialect.route_error.encode(), "text/plain")

    async def _refuse(self, exchange: Exchange, status: int, message: str, kind: str) -> None:
        shapes: dict[str, Any] = {
            "openai": {"error": {"message": message, "type": kind, "param": None, "code": status}},
            "llama": {"error": {"code": status, "message": message, "type": kind}},
            "flat": {"object": "error", "message": message, "type": kind, "code": status},
            "text": {"error": message, "error_type": kind},
        }
        await self.reply(exchange, shapes[self.dialect.error], status)

    async def reply(self, exchange: Exchange, body: Any, status: int = 200) -> None:
        await exchange.answer(status, json.dumps(body).encode())


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def sse(data: bytes, space: bytes = b" ") -> bytes:
    """Return an event as one chunk of a chunked body."""
    event = b"data:" + space + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def count_tokens(text: str) -> int:
    for sentinel in FIM_SENTINELS:
        text = text.replace(sentinel, f" {sentinel} ")
    return len(text.split())


def prompt_tokens_of(body: dict[str, Any]) -> int:
    said = body.get("prompt") or " ".join(str(each["content"]) for each in body["messages"])
    return count_tokens(said)


def words_of(body: dict[str, Any]) -> tuple[list[str], str]:
    """Return what is generated and why it ends, as ``stop`` and ``max_tokens`` ask."""
    wanted = body.get("max_tokens") or body.get("max_completion_tokens") or 16
    words: list[str] = []
    for number in range(wanted):
        if any(stop in f" w{number}" for stop in body.get("stop", [])):
            return words, "stop"
        words.append(f" w{number}")
    return words, "length"
