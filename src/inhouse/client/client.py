"""Ask a running gateway over HTTP, in the dialects that it speaks to editors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from inhouse import __version__
from inhouse.client.failures import no_gateway, no_key, refused, unintelligible
from inhouse.core.deadlines import Deadlines
from inhouse.core.delta import Answer, Delta
from inhouse.core.requests import ChatRequest, CompletionRequest, GenerationRequest, Params
from inhouse.core.secret import Secret
from inhouse.errors import GatewayError, UpstreamError
from inhouse.transport import Proxy, Response, Transport, header_block, proxy_for, split
from inhouse.wire.gitlab import outbound as gitlab
from inhouse.wire.openai.listing import models
from inhouse.wire.openai.outbound import Reading, ReportedError, chat_body, completion_body
from inhouse.wire.sse import Decoder, EventTooLargeError
from inhouse.wire.tabby import outbound as tabby

LARGEST_ANSWER = 16 * 1024 * 1024
DEADLINES = Deadlines(connect=5, first_token=600, between_tokens=600, total=3600)
"""The gateway has its own, shorter ones, and says which one has run out."""


class Client:
    """Asks the gateway at one URL with one key; use it as an async context manager.

    Every method raises `GatewayError`. Leaving a stream early hangs up, and the gateway aborts its
    upstream.
    """

    def __init__(
        self,
        url: str,
        key: Secret,
        proxies: Mapping[str, str] | None = None,
        deadlines: Deadlines = DEADLINES,
        authorities: Sequence[str] = (),
    ) -> None:
        """Open nothing yet; `proxies` are the environment's proxy variables in lower case.

        `authorities` are paths of certificates that are trusted beside the system's.
        """
        self._url = url.rstrip("/").removesuffix("/v1")
        self._key = key
        self._deadlines = deadlines
        self._proxy = _proxy(self._url, proxies or {})
        self._transport = Transport(authorities=authorities)
        headers = {"content-type": "application/json", "user-agent": f"inhouse/{__version__}"}
        if key:
            headers["authorization"] = f"Bearer {key.reveal()}"
        try:
            self._headers = header_block(headers)
            self._fresh = header_block({**headers, "cache-control": "no-cache"})
        except (ValueError, UnicodeEncodeError):
            raise GatewayError("The API key has a character that HTTP forbids.") from None

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Abort what runs and close every connection."""
        await self._transport.aclose()

    async def version(self) -> str:
        """Return the version of the gateway; needs no key."""
        response = await self._ask("GET", "/health")
        body = await response.read(LARGEST_ANSWER)
        try:
            return msgspec.json.decode(body, type=_Health).version
        except msgspec.DecodeError:
            raise unintelligible(self._url) from None

    async def models(self) -> list[str]:
        """Return the names that the key may ask for: features, and deployments."""
        response = await self._ask("GET", "/v1/models")
        body = await response.read(LARGEST_ANSWER)
        try:
            return [model.name for model in models(body)]
        except msgspec.DecodeError:
            raise unintelligible(self._url) from None

    def complete(
        self, request: CompletionRequest, model: str = "completion"
    ) -> AsyncGenerator[Delta]:
        """Fill in at a cursor, and yield the suggestion as it comes."""
        extra = _said(suffix=request.suffix, path=request.path, language=request.language)
        params = _with(request.params, extra)
        body = completion_body(model, request.prefix, params)
        return self._stream("/v1/completions", body, fresh=request.fresh)

    async def complete_for_gitlab(self, request: CompletionRequest) -> Answer:
        """Fill in at a cursor as GitLab asks for it: the whole suggestion, or no choice."""
        return await self._whole(
            "/v2/code/completions", gitlab.completion_body(request), gitlab.completion
        )

    async def complete_for_tabby(self, request: CompletionRequest) -> Answer:
        """Fill in at a cursor as Tabby's clients ask for it: the whole suggestion, no tokens."""
        return await self._whole(
            "/v1/completions", tabby.completion_body(request), tabby.completion
        )

    async def _whole(self, path: str, body: bytes, read: Callable[[bytes], Answer]) -> Answer:
        if not self._key:
            raise no_key()
        response = await self._ask("POST", path, body)
        try:
            return read(await response.read(LARGEST_ANSWER))
        except UpstreamError as error:
            raise GatewayError(f"The gateway's answer broke off: {error}") from None
        except msgspec.DecodeError:
            raise unintelligible(self._url) from None
        finally:
            response.abort()

    def generate(
        self, request: GenerationRequest, model: str = "generation"
    ) -> AsyncGenerator[Delta]:
        """Write code from an instruction, and yield it as it comes."""
        extra = _said(
            instruction=request.instruction,
            suffix=request.suffix,
            path=request.path,
            language=request.language,
        )
        params = _with(request.params, extra)
        return self._stream("/v1/completions", completion_body(model, request.prefix, params))

    def chat(self, request: ChatRequest, model: str = "chat") -> AsyncGenerator[Delta]:
        """Continue a conversation, and yield the answer as it comes."""
        return self._stream(
            "/v1/chat/completions", chat_body(model, request.messages, request.params)
        )

    async def _stream(
        self, path: str, body: bytes, *, fresh: bool = False
    ) -> AsyncGenerator[Delta]:
        if not self._key:
            raise no_key()
        response = await self._ask("POST", path, body, fresh=fresh)
        decoder, reading = Decoder(), Reading()
        try:
            async for chunk in response.chunks():
                for event in decoder.feed(chunk):
                    for delta in reading.event(event):
                        yield delta
        except ReportedError as error:
            raise refused(self._url, response.status, error.body) from None
        except UpstreamError as error:
            raise GatewayError(f"The gateway's answer broke off: {error}") from None
        except (msgspec.DecodeError, EventTooLargeError):
            raise unintelligible(self._url) from None
        finally:
            response.abort()
        if not reading.done:
            raise GatewayError("The gateway closed the stream before its answer was complete.")
        usage = reading.finish()
        if usage is not None:
            yield usage

    async def _ask(
        self, method: str, path: str, body: bytes = b"", *, fresh: bool = False
    ) -> Response:
        """Send a request and return a 200."""
        try:
            response = await self._transport.request(
                method,
                self._url + path,
                self._fresh if fresh else self._headers,
                body,
                proxy=self._proxy,
                deadlines=self._deadlines,
            )
            if response.status != 200:
                said = await response.read(LARGEST_ANSWER)
                raise refused(self._url, response.status, said)
        except UpstreamError as error:
            raise no_gateway(self._url, error) from None
        return response


class _Health(Struct):
    version: str


def _said(**fields: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _with(params: Params, extra: dict[str, Any]) -> Params:
    return msgspec.structs.replace(params, extra={**params.extra, **extra})


def _proxy(url: str, proxies: Mapping[str, str]) -> Proxy | None:
    try:
        scheme, host, port, _ = split(url)
        return proxy_for(scheme, host, port, proxies)
    except ValueError as error:
        raise GatewayError(f"The gateway's URL cannot be used: {error}. Set INHOUSE_URL.") from None
