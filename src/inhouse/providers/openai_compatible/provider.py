"""The provider of the entry point ``custom_openai``.

Answers are asked for as streams, also for callers who want them whole, since llama.cpp notices a
hang-up only while it streams; vLLM notices it always, and is asked for whole ones in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Deltas, Served
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.prompt import Fim, Messages, Prompt, Text, text_of
from inhouse.core.requests import Params
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.events import LARGEST_ANSWER, Events
from inhouse.providers.openai_compatible.address import root
from inhouse.providers.openai_compatible.failures import (
    broken_off,
    endless,
    garbled,
    refused,
)
from inhouse.providers.openai_compatible.upstream import Upstream
from inhouse.transport import Response, Transport
from inhouse.wire.decoding import UNREADABLE
from inhouse.wire.openai.listing import models, tokenize_body, tokens
from inhouse.wire.openai.outbound import (
    Habits,
    Reading,
    ReportedError,
    chat_body,
    completion_body,
)
from inhouse.wire.openai.refusals import Refusal, refusal
from inhouse.wire.sse import EventTooLargeError

LARGEST_REFUSAL = 1024 * 1024

Encode = Callable[[Habits], bytes]


class OpenAICompatible:
    """Talks to upstreams that speak the OpenAI dialect."""

    def __init__(self, context: ProviderContext) -> None:
        """Open nothing yet."""
        self._context = context
        self._transport = Transport(context.egress)
        self._upstreams: dict[str, Upstream] = {}

    def check(self, deployment: Deployment) -> None:
        """Raise ConfigError, naming the field, where the deployment cannot work as written."""
        Upstream(deployment, self._context).connecting.check()

    def remarks(self, deployment: Deployment) -> list[str]:
        """Return what works but should be written otherwise, as far as requests have shown."""
        return list(self._upstream(deployment).remarks)

    def takes_text(self, deployment: Deployment) -> bool:
        """Tell whether the model takes rendered text: so far, always."""
        del deployment
        return True

    def endpoints(self, deployment: Deployment) -> frozenset[Place]:
        """Return the place of the deployment's endpoint."""
        try:
            return self._upstream(deployment).connecting.endpoints
        except ConfigError:
            return frozenset()

    async def stream(self, deployment: Deployment, prompt: Prompt, params: Params) -> Deltas:
        """Ask the model and yield its answer piece by piece; closing it hangs up at once."""
        upstream = self._upstream(deployment)
        if params.whole and not await self._gives_whole_answers(upstream):
            params = msgspec.structs.replace(params, whole=False)
        route, encode = _asked(deployment, prompt, params)
        try:
            response = await self._ask(upstream, route, encode, prompt, params)
            try:
                events, reading = Events(response), Reading()
                while not reading.done and (found := await events.next()) is not None:
                    for event in found:
                        for delta in _read(upstream, reading, event, prompt):
                            yield delta
                response.release()
                if not reading.finished:
                    raise broken_off(upstream)
                if (usage := reading.finish()) is not None:
                    yield usage
            finally:
                response.abort()
        except EventTooLargeError:
            raise endless(upstream) from None
        except UpstreamError as error:
            error.deployment = deployment.name
            raise

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        """List the models that the upstream says it serves, with their windows where it tells."""
        try:
            upstream = self._upstream(deployment)
            response = await self._ask(upstream, "/models", None, Text(""), Params())
            body = await response.read(LARGEST_ANSWER)
            try:
                found = models(body)
            except UNREADABLE:
                raise garbled(upstream, body) from None
        except UpstreamError as error:
            error.deployment = deployment.name
            raise
        upstream.names = tuple(model.name for model in found)
        if upstream.whole_answers is None:
            upstream.whole_answers = bool(found) and all(each.owner == "vllm" for each in found)
        return found

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Count with ``/tokenize``, as vLLM, SGLang and llama.cpp have it; None elsewhere."""
        upstream = self._upstream(deployment)
        if not upstream.counts_tokens:
            return None
        try:
            url = root(upstream.base) + "/tokenize"
            response = await self._send(
                upstream, "POST", url, tokenize_body(deployment.model, text), Params()
            )
            body = await response.read(LARGEST_ANSWER)
        except UpstreamError as error:
            error.deployment = deployment.name
            raise
        count = tokens(body) if response.status == 200 else None
        if count is None and response.status < 500 and response.status != 429:
            upstream.counts_tokens = False
        return count

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        await self._transport.aclose()

    def _upstream(self, deployment: Deployment) -> Upstream:
        known = self._upstreams.get(deployment.name)
        if known is None or (known.deployment is not deployment and known.deployment != deployment):
            known = self._upstreams[deployment.name] = Upstream(deployment, self._context)
        return known

    async def _ask(
        self,
        upstream: Upstream,
        route: str,
        encode: Encode | None,
        prompt: Prompt,
        params: Params,
    ) -> Response:
        """Return a 200, having learned where the upstream listens and what it does not take.

        Each refusal teaches at most one thing, so this ends. Raises UpstreamError.
        """
        base, habits = upstream.base, upstream.habits
        while True:
            body = b"" if encode is None else encode(habits)
            method = "GET" if encode is None else "POST"
            response = await self._send(upstream, method, base + route, body, params)
            if response.status == 200:
                if upstream.alternative:
                    upstream.settle(base)
                return response
            said = await response.read(LARGEST_REFUSAL)
            if 200 < response.status < 300:
                raise garbled(upstream, said)
            found = refusal(response.status, said)
            changed = _changed(habits, found)
            if changed != habits:
                habits = upstream.habits = changed
            elif found.no_route and base == upstream.base and upstream.alternative:
                base = upstream.alternative
            else:
                upstream.alternative = ""
                await self._learn_names(upstream, found, route)
                raise refused(upstream, found, text_of(prompt), response.header)

    async def _gives_whole_answers(self, upstream: Upstream) -> bool:
        """Tell whether a hang-up stops this upstream though it does not stream."""
        if upstream.whole_answers is None:
            try:
                await self.served(upstream.deployment)
            except UpstreamError:
                return False
        return bool(upstream.whole_answers)

    async def _learn_names(self, upstream: Upstream, found: Refusal, route: str) -> None:
        """Ask once what the upstream serves, to name the nearest model."""
        unknown = found.failure is UpstreamFailure.UNKNOWN_MODEL and not found.no_route
        if unknown and not upstream.names and route != "/models":
            try:
                await self.served(upstream.deployment)
            except UpstreamError:
                upstream.names = ()

    async def _send(
        self, upstream: Upstream, method: str, url: str, body: bytes, params: Params
    ) -> Response:
        return await upstream.connecting.request(
            self._transport,
            method,
            url,
            headers=upstream.authorization,
            body=body,
            params=params,
        )


def _asked(deployment: Deployment, prompt: Prompt, params: Params) -> tuple[str, Encode]:
    model = deployment.model
    match prompt:
        case Text(text):
            return "/completions", lambda habits: completion_body(model, text, params, habits)
        case Messages(messages):
            return "/chat/completions", lambda habits: chat_body(model, messages, params, habits)
        case Fim():
            raise UpstreamError(
                UpstreamFailure.BAD_REQUEST,
                f"'{deployment.name}' takes rendered prompts only: render the hole with the"
                " family's sentinels first.",
                deployment=deployment.name,
            )


def _changed(habits: Habits, found: Refusal) -> Habits:
    """Return the habits that a refusal teaches; the same where it is about something else."""
    if found.status not in {400, 422}:
        return habits
    about = f"{found.param} {found.said}"
    if habits.stream_options and ("stream_options" in about or "include_usage" in about):
        return msgspec.structs.replace(habits, stream_options=False)
    if habits.skip_special_tokens and "skip_special_tokens" in about:
        return msgspec.structs.replace(habits, skip_special_tokens=False)
    if not habits.max_completion_tokens and "max_completion_tokens" in about:
        return msgspec.structs.replace(habits, max_completion_tokens=True)
    return habits


def _read(upstream: Upstream, reading: Reading, data: bytes, prompt: Prompt) -> list[Delta]:
    try:
        return reading.event(data)
    except UNREADABLE:
        raise garbled(upstream, data) from None
    except ReportedError as error:
        found = refusal(200, error.body)
        raise refused(upstream, found, text_of(prompt), lambda _: "") from None
