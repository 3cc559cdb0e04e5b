"""Ask our gateway as GitLab does, and read its refusals as GitLab does."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inhouse import config
from inhouse.client import no_gateway
from inhouse.core.deadlines import Deadlines
from inhouse.errors import UpstreamError
from inhouse.transport import Transport, header_block, proxy_for, split

LARGEST = 1024 * 1024
PATIENCE = Deadlines(connect=5, first_token=60, between_tokens=60, total=60)
"""As long as GitLab waits at most."""


class _Refusal(Struct, frozen=True):
    sentence: str
    code: str = ""


class _Plain(Struct, frozen=True):
    """``error`` or ``detail`` is the sentence."""

    error: str = ""
    detail: str = ""

    @property
    def refusal(self) -> _Refusal:
        return _Refusal(self.error or self.detail)


class _Detail(Struct, frozen=True):
    msg: str
    type: str = ""


class _Listed(Struct, frozen=True):
    """GitLab shows the first of several."""

    detail: Annotated[list[_Detail], Meta(min_length=1)]

    @property
    def refusal(self) -> _Refusal:
        return _Refusal(self.detail[0].msg, self.detail[0].type)


class _Error(Struct, frozen=True):
    message: str


class _Own(Struct, frozen=True):
    """The form of our own API."""

    error: _Error

    @property
    def refusal(self) -> _Refusal:
        return _Refusal(self.error.message)


class _Reasons(Struct, frozen=True):
    """Why we are not ready."""

    reasons: dict[str, str]

    @property
    def refusal(self) -> _Refusal:
        return _Refusal("; ".join(f"{name}: {why}" for name, why in self.reasons.items()))


class Answer(Struct, frozen=True):
    """An answer, read to its end; `seconds` is how long that took."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Return the body, None where it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    @property
    def unserved(self) -> bool:
        """Whether it is refused because no route serves the feature."""
        return self._refusal.code == "model_not_found" or self._refusal.sentence.startswith("404:")

    @property
    def said(self) -> str:
        """The sentence by which it refuses, as GitLab finds it, with the status."""
        return f"status {self.status}: {self._refusal.sentence or 'no reason is given'}"

    @property
    def _refusal(self) -> _Refusal:
        for shape in (_Listed, _Reasons, _Own, _Plain):
            try:
                return msgspec.json.decode(self.body, type=shape).refusal
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return _Refusal("")


class Asking:
    """Asks one gateway; belongs to one event loop."""

    def __init__(self, client: config.Client) -> None:
        """Open nothing yet; raises ValueError where URL or proxy cannot be used."""
        self._url = client.url
        self._key = client.api_key
        scheme, host, port, _ = split(client.url)
        self._proxy = proxy_for(scheme, host, port, client.proxies)
        self._transport = Transport(authorities=client.authorities)

    async def ask(
        self, method: str, path: str, content: object = None, *, key: bool = True
    ) -> Answer:
        """Send a request, with our API key unless said; raises `GatewayError`."""
        headers = {"content-type": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {self._key.reveal()}"
        body = b"" if content is None else msgspec.json.encode(content)
        began = time.monotonic()
        try:
            response = await self._transport.request(
                method,
                self._url + path,
                header_block(headers),
                body,
                proxy=self._proxy,
                deadlines=PATIENCE,
            )
            return Answer(response.status, await response.read(LARGEST), time.monotonic() - began)
        except UpstreamError as error:
            raise no_gateway(self._url, error) from None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()
