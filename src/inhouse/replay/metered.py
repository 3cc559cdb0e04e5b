"""What a gateway's own metrics say of the completions that it asked upstreams for."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from inhouse.core.deadlines import Deadlines
from inhouse.errors import GatewayError, UpstreamError
from inhouse.transport import Transport

LARGEST = 16 * 1024 * 1024
DEADLINES = Deadlines(connect=5, first_token=10, between_tokens=10, total=30)
LOOKS = 50
"""How often the counters are looked at until every request has ended there."""
BETWEEN_LOOKS = 0.1


class Metered(Struct, frozen=True, kw_only=True):
    """Counters of a gateway, or what was added to them.

    `requests` are completions that ended; `upstream_requests` those for which a deployment was
    asked, once more for each that was given up. The tokens are those of all features; a request
    that was hung up before its first token counts with none, behind it with an estimate.
    """

    requests: int = 0
    upstream_requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def since(self, earlier: Metered) -> Metered:
        """Return what was added."""
        return Metered(
            requests=self.requests - earlier.requests,
            upstream_requests=self.upstream_requests - earlier.upstream_requests,
            prompt_tokens=self.prompt_tokens - earlier.prompt_tokens,
            completion_tokens=self.completion_tokens - earlier.completion_tokens,
        )


class Meter:
    """Reads the metrics at `url`; use it as an async context manager.

    Every method raises `GatewayError`.
    """

    def __init__(self, url: str) -> None:
        """Open nothing yet."""
        self._url = url
        self._transport = Transport()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def read(self) -> Metered:
        """Return the counters as they are now."""
        try:
            response = await self._transport.request("GET", self._url, deadlines=DEADLINES)
            body = await response.read(LARGEST)
        except UpstreamError as error:
            raise GatewayError(f"The metrics at {self._url} cannot be read: {error}") from None
        if response.status != 200:
            raise GatewayError(
                f"The metrics at {self._url} cannot be read: status {response.status}."
            )
        try:
            return metered(body.decode())
        except ValueError:
            raise GatewayError(f"What answers at {self._url} are no metrics.") from None

    async def added(self, earlier: Metered, requests: int) -> Metered:
        """Return what came after `earlier`, as soon as so many requests have ended.

        A request that was hung up ends there a moment later than here.
        """
        added = (await self.read()).since(earlier)
        for _ in range(LOOKS):
            if added.requests >= requests:
                break
            await asyncio.sleep(BETWEEN_LOOKS)
            added = (await self.read()).since(earlier)
        return added


def metered(text: str) -> Metered:
    """Return the counters in Prometheus' text format; raises `ValueError`."""
    ended = asked = again = prompt = completion = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            match sample.name:
                case "inhouse_requests_total" if labels.get("feature") == "completion":
                    ended += sample.value
                    asked += sample.value if labels.get("deployment") else 0
                case "inhouse_fallbacks_total":
                    again += sample.value
                case "inhouse_tokens_total" if labels.get("kind") == "prompt":
                    prompt += sample.value
                case "inhouse_tokens_total":
                    completion += sample.value
                case _:
                    pass
    return Metered(
        requests=int(ended),
        upstream_requests=int(asked + again),
        prompt_tokens=int(prompt),
        completion_tokens=int(completion),
    )
