"""A fake resource of Azure OpenAI, with both generations of routes and Azure's own ways.

A stream begins with a chunk without choices, comes in bursts, and may be annotated behind its end.
Words and shapes of refusals are those that people report of the service.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.entra import FakeEntra
from tests.fakes.http import Exchange, Handler, Server
from tests.fakes.openai import HOLD, STREAM_HEAD, prompt_tokens_of, sse, words_of

VERSIONS = frozenset({"2024-06-01", "2024-10-21", "2025-01-01-preview"})
LISTS_DEPLOYMENTS = "2023-03-15-preview"
FORBIDDEN = "how to build a bomb"
UNSAFE = "please swear"
BURST = 5  # the default filter looks at several tokens before it lets them go
TAKES = frozenset(
    {  # of which only the contract of providers says ignore_eos
        "frequency_penalty", "ignore_eos", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "messages", "model", "n", "parallel_tool_calls", "presence_penalty", "prompt",
        "response_format", "seed", "stop", "stream", "stream_options", "temperature",
        "tool_choice", "tools", "top_logprobs", "top_p", "user",
    }
)  # fmt: skip


class Model(NamedTuple):
    """What stands behind a deployment: `refuses` are fields that it does not take."""

    name: str = "gpt-4o"
    chats: bool = True
    completes: bool = False
    refuses: frozenset[str] = frozenset()


CODER = Model("gpt-35-turbo", completes=True)
REASONER = Model(
    "o4-mini",
    refuses=frozenset(
        {"temperature", "top_p", "stop", "max_tokens", "presence_penalty", "logprobs"}
    ),
)


class FakeAzure(Server):
    """Serves `deployments`, to whoever shows `api_key` or a token that `entra` finds good.

    `generations` are those of its routes: "classic" and "v1". `asynchronous` lets go each token at
    once and annotates it later. The next requests for answers go to `faults` while there are any.
    """

    def __init__(
        self,
        deployments: dict[str, Model] | None = None,
        *,
        api_key: str = "",
        entra: FakeEntra | None = None,
        generations: tuple[str, ...] = ("classic", "v1"),
        prefix: str = "/openai",
        asynchronous: bool = False,
    ) -> None:
        super().__init__(self._route)
        self.deployments = deployments or {"tiny-coder": CODER}
        self.api_key = api_key
        self.entra = entra
        self.generations = generations
        self.prefix = prefix
        self.asynchronous = asynchronous
        self.lists_deployments = True
        self.lists_models = True
        self.window = 2048
        self.faults: deque[Handler] = deque()
        self.generated = 0
        self.busy = 0
        self.released = asyncio.Event()

    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of all requests for answers, oldest first."""
        paths = (urlsplit(each.target).path for each in self.requests)
        both = zip(paths, self.requests, strict=True)
        return [each.json for path, each in both if path.endswith("completions")]

    async def settled(self) -> int:
        """Wait until nothing runs; return the tokens generated since the start."""
        await self.until(lambda: not self.busy)
        return self.generated

    async def _route(self, exchange: Exchange) -> None:
        url = urlsplit(exchange.request.target)
        version = parse_qs(url.query).get("api-version", [""])[0]
        if not url.path.startswith(self.prefix + "/"):
            await _no_route(exchange)
            return
        steps = [unquote(step) for step in url.path.removeprefix(self.prefix).split("/")[1:]]
        if (fault := self._unauthorized(exchange, v1=steps[0] == "v1")) is not None:
            await _refuse(exchange, *fault)
            return
        match steps:
            case ["deployments"] if version == LISTS_DEPLOYMENTS and self.lists_deployments:
                await self._list(exchange, {n: m.name for n, m in self.deployments.items()})
            case ["v1", *rest] if "v1" in self.generations and version in {"", "preview"}:
                await self._asked(exchange, rest, None)
            case [*rest] if "classic" not in self.generations or steps[0] == "v1":
                await _no_route(exchange)
            case _ if not version:
                said = "The api-version query parameter (?api-version=) is required."
                await _refuse(exchange, 404, "MissingApiVersionParameter", said)
            case _ if version not in VERSIONS:
                await _no_route(exchange)
            case ["deployments", deployment, *rest]:
                await self._asked(exchange, rest, deployment)
            case rest:
                await self._asked(exchange, rest, None)

    async def _asked(self, exchange: Exchange, rest: list[str], deployment: str | None) -> None:
        match rest:
            case ["models"] if deployment is None and self.lists_models:
                # What Azure could deploy, not what is deployed.
                await self._list(exchange, {"gpt-4o": "", "o4-mini": "", "text-ada": ""})
            case ["chat", "completions"] | ["completions"] | ["embeddings"]:
                if self.faults:
                    await self.faults.popleft()(exchange)
                    return
                body = exchange.request.json
                name = body.get("model", "") if deployment is None else deployment
                await self._answer(exchange, name, body, chat=rest[0] == "chat")
            case _:
                await _no_route(exchange)

    def _unauthorized(self, exchange: Exchange, *, v1: bool) -> tuple[int, str, str] | None:
        headers = exchange.request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if token:
            if v1 and self.api_key and token == self.api_key:
                return None
            if self.entra is not None and scheme == "Bearer" and token in self.entra.good:
                return None
            return 401, "Unauthorized", "The access token is missing, invalid, or expired."
        if self.api_key and headers.get("api-key") == self.api_key:
            return None
        said = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to"
            " provide a valid key for an active subscription."
        )
        return 401, "401", said

    async def _answer(
        self, exchange: Exchange, deployment: str, body: dict[str, Any], *, chat: bool
    ) -> None:
        if (refusal := self._refusal(deployment, body, chat=chat)) is not None:
            await exchange.answer(refusal[0], json.dumps({"error": refusal[1]}).encode())
            return
        words, finish_reason = words_of(body)
        if UNSAFE in exchange.request.body.decode():
            words, finish_reason = words[:2], "content_filter"
        if "max_completion_tokens" in body and "max_tokens" in body:
            await _refuse(exchange, 400, "invalid", "Setting both is not supported.")
            return
        usage = {"prompt_tokens": prompt_tokens_of(body), "completion_tokens": len(words)}
        usage["total_tokens"] = sum(usage.values())
        if not body.get("stream"):
            await self._whole(exchange, "".join(words), finish_reason, usage, chat=chat)
            return
        self.busy += 1
        try:
            await exchange.send(STREAM_HEAD)
            if HOLD in exchange.request.headers:
                self.changed()
                await self.released.wait()
            await self._flow(exchange, words, finish_reason, body, usage, chat=chat)
        finally:
            self.busy -= 1

    async def _flow(
        self,
        exchange: Exchange,
        words: list[str],
        finish_reason: str,
        body: dict[str, Any],
        usage: dict[str, int],
        *,
        chat: bool,
    ) -> None:
        wants_usage = bool(body.get("stream_options", {}).get("include_usage"))
        events = self._events(words, finish_reason, usage if wants_usage else None, chat=chat)
        size = 1 if self.asynchronous else BURST
        burst: list[bytes] = []
        for event in events:
            burst.append(sse(event if isinstance(event, bytes) else json.dumps(event).encode()))
            if len(burst) >= size:
                await exchange.send(b"".join(burst))
                burst = []
        await exchange.send(b"".join([*burst, b"0\r\n\r\n"]))

    def _events(
        self, words: list[str], finish_reason: str, usage: dict[str, int] | None, *, chat: bool
    ) -> Iterator[dict[str, Any] | bytes]:
        safe = {"hate": {"filtered": False, "severity": "safe"}}
        yield {
            "id": "",
            "object": "",
            "created": 0,
            "model": "",
            "choices": [],
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": safe}],
        }
        if chat:
            yield _chunk({"delta": {"role": "assistant", "content": "", "refusal": None}})
        for word in words:
            self.generated += 1
            said: dict[str, Any] = {"delta": {"content": word}} if chat else {"text": word}
            yield _chunk(said | ({} if self.asynchronous else {"content_filter_results": safe}))
        end: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
        yield _chunk(end | {"finish_reason": finish_reason, "content_filter_results": {}})
        if self.asynchronous:
            offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 198}
            yield _chunk({"content_filter_results": safe, "content_filter_offsets": offsets})
        if usage is not None:
            yield {"id": "chatcmpl-1", "object": "", "created": 1, "model": "gpt-4o"} | {
                "choices": [],
                "usage": usage,
            }
        yield b"[DONE]"

    async def _whole(
        self,
        exchange: Exchange,
        text: str,
        finish_reason: str,
        usage: dict[str, int],
        *,
        chat: bool,
    ) -> None:
        message = {"role": "assistant", "content": text}
        said: dict[str, Any] = {"message": message} if chat else {"text": text}
        choice = {"index": 0, "finish_reason": finish_reason} | said
        top = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o"}
        body: dict[str, Any] = top | {
            "choices": [choice],
            "usage": usage,
            "prompt_filter_results": [],
        }
        await exchange.answer(200, json.dumps(body).encode())

    def _refusal(
        self, deployment: str, body: dict[str, Any], *, chat: bool
    ) -> tuple[int, dict[str, Any]] | None:
        model = self.deployments.get(deployment)
        if model is None:
            said = (
                "The API deployment for this resource does not exist. If you created the deployment"
                " within the last 5 minutes, please wait a moment and try again."
            )
            return 404, {"code": "DeploymentNotFound", "message": said}
        if not (model.chats if chat else model.completes):
            operation = "chatCompletion" if chat else "completion"
            said = (
                f"The {operation} operation does not work with the specified model, {model.name}."
                " Please choose different model and try again."
            )
            return 400, {"code": "OperationNotSupported", "message": said}
        for name, value in body.items():
            if name not in TAKES:
                said = f"Unrecognized request argument supplied: {name}"
                return 400, _invalid(said, None, None)
            if name in model.refuses:
                return 400, _refused(name, value)
        if FORBIDDEN in json.dumps(body):
            return 400, _filtered()
        if prompt_tokens_of(body) > self.window:
            said = f"This model's maximum context length is {self.window} tokens."
            return 400, _invalid(said, "messages", "context_length_exceeded")
        return None

    async def _list(self, exchange: Exchange, found: dict[str, str]) -> None:
        data = [{"id": name, "model": model, "object": "x"} for name, model in found.items()]
        await exchange.answer(200, json.dumps({"data": data, "object": "list"}).encode())


async def throttled(exchange: Exchange) -> None:
    """Say that too much is asked, as Azure does, with two ways to say how long."""
    said = "Requests have exceeded the token rate limit. Please retry after 2 seconds."
    body = json.dumps({"error": {"code": "429", "message": said}}).encode()
    patience = "retry-after: 2\r\nretry-after-ms: 1750\r\nx-ratelimit-remaining-tokens: 0\r\n"
    head = f"HTTP/1.1 429 X\r\ncontent-type: application/json\r\n{patience}"
    await exchange.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)


def _chunk(said: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": None, "logprobs": None} | said
    top = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    return top | {"choices": [choice], "system_fingerprint": "fp_1"}


def _refused(name: str, value: Any) -> dict[str, Any]:
    if name in {"temperature", "top_p"}:
        said = (
            f"Unsupported value: '{name}' does not support {value} with this model. Only the"
            " default (1) value is supported."
        )
        return _invalid(said, name, "unsupported_value")
    said = f"Unsupported parameter: '{name}' is not supported with this model."
    if name == "max_tokens":
        said += " Use 'max_completion_tokens' instead."
    return _invalid(said, name, "unsupported_parameter")


def _invalid(said: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"message": said, "type": "invalid_request_error", "param": param, "code": code}


def _filtered() -> dict[str, Any]:
    results = {
        "hate": {"filtered": False, "severity": "safe"},
        "violence": {"filtered": True, "severity": "high"},
        "jailbreak": {"filtered": False, "detected": False},
    }
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": results}
    said = "The response was filtered due to the prompt triggering the content management policy."
    return _invalid(said, "prompt", "content_filter") | {"status": 400, "innererror": inner}


async def _no_route(exchange: Exchange) -> None:
    await _refuse(exchange, 404, "404", "Resource not found")


async def _refuse(exchange: Exchange, status: int, code: str, said: str) -> None:
    body = {"error": {"code": code, "message": said}}
    await exchange.answer(status, json.dumps(body).encode())
