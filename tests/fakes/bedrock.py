"""A fake Bedrock runtime, which takes requests only as AWS signs them.

It "generates" the words ``w0 w1 w2 …`` and counts every blank-separated word as a token. boto3
talks to it in tests/providers/test_bedrock_fake.py, so that it cannot drift from the service model.
"""

import asyncio
import base64
import binascii
import json
import re
import ssl
import struct
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from urllib.parse import quote, unquote

from tests.fakes.aws import ACCOUNT, KEY_ID, SECRET, Known, RefusedError, refuse, verified
from tests.fakes.http import Exchange, Handler, Request, Server

HOLD = "x-fake-hold"
REGION = "eu-central-1"
MISTRAL = "mistral.mistral-7b-instruct-v0:2"
LLAMA = "meta.llama3-70b-instruct-v1:0"
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
SONNET = "anthropic.claude-sonnet-4-20250514-v1:0"
PROFILE = f"eu.{SONNET}"
PROFILE_ARN = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{PROFILE}"
IMPORTED_ARN = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:imported-model/abcdef123456"
WINDOW = 2048
FRAME_TOKENS = 7
_TARGET = re.compile(r"/model/([^/]+)/([a-z-]+)\Z")


class FakeBedrock(Server):
    """Serves the models above in `REGION`, for whoever has one of `known` keys or `bearer`.

    The next requests for answers go to `faults` while there are any, those for counts to
    `faults_of_counting`. `generated` counts tokens sent
    in streams. A stream that is asked for with the header `HOLD` waits for `released` before its
    first token. `unsupported` are phrases of what the models do not take: ``streaming``, ``tool use
    in streaming mode``, ``system``, or a field's name.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._route, tls)
        self.known = {KEY_ID: Known(SECRET)}
        self.bearer = ""
        self.faults: deque[Handler] = deque()
        self.faults_of_counting: deque[Handler] = deque()
        self.unsupported: set[str] = set()
        self.denied = ""
        self.tool: tuple[str, list[str]] | None = None
        self.reasoning = ""
        self.cached_tokens = 0
        self.stop_reason = ""
        self.takes_prompts = True
        self.generated = 0
        self.busy = 0
        self.released = asyncio.Event()

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """Return the bodies of all requests for an operation, oldest first."""
        return [each.json for each in self.requests if each.target.endswith(f"/{operation}")]

    async def settled(self) -> int:
        """Wait until nothing runs; return the tokens generated since the start."""
        await self.until(lambda: not self.busy)
        return self.generated

    async def _route(self, exchange: Exchange) -> None:
        try:
            await self._answer(exchange)
        except RefusedError as error:
            await refuse(exchange, error)

    async def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        self._authorize(request)
        found = _TARGET.match(request.target)
        if request.method != "POST" or found is None:
            raise RefusedError(404, "UnknownOperationException", "")
        # A name of several segments would have matched nothing: it must come percent-encoded.
        model, operation = unquote(found[1]), found[2]
        if operation == "count-tokens":
            count = self.faults_of_counting.popleft() if self.faults_of_counting else self._count
            await count(exchange)
            return
        if self.faults:
            await self.faults.popleft()(exchange)
            return
        self._check_model(model, operation)
        serve = {
            "converse": self._converse,
            "converse-stream": self._converse_stream,
            "invoke": self._invoke,
            "invoke-with-response-stream": self._invoke_stream,
        }.get(operation)
        if serve is None:
            raise RefusedError(404, "UnknownOperationException", "")
        await serve(exchange, model)

    def _authorize(self, request: Request) -> None:
        shown = request.headers.get("authorization", "")
        if shown.startswith("Bearer "):
            if not self.url.startswith("https") or shown != f"Bearer {self.bearer}":
                raise RefusedError(
                    403,
                    "AccessDeniedException",
                    "Authentication failed: Please make sure your API Key is valid.",
                    "Message",
                )
            return
        region = verified(request, "bedrock", self.known, self.url.partition(":")[0])
        if region != REGION:
            raise RefusedError(
                403,
                "InvalidSignatureException",
                f"Credential should be scoped to a valid region, not '{region}'. ",
            )

    def _check_model(self, model: str, operation: str) -> None:
        if model == SONNET:
            raise RefusedError(
                400,
                "ValidationException",
                f"Invocation of model ID {model} with on-demand throughput isn\u2019t supported."
                " Retry your request with the ID or ARN of an inference profile that contains this"
                " model.",
            )
        if model.startswith("arn:") and ACCOUNT not in model:
            raise RefusedError(
                403,
                "AccessDeniedException",
                f"User: arn:aws:iam::{ACCOUNT}:user/gateway is not authorized to perform:"
                f" bedrock:InvokeModelWithResponseStream on resource: {model} because no"
                " resource-based policy allows the action",
            )
        if model not in {MISTRAL, LLAMA, CLAUDE, PROFILE, PROFILE_ARN, IMPORTED_ARN}:
            raise RefusedError(
                400, "ValidationException", "The provided model identifier is invalid."
            )
        if self.denied:
            raise RefusedError(403, "AccessDeniedException", self.denied)
        if operation.endswith("stream") and "streaming" in self.unsupported:
            raise RefusedError(
                400, "ValidationException", "The model is unsupported for streaming."
            )

    # Converse.

    async def _converse(self, exchange: Exchange, model: str) -> None:
        del model
        body = exchange.request.json
        self._check_converse(body, streamed=False)
        words, stop_reason = self._words(body)
        content: list[dict[str, Any]] = []
        if self.reasoning:
            said = {"text": self.reasoning, "signature": "x"}
            content.append({"reasoningContent": {"reasoningText": said}})
        content.append({"text": "".join(words)})
        if self.tool is not None:
            name, fragments = self.tool
            arguments = json.loads("".join(fragments))
            use = {"toolUseId": "tooluse_1", "name": name, "input": arguments}
            content.append({"toolUse": use})
        answer = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": stop_reason,
            **self._metadata(body, words),
        }
        await exchange.answer(200, json.dumps(answer).encode())

    async def _converse_stream(self, exchange: Exchange, model: str) -> None:
        del model
        body = exchange.request.json
        self._check_converse(body, streamed=True)
        words, stop_reason = self._words(body)
        events = self._events(body, words, stop_reason)
        await self._stream(exchange, events)

    def _events(
        self, body: dict[str, Any], words: list[str], stop_reason: str
    ) -> Iterable[tuple[str, dict[str, Any]]]:
        yield "messageStart", {"role": "assistant"}
        at = 0
        if self.reasoning:
            delta = {"reasoningContent": {"text": self.reasoning}}
            yield "contentBlockDelta", {"contentBlockIndex": at, "delta": delta}
            signed = {"reasoningContent": {"signature": "x"}}
            yield "contentBlockDelta", {"contentBlockIndex": at, "delta": signed}
            yield "contentBlockStop", {"contentBlockIndex": at}
            at += 1
        for word in words:
            self.generated += 1
            yield "contentBlockDelta", {"contentBlockIndex": at, "delta": {"text": word}}
        yield "contentBlockStop", {"contentBlockIndex": at}
        if self.tool is not None:
            name, fragments = self.tool
            at += 1
            start = {"toolUse": {"toolUseId": "tooluse_1", "name": name}}
            yield "contentBlockStart", {"contentBlockIndex": at, "start": start}
            for each in fragments:
                delta = {"toolUse": {"input": each}}
                yield "contentBlockDelta", {"contentBlockIndex": at, "delta": delta}
            yield "contentBlockStop", {"contentBlockIndex": at}
        yield "messageStop", {"stopReason": stop_reason}
        yield "metadata", self._metadata(body, words)

    def _check_converse(self, body: dict[str, Any], *, streamed: bool) -> None:
        turns: list[Any] = body.get("messages") or []
        roles: list[str] = [turn["role"] for turn in turns]
        if not roles or roles[0] != "user":
            raise _invalid("A conversation must start with a user message. Try again.")
        if any(one == other for one, other in pairwise(roles)):
            raise _invalid("A conversation must alternate between user and assistant roles.")
        for turn in turns:
            if not turn["content"] or any(
                not block.get("text", "x").strip() for block in turn["content"]
            ):
                raise _invalid("The text field in the ContentBlock object is blank.")
        if "system" in body and "system" in self.unsupported:
            raise _invalid("This model doesn't support system prompts. Try again without one.")
        tools = body.get("toolConfig")
        used = any("toolUse" in block for turn in turns for block in turn["content"])
        if used and not tools:
            raise _invalid("The toolConfig field must be defined when using toolUse blocks.")
        if tools and streamed and "tool use in streaming mode" in self.unsupported:
            raise _invalid("This model doesn't support tool use in streaming mode.")
        for name in sorted(self.unsupported & body.get("inferenceConfig", {}).keys()):
            raise _invalid(
                f"This model doesn't support the {name} field. Remove {name} and try again."
            )
        if _converse_tokens(body) > WINDOW:
            raise _invalid("Input is too long for requested model.")

    def _words(self, body: dict[str, Any]) -> tuple[list[str], str]:
        config = body.get("inferenceConfig", {})
        wanted, stops = config.get("maxTokens") or 16, config.get("stopSequences", [])
        words, stopped = generate(wanted, stops)
        reason = "stop_sequence" if stopped else "max_tokens"
        if self.tool is not None:
            reason = "tool_use"
        return words, self.stop_reason or reason

    def _metadata(self, body: dict[str, Any], words: list[str]) -> dict[str, Any]:
        counted = _converse_tokens(body)
        usage = {"inputTokens": counted - self.cached_tokens, "outputTokens": len(words)}
        usage["totalTokens"] = counted + len(words)
        if self.cached_tokens:
            usage |= {"cacheReadInputTokens": self.cached_tokens, "cacheWriteInputTokens": 0}
        return {"usage": usage, "metrics": {"latencyMs": 1}}

    # InvokeModel.

    async def _invoke(self, exchange: Exchange, model: str) -> None:
        body = exchange.request.json
        chunks = list(self._chunks(model, body))
        text = "".join(_text_of(chunk) for chunk in chunks)
        last = {name: value for name, value in chunks[-1].items() if not name.startswith("amazon")}
        await exchange.answer(200, json.dumps(_with_text(last, text)).encode())

    async def _invoke_stream(self, exchange: Exchange, model: str) -> None:
        body = exchange.request.json
        if not self.takes_prompts:
            raise _invalid(
                "Malformed input request: #: extraneous key [prompt] is not permitted, please"
                " reformat your input and try again."
            )
        if count_tokens(body["prompt"]) > WINDOW:
            raise _invalid("Input is too long for requested model.")
        chunks = self._chunks(model, body)
        events = (
            ("chunk", {"bytes": base64.b64encode(json.dumps(chunk).encode()).decode()})
            for chunk in chunks
        )
        await self._stream(exchange, events)

    def _chunks(self, model: str, body: dict[str, Any]) -> Iterable[dict[str, Any]]:
        prompt_tokens = count_tokens(body["prompt"])
        limit = body.get("max_gen_len" if model == LLAMA else "max_tokens") or 16
        words, stopped = generate(limit, body.get("stop", []))
        for word in words:
            self.generated += 1
            yield _shaped(model, word, None)
        metrics = {"inputTokenCount": prompt_tokens, "outputTokenCount": len(words)}
        metrics |= {"invocationLatency": 1, "firstByteLatency": 1}
        last = _shaped(model, "", "stop" if stopped else "length")
        yield last | {"amazon-bedrock-invocationMetrics": metrics}

    # What both share.

    async def _stream(
        self, exchange: Exchange, events: Iterable[tuple[str, dict[str, Any]]]
    ) -> None:
        self.busy += 1
        try:
            await exchange.send(STREAM_HEAD)
            if HOLD in exchange.request.headers:
                self.changed()
                await self.released.wait()
            for kind, payload in events:
                await exchange.send(chunk(event(kind, payload | {"p": "abcdefghij"})))
            await exchange.send(b"0\r\n\r\n")
        finally:
            self.busy -= 1

    async def _count(self, exchange: Exchange) -> None:
        if f"/model/{quote(CLAUDE, safe='')}/" not in exchange.request.target:
            raise _invalid("The provided model doesn't support counting tokens.")
        counted = _converse_tokens(exchange.request.json["input"]["converse"])
        await exchange.answer(200, json.dumps({"inputTokens": counted}).encode())


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Return a frame of AWS's event stream, with string headers only."""
    block = b"".join(
        struct.pack("!B", len(name))
        + name.encode()
        + struct.pack("!BH", 7, len(value.encode()))
        + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    checked = prelude + struct.pack("!I", binascii.crc32(prelude)) + block + payload
    return checked + struct.pack("!I", binascii.crc32(checked))


def event(kind: str, payload: dict[str, Any]) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(payload).encode())


def exception(kind: str, message: str) -> bytes:
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, json.dumps({"message": message}).encode())


def chunk(data: bytes) -> bytes:
    """Return bytes as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def streams(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> Handler:
    """Answer with these pieces of a stream, each sent by itself."""

    async def handler(exchange: Exchange) -> None:
        await exchange.send(STREAM_HEAD, *(chunk(piece) for piece in pieces), end)
        if not end:
            exchange.close()

    return handler


def refuses(
    status: int, kind: str, said: str, message_name: str = "message", headers: str = ""
) -> Handler:
    """Answer with an error."""

    async def handler(exchange: Exchange) -> None:
        await refuse(exchange, RefusedError(status, kind, said, message_name), headers)

    return handler


def generate(wanted: int, stops: list[str]) -> tuple[list[str], bool]:
    """Return words, and whether a stop sequence ended them."""
    words: list[str] = []
    for number in range(wanted):
        if any(stop in f" w{number}" for stop in stops):
            return words, True
        words.append(f" w{number}")
    return words, False


def count_tokens(text: str) -> int:
    return len(text.split())


def _converse_tokens(body: dict[str, Any]) -> int:
    said = [block.get("text", "") for turn in body["messages"] for block in turn["content"]]
    said += [block.get("text", "") for block in body.get("system", [])]
    return count_tokens(" ".join(said)) + FRAME_TOKENS


def _shaped(model: str, text: str, reason: str | None) -> dict[str, Any]:
    if model == LLAMA:
        return {"generation": text, "stop_reason": reason, "generation_token_count": 1}
    if model == IMPORTED_ARN:
        return {"choices": [{"index": 0, "text": text, "finish_reason": reason}]}
    return {"outputs": [{"text": text, "stop_reason": reason}]}


def _text_of(chunk: dict[str, Any]) -> str:
    listed = chunk.get("outputs") or chunk.get("choices")
    return listed[0]["text"] if listed else chunk["generation"]


def _with_text(chunk: dict[str, Any], text: str) -> dict[str, Any]:
    if "generation" in chunk:
        return chunk | {"generation": text}
    name = "outputs" if "outputs" in chunk else "choices"
    return {name: [chunk[name][0] | {"text": text}]}


def _invalid(said: str) -> RefusedError:
    return RefusedError(400, "ValidationException", said)
