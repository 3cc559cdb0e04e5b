"""The provider of the entry point ``bedrock``.

Answers are asked for as streams, also for callers who want them whole: a hang-up then stops the
model. Only for models that do not stream are they asked for in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Deltas, Served
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.prompt import Prompt, Text, text_of
from inhouse.core.requests import Params
from inhouse.errors import ConfigError, UpstreamFailure
from inhouse.providers.bedrock.failures import DIALECT, refused
from inhouse.providers.bedrock.learning import learned, told
from inhouse.providers.bedrock.question import Question, question
from inhouse.providers.bedrock.reading import Events, deltas_of
from inhouse.providers.bedrock.sending import Sender
from inhouse.providers.bedrock.upstream import Upstream, installed
from inhouse.providers.broken import garbled, messages_only
from inhouse.providers.connecting import LARGEST_ANSWER, LARGEST_REFUSAL, blaming
from inhouse.providers.known import Known
from inhouse.providers.several import several
from inhouse.transport import Response
from inhouse.wire.bedrock.converse import count_body, counted
from inhouse.wire.bedrock.refusals import Cause, Refusal
from inhouse.wire.decoding import UNREADABLE

_NO_PROMPT = re.compile(
    r"extraneous key \[prompt\]|required key \[messages\]|\bmessages\b.{0,20}required"
    r"|prompt.{0,40}(?:not permitted|not supported)",
    re.IGNORECASE,
)
_HARMLESS = {Cause.NOT_ALLOWED, Cause.NO_MODEL_ACCESS, Cause.UNTOLD}
"""Refusals to count tokens that say nothing about answers: it takes a permission of its own."""


class Bedrock:
    """Talks to Bedrock's runtime in any region, or at an endpoint of one's own."""

    def __init__(self, context: ProviderContext) -> None:
        """Open nothing, and import nothing, yet."""
        self._context = context
        self._sender = Sender(context)
        self._upstreams = Known(self._made)

    def check(self, deployment: Deployment) -> None:
        """Raise ConfigError, naming the field, where the deployment cannot work as written."""
        installed()
        Upstream(deployment, self._context).connecting.check()

    def habits(self, deployment: Deployment) -> list[str]:
        """Return what inhouse does otherwise for this deployment, having learned from refusals."""
        return told(self._upstreams[deployment].habits)

    def takes_text(self, deployment: Deployment) -> bool:
        """Tell whether the model takes raw prompts, by its name or as it has taught us."""
        try:
            return self._upstreams[deployment].raw is not None
        except ConfigError:
            return False

    def answers_whole(self, deployment: Deployment, params: Params) -> bool:
        """Tell whether the model has refused to stream, at all or with tools."""
        habits = self._upstreams[deployment].habits
        return not habits.streams or (not habits.streams_tools and "tools" in params.extra)

    def endpoints(self, deployment: Deployment) -> frozenset[Place]:
        """Return the runtime's place, and those that botocore asks for credentials."""
        try:
            return self._upstreams[deployment].places
        except ConfigError:
            return frozenset()

    def stream(self, deployment: Deployment, prompt: Prompt, params: Params) -> Deltas:
        """Ask the model and yield its answer piece by piece; closing it hangs up at once."""
        if params.n == 1:
            return self._answer(deployment, prompt, params)
        one = msgspec.structs.replace(params, n=1)
        return several(params.n, lambda: self._answer(deployment, prompt, one))

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        """Return the model itself: Bedrock's runtime lists none.

        What costs nothing is checked: the credentials, and that AWS takes them at the endpoint.
        """
        upstream = self._upstreams[deployment]
        with blaming(deployment):
            count, found = await self._count(upstream, "a")
            if count is not None:
                upstream.frame_tokens = max(0, count - 1)
            elif found is not None and _is_telling(found):
                raise refused(upstream, found, "", lambda _: "")
        return [Served(name=deployment.model)]

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:
        """Count with CountTokens, which knows Claude's tokenizers; None for other models."""
        upstream = self._upstreams[deployment]
        if not text:
            return 0
        if upstream.frame_tokens is None and upstream.counts_tokens:
            await self.served(deployment)
        # Blank text is refused, and tells nothing about the model.
        if not upstream.counts_tokens or upstream.frame_tokens is None or not text.strip():
            return None
        with blaming(deployment):
            count, _ = await self._count(upstream, text)
        return None if count is None else max(0, count - upstream.frame_tokens)

    async def aclose(self) -> None:
        """Abort what runs and close every connection."""
        await self._sender.aclose()

    def _made(self, deployment: Deployment) -> Upstream:
        made = Upstream(deployment, self._context)
        self._sender.keep({each.identity for each in (*self._upstreams.values(), made)})
        return made

    async def _answer(self, deployment: Deployment, prompt: Prompt, params: Params) -> Deltas:
        upstream = self._upstreams[deployment]
        with blaming(deployment):
            asked, response = await self._ask(upstream, prompt, params)
            try:
                if asked.reading is None:
                    body = await response.read(LARGEST_ANSWER)
                    for delta in deltas_of(upstream, asked, body):
                        yield delta
                    return
                events, reading = Events(upstream, response, asked, prompt), asked.reading()
                while (found := await events.next(reading)) is not None:
                    for delta in found:
                        yield delta
            finally:
                response.abort()

    async def _ask(
        self, upstream: Upstream, prompt: Prompt, params: Params
    ) -> tuple[Question, Response]:
        """Return a 200 and what was asked, having learned what the model does not take.

        Each refusal teaches at most one thing, so this ends. Raises UpstreamError.
        """
        while True:
            habits = upstream.habits
            asked = question(upstream, prompt, params)
            target = upstream.target(asked.operation)
            sent = msgspec.structs.replace(params, whole=asked.reading is None)
            response, found = await self._sender.send(
                upstream, target, asked.body, sent, asked.headers
            )
            if found is None:
                return asked, response
            if upstream.habits != habits:
                # Others have learned in the meantime, perhaps this very thing.
                continue
            upstream.habits = learned(habits, found)
            if upstream.habits != habits:
                continue
            if isinstance(prompt, Text) and _NO_PROMPT.search(found.said):
                upstream.raw = None
                raise messages_only(upstream, status=found.status, param="options.raw_prompts")
            raise refused(upstream, found, text_of(prompt), response.header)

    async def _count(self, upstream: Upstream, text: str) -> tuple[int | None, Refusal | None]:
        """Return a count, or the refusal that says why there is none."""
        # It knows foundation models only, by their own ids.
        target = upstream.target("count-tokens", upstream.model.base)
        response, found = await self._sender.send(upstream, target, count_body(text), Params())
        if found is not None:
            upstream.counts_tokens &= found.status >= 500 or found.status in {408, 429}
            return None, found
        body = await response.read(LARGEST_REFUSAL)
        try:
            return counted(body), None
        except UNREADABLE:
            raise garbled(upstream, DIALECT, body) from None


def _is_telling(found: Refusal) -> bool:
    """Tell whether a refusal to count tokens means that answers are refused too."""
    if found.failure is UpstreamFailure.AUTHENTICATION:
        return found.cause not in _HARMLESS
    return found.failure is UpstreamFailure.PROTOCOL
