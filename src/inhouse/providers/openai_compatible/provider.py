"""The provider of the entry points ``custom_openai``, ``openai`` and ``azure``: one dialect.

Answers are asked for as streams, also for callers who want them whole: llama.cpp notices a hang-up
only while it streams, and of an answer in one piece nobody can tell whether it is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Deltas, Embedded, Generated, Served
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.prompt import Fim, Messages, Prompt, Text, text_of
from inhouse.core.requests import Params
from inhouse.errors import ConfigError, UpstreamError
from inhouse.providers.answering import Answer, answered
from inhouse.providers.broken import garbled, unrendered
from inhouse.providers.connecting import LARGEST_ANSWER, blaming
from inhouse.providers.endings import endings
from inhouse.providers.known import Known
from inhouse.providers.openai_compatible.address import root
from inhouse.providers.openai_compatible.counters import read_counters
from inhouse.providers.openai_compatible.failures import DIALECT, refused
from inhouse.providers.openai_compatible.learning import told
from inhouse.providers.openai_compatible.requesting import (
    CHAT,
    TEXT,
    VECTORS,
    Question,
    ask,
    get,
    send,
)
from inhouse.providers.openai_compatible.servers import server
from inhouse.providers.openai_compatible.site import Platform
from inhouse.providers.openai_compatible.upstream import Upstream
from inhouse.transport import Response, Transport
from inhouse.wire.decoding import UNREADABLE
from inhouse.wire.openai.embeddings import embeddings_body, read_embeddings
from inhouse.wire.openai.listing import models, tokenize_body, tokens
from inhouse.wire.openai.outbound import Reading, ReportedError, chat_body, completion_body
from inhouse.wire.openai.refusals import refusal

_UNREAD = (*UNREADABLE, ReportedError)


class OpenAICompatible:
    """Talks to upstreams that speak the OpenAI dialect, on one platform."""

    def __init__(self, context: ProviderContext, platform: Platform = server) -> None:
        """Open nothing yet."""
        self._context = context
        self._platform = platform
        self._transport = Transport(
            context.egress,
            authorities=context.authorities,
            http_client=context.http_client,
        )
        self._upstreams = Known(self._made)

    def check(self, deployment: Deployment) -> None:
        """Raise ConfigError, naming the field, where the deployment cannot work as written."""
        site = self._platform(deployment, self._context, self._transport)
        site.connecting.check()
        site.authorization.check()

    def remarks(self, deployment: Deployment) -> list[str]:
        """Return what works but should be written otherwise, as far as requests have shown."""
        return list(self._upstreams[deployment].routes.remarks)

    def habits(self, deployment: Deployment) -> list[str]:
        """Return what inhouse does otherwise for this deployment, having learned from refusals."""
        upstream = self._upstreams[deployment]
        return told(upstream.habits, upstream.site.habits)

    def takes_text(self, deployment: Deployment) -> bool:
        """Tell whether the model takes rendered text, as its options say or as it has shown."""
        try:
            return self._upstreams[deployment].takes_text
        except ConfigError:
            return True

    def answers_whole(self, deployment: Deployment, params: Params) -> bool:
        """Tell whether it does where the caller reads it whole: the deployment's option says so."""
        return params.whole and self._upstreams[deployment].site.whole_answers

    def endpoints(self, deployment: Deployment) -> frozenset[Place]:
        """Return the places of the deployment's endpoint and of whoever issues its tokens."""
        try:
            site = self._upstreams[deployment].site
        except ConfigError:
            return frozenset()
        return site.connecting.endpoints | site.authorization.endpoints

    def stream(self, deployment: Deployment, prompt: Prompt, params: Params) -> Deltas:
        """Ask the model and yield its answer piece by piece; closing it hangs up at once."""
        return answered(deployment, lambda: self._begin(deployment, prompt, params))

    async def embed(
        self, deployment: Deployment, texts: Sequence[str], dimensions: int | None, params: Params
    ) -> Embedded:
        """Return a vector a text, in one request."""
        upstream = self._upstreams[deployment]
        question = Question(
            route=VECTORS,
            encode=lambda _: embeddings_body(deployment.model, texts, dimensions, params),
            text="\n".join(texts),
        )
        with blaming(deployment):
            response = await ask(self._transport, upstream, question, params, self._learn_names)
            body = await response.read(LARGEST_ANSWER)
            try:
                return read_embeddings(body, len(texts))
            except _UNREAD as error:
                raise _unread(upstream, error, body, question.text) from None

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        """List the models that the upstream says it serves, with their windows where it tells."""
        upstream = self._upstreams[deployment]
        with blaming(deployment):
            response = await get(self._transport, upstream, lambda routes: routes.models, Params())
            found = await _listed(upstream, response)
            if upstream.site.names:
                # What the list of models names there is not what an identifier may name.
                found = await self._names(upstream)
        upstream.names = tuple(model.name for model in found)
        return found

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Count with ``/tokenize``, as vLLM, SGLang and llama.cpp have it; None elsewhere."""
        upstream = self._upstreams[deployment]
        if not upstream.counts_tokens:
            return None
        with blaming(deployment):
            header = await upstream.site.authorization.header(Params().deadlines)
            url = root(upstream.base) + "/tokenize"
            body = tokenize_body(deployment.model, text)
            response = await send(self._transport, upstream, "POST", url, header, body, Params())
            said = await response.read(LARGEST_ANSWER)
        count = tokens(said) if response.status == 200 else None
        if count is None and response.status < 500 and response.status != 429:
            upstream.counts_tokens = False
        return count

    async def generated(self, deployment: Deployment) -> Generated | None:
        """Return what the upstream counts of itself, None where it publishes nothing."""
        with blaming(deployment):
            return await read_counters(self._upstreams[deployment], self._transport)

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        closing = [each.site.authorization.aclose() for each in self._upstreams.values()]
        await asyncio.gather(*closing)
        await self._transport.aclose()

    async def _begin(self, deployment: Deployment, prompt: Prompt, params: Params) -> Answer:
        upstream = self._upstreams[deployment]
        if params.whole and not upstream.site.whole_answers:
            params = msgspec.structs.replace(params, whole=False)
        question = _question(deployment, prompt, params)
        response = await ask(self._transport, upstream, question, params, self._learn_names)
        reading = Reading()
        read = partial(_read, upstream, reading, question.text)
        ours = endings(params.stop if upstream.ends_by_itself else (), params.n)
        return Answer(upstream, response, reading, read, ours)

    def _made(self, deployment: Deployment) -> Upstream:
        return Upstream(deployment, self._platform(deployment, self._context, self._transport))

    async def _learn_names(self, upstream: Upstream) -> None:
        """Ask once what the upstream serves, to name the nearest model."""
        if not upstream.names:
            with contextlib.suppress(UpstreamError):
                await self.served(upstream.deployment)

    async def _names(self, upstream: Upstream) -> Sequence[Served]:
        """Return what may stand in the identifier, where the platform still tells that."""
        try:
            url = upstream.site.names
            header = await upstream.site.authorization.header(Params().deadlines)
            response = await send(self._transport, upstream, "GET", url, header, b"", Params())
            if response.status == 200:
                return await _listed(upstream, response)
            response.abort()
        except UpstreamError:
            pass
        return ()


def _question(deployment: Deployment, prompt: Prompt, params: Params) -> Question:
    model, said = deployment.model, text_of(prompt)
    match prompt:
        case Text(text):
            return Question(
                route=TEXT,
                encode=lambda habits: completion_body(model, text, params, habits),
                text=said,
            )
        case Messages(messages):
            return Question(
                route=CHAT,
                encode=lambda habits: chat_body(model, messages, params, habits),
                text=said,
            )
        case Fim():
            raise unrendered(deployment)


async def _listed(upstream: Upstream, response: Response) -> Sequence[Served]:
    body = await response.read(LARGEST_ANSWER)
    try:
        return models(body)
    except UNREADABLE:
        raise garbled(upstream, DIALECT, body) from None


def _read(upstream: Upstream, reading: Reading, prompt: str, data: bytes) -> list[Delta]:
    try:
        return reading.event(data)
    except _UNREAD as error:
        raise _unread(upstream, error, data, prompt) from None


def _unread(upstream: Upstream, error: Exception, said: bytes, prompt: str) -> UpstreamError:
    """Return the error for an answer that reports one, or is none at all."""
    if isinstance(error, ReportedError):
        return refused(upstream, refusal(200, error.body), prompt, lambda _: "")
    return garbled(upstream, DIALECT, said)
