"""The embedded completer as a provider: no weights, no server, one line at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Served, Usage
from inhouse.core.ports import Place, ProviderContext
from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.repository.indexing import Folder, Indexing, Progress
from inhouse.providers.repository.lexer import lex
from inhouse.providers.repository.options import read_folder, read_options

if TYPE_CHECKING:
    from inhouse.providers.repository.completer import Suggestion
    from inhouse.providers.repository.index import Index

MODEL = "repository-index"
"""The served model's honest name: a repository index, not a language model."""
_THREADS = 2
_MOST_WAITING = 256
_MOST_CHOICES = 10
_LINE_TOKENS = 40


class Repository:
    """Completes code from what stands in a repository, where it is sure enough."""

    def __init__(self, context: ProviderContext) -> None:
        """Read folders through `context`, keep indexes in its cache."""
        self._context = context
        self._indexed: dict[Folder, Indexing] = {}
        # Queries are pure Python and a few milliseconds long: more threads would only take turns.
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="repository query")
        self._waiting = 0

    def check(self, deployment: Deployment) -> None:
        """Raise `ConfigError` where identifier, endpoint or options cannot work as written."""
        read_folder(deployment)

    def takes_text(self, deployment: Deployment) -> bool:
        """Tell that no rendered text is needed: holes are taken as they are."""
        del deployment
        return True

    def answers_whole(self, deployment: Deployment, params: Params) -> bool:
        """Tell that each answer is streamed."""
        del deployment, params
        return False

    def endpoints(self, deployment: Deployment) -> frozenset[Place]:
        """Return nothing: no connection is made."""
        del deployment
        return frozenset()

    async def stream(
        self, deployment: Deployment, prompt: Prompt, params: Params
    ) -> AsyncGenerator[Delta]:
        """Yield up to `params.n` suggestions, each at once; an empty one where none is sure enough.

        Raises:
            UpstreamError: the index is not ready or could not be made, too many wait already, or
                the prompt is a conversation.
            ConfigError: the deployment cannot work as written.

        """
        prefix, suffix = _hole(deployment, prompt)
        index = self._indexing(deployment).current(deployment.name)
        least = read_options(deployment).threshold
        least = index.threshold if least is None else least
        found, prompt_tokens = await self._ask(deployment, index, prefix, suffix, params)
        shown = [each for each in found if each.confidence >= least]
        texts = [_before(each.text, params.stop) for each in shown] or [""]
        for number, text in enumerate(texts):
            if text:
                yield Delta(text=text, index=number)
        usage = Usage(
            prompt_tokens=prompt_tokens, completion_tokens=sum(len(lex(text)) for text in texts)
        )
        for number, text in enumerate(texts):
            cut = bool(shown) and not shown[number].whole and text == shown[number].text
            yield Delta(
                index=number,
                finish_reason="length" if cut else "stop",
                usage=usage if number == len(texts) - 1 else None,
            )

    async def served(self, deployment: Deployment) -> Sequence[Served]:
        """Name the one model there is."""
        read_folder(deployment)
        return (Served(name=MODEL),)

    async def count_tokens(self, deployment: Deployment, text: str) -> int | None:  # noqa: ARG002
        """Count tokens as the index does, of whichever deployment."""
        return len(await asyncio.to_thread(lex, text))

    async def warm(self, deployment: Deployment, progress: Progress) -> None:
        """Bring the deployment's index up to date; `progress` hears share done and phase.

        An older index goes on answering meanwhile.

        Raises:
            UpstreamError: the index could not be made.
            ConfigError: the deployment cannot work as written.

        """
        await self._indexing(deployment).refresh(progress)

    async def aclose(self) -> None:
        """Stop what is being indexed, and let no query begin any more."""
        await asyncio.gather(*(each.aclose() for each in self._indexed.values()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _indexing(self, deployment: Deployment) -> Indexing:
        folder = read_folder(deployment)
        found = self._indexed.get(folder)
        if found is None:
            context = self._context
            found = Indexing(folder, context.cache, context.documents, context.changed)
            self._indexed[folder] = found
        return found

    async def _ask(
        self, deployment: Deployment, index: Index, prefix: str, suffix: str, params: Params
    ) -> tuple[list[Suggestion], int]:
        """Run a query in the pool; it ends within a token when nobody waits any longer."""
        if self._waiting >= _MOST_WAITING:
            raise UpstreamError(
                UpstreamFailure.RATE_LIMITED,
                f"The repository index '{deployment.name}' has {self._waiting} queries waiting."
                " Ask again in a moment.",
                deployment=deployment.name,
                retry_after=1.0,
            )
        given_up = threading.Event()

        def run() -> tuple[list[Suggestion], int]:
            query = index.query(prefix, suffix, given_up.is_set)
            limit = _LINE_TOKENS if params.max_tokens is None else params.max_tokens
            return query.suggestions(min(params.n, _MOST_CHOICES), limit), query.prompt_tokens

        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, run)
        finally:
            self._waiting -= 1
            given_up.set()


def _hole(deployment: Deployment, prompt: Prompt) -> tuple[str, str]:
    """Return the code before and behind the cursor."""
    match prompt:
        case Fim():
            return prompt.prefix, prompt.suffix
        case Text():
            return prompt.text, ""
        case Messages():
            raise UpstreamError(
                UpstreamFailure.BAD_REQUEST,
                f"'{deployment.name}' is a repository index: it completes code at a cursor and"
                " cannot chat. Route chat and generation to a deployment of a language model.",
                deployment=deployment.name,
            )


def _before(text: str, stops: Sequence[str]) -> str:
    """Return `text` up to where the first stop sequence begins."""
    ends = [text.find(stop) for stop in stops if stop and stop in text]
    return text[: min(ends)] if ends else text
