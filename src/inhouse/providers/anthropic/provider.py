"""The provider of the entry point ``anthropic``.

Answers are always asked for as streams: a hang-up then stops every server that speaks the dialect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Deltas, Served
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.prompt import Messages, Prompt, text_of
from inhouse.core.requests import Params
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.answering import Answer, answered
from inhouse.providers.anthropic.failures import DIALECT, refused, unsayable
from inhouse.providers.anthropic.learning import learned, told, within
from inhouse.providers.anthropic.upstream import Upstream
from inhouse.providers.broken import garbled, messages_only
from inhouse.providers.connecting import LARGEST_ANSWER, LARGEST_REFUSAL, blaming
from inhouse.providers.endings import endings
from inhouse.providers.known import Known
from inhouse.providers.several import several
from inhouse.transport import Response, Transport
from inhouse.wire.anthropic.conversation import UnsayableError
from inhouse.wire.anthropic.listing import models, tokens
from inhouse.wire.anthropic.outbound import Habits, count_body, message_body, watched_stops
from inhouse.wire.anthropic.reading import Reading, ReportedError
from inhouse.wire.anthropic.refusals import Refusal, refusal
from inhouse.wire.decoding import UNREADABLE

MESSAGES = "/messages"
MODELS = "/models?limit=1000"
"""As many as a page may hold; what goes beyond is not asked for."""

_NO_COUNT = frozenset({200, 404, 405, 501})
"""What a server without the route for counting may answer."""

Encode = Callable[[Habits], bytes]


class Anthropic:
    """Talks to upstreams that speak the Messages API."""

    def __init__(self, context: ProviderContext) -> None:
        """Open nothing yet."""
        self._context = context
        self._transport = Transport(
            context.egress,
            authorities=context.authorities,
            http_client=context.http_client,
        )
        self._upstreams = Known(lambda deployment: Upstream(deployment, context))

    def check(self, deployment: Deployment) -> None:
        """Raise ConfigError, naming the field, where the deployment cannot work as written."""
        Upstream(deployment, self._context).check()

    def remarks(self, deployment: Deployment) -> list[str]:
        """Return what works but should be written otherwise."""
        return list(self._upstreams[deployment].remarks)

    def habits(self, deployment: Deployment) -> list[str]:
        """Return what inhouse does otherwise for this deployment, having learned from refusals."""
        return told(self._upstreams[deployment].habits)

    def takes_text(self, deployment: Deployment) -> bool:
        """Tell that the API takes messages only."""
        del deployment
        return False

    def answers_whole(self, deployment: Deployment, params: Params) -> bool:
        """Tell that each answer is streamed."""
        del deployment, params
        return False

    def endpoints(self, deployment: Deployment) -> frozenset[Place]:
        """Return the place of the deployment's endpoint."""
        try:
            return self._upstreams[deployment].connecting.endpoints
        except ConfigError:
            return frozenset()

    def stream(self, deployment: Deployment, prompt: Prompt, params: Params) -> Deltas:
        """Ask the model and yield its answer piece by piece; closing it hangs up at once.

        The API gives one choice an answer, so several are asked for side by side.
        """
        one = msgspec.structs.replace(params, n=1, whole=False)

        def ask() -> Deltas:
            return answered(deployment, lambda: self._begin(deployment, prompt, one))

        return ask() if params.n == 1 else several(params.n, ask)

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        """List the models that the upstream says it serves, with their windows where it tells."""
        upstream = self._upstreams[deployment]
        with blaming(deployment):
            response = await self._ask(upstream, MODELS, None, "", Params())
            body = await response.read(LARGEST_ANSWER)
            try:
                found = models(body)
            except UNREADABLE:
                raise garbled(upstream, DIALECT, body) from None
        upstream.names = tuple(model.name for model in found)
        return found

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Count a message with this text, its frame of a few tokens included.

        None where the upstream has no route for it.
        """
        upstream = self._upstreams[deployment]
        if not text.strip():
            return 0
        if not upstream.counts_tokens:
            return None
        with blaming(deployment):
            url = f"{upstream.base}{MESSAGES}/count_tokens"
            body = count_body(deployment.model, text)
            response = await self._send(upstream, "POST", url, body, Params())
            said = await response.read(LARGEST_ANSWER)
        count = tokens(said) if response.status == 200 else None
        if count is None and response.status in _NO_COUNT and not upstream.alternative:
            upstream.counts_tokens = False
        return count

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        await self._transport.aclose()

    async def _begin(self, deployment: Deployment, prompt: Prompt, params: Params) -> Answer:
        upstream = self._upstreams[deployment]
        if not isinstance(prompt, Messages):
            raise messages_only(upstream)
        model, asked = upstream.deployment.model, text_of(prompt)

        def encode(habits: Habits) -> bytes:
            return message_body(model, prompt.messages, params, habits)

        response = await self._ask(upstream, MESSAGES, encode, asked, params)
        reading = Reading()
        read = partial(_read, upstream, reading, asked)
        return Answer(upstream, response, reading, read, endings(watched_stops(params)))

    async def _ask(
        self, upstream: Upstream, route: str, encode: Encode | None, prompt: str, params: Params
    ) -> Response:
        """Return a 200, having learned where the upstream listens and what it does not take.

        Each refusal teaches at most one thing, so this ends. Raises UpstreamError.
        """
        base, habits = upstream.base, upstream.habits
        while True:
            body = b"" if encode is None else _said(encode, habits)
            method = "GET" if encode is None else "POST"
            response = await self._send(upstream, method, base + route, body, params)
            if response.status == 200:
                if upstream.alternative:
                    upstream.settle(base)
                return response
            said = await response.read(LARGEST_REFUSAL)
            if 200 < response.status < 300:
                raise garbled(upstream, DIALECT, said)
            found = refusal(response.status, said)
            taught = await self._learned(upstream, habits, found, params)
            if taught != habits:
                habits = upstream.habits = taught
            elif found.no_route and base == upstream.base and upstream.alternative:
                base = upstream.alternative
            else:
                if route == MESSAGES:
                    upstream.alternative = ""
                if found.failure is UpstreamFailure.UNKNOWN_MODEL and not found.no_route:
                    await self._learn_names(upstream, route)
                raise refused(upstream, found, prompt, response.header)

    async def _learned(
        self, upstream: Upstream, habits: Habits, found: Refusal, params: Params
    ) -> Habits:
        """Return the habits to ask with next; the same where a refusal teaches nothing."""
        if upstream.habits != habits:
            # Others have learned in the meantime, perhaps this very thing.
            return upstream.habits
        taught = learned(habits, found)
        if taught == habits and found.failure is UpstreamFailure.CONTEXT_LENGTH:
            taught = within(habits, params, await self._window(upstream))
        return taught

    async def _window(self, upstream: Upstream) -> int | None:
        """Ask how much the model takes; None where the upstream does not tell."""
        try:
            served = await self.served(upstream.deployment)
        except UpstreamError:
            return None
        return {each.name: each.window for each in served}.get(upstream.deployment.model)

    async def _learn_names(self, upstream: Upstream, route: str) -> None:
        """Ask once what the upstream serves, to name the nearest model."""
        if not upstream.names and route != MODELS:
            with contextlib.suppress(UpstreamError):
                await self.served(upstream.deployment)

    async def _send(
        self, upstream: Upstream, method: str, url: str, body: bytes, params: Params
    ) -> Response:
        return await upstream.connecting.request(
            self._transport, method, url, headers=upstream.headers, body=body, params=params
        )


def _read(upstream: Upstream, reading: Reading, prompt: str, data: bytes) -> list[Delta]:
    try:
        return reading.event(data)
    except UNREADABLE:
        raise garbled(upstream, DIALECT, data) from None
    except ReportedError as error:
        raise refused(upstream, refusal(200, error.body), prompt, lambda _: "") from None


def _said(encode: Encode, habits: Habits) -> bytes:
    try:
        return encode(habits)
    except UnsayableError as error:
        raise unsayable(error) from None
