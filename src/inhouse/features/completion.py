"""Completion: fill in at the cursor."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator

from inhouse.core.delta import Delta
from inhouse.core.requests import CompletionRequest
from inhouse.errors import SupersededError
from inhouse.families import CompletionMode, Family
from inhouse.features.asking import AFFINITY, Asking
from inhouse.features.filling import filling
from inhouse.features.shaping import Chain, Shaper
from inhouse.features.silence import silence
from inhouse.features.superseding import Superseding
from inhouse.features.trim import Trimming
from inhouse.features.typeahead import MOST_TOKENS, Typeahead
from inhouse.prompts import render_completion
from inhouse.records.recording import Recording
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch


class Completion:
    """Suggests what goes between the code before the cursor and the code behind it."""

    def __init__(self, asking: Asking, superseding: Superseding, typeahead: Typeahead) -> None:
        """`superseding` knows what runs for whom, `typeahead` what was suggested."""
        self._asking = asking
        self._superseding = superseding
        self._typeahead = typeahead

    async def stream(
        self, request: CompletionRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[Delta]:
        """Yield the suggestion as it is written, ended where the code behind the cursor begins.

        It ends early, and well, where a later completion of the same caller and file takes its
        place, and at its last whole line when its time is up. It is empty where none is wanted.
        What an earlier suggestion already says is not asked for again.
        """
        # First the rules: they say where a suggestion is noise, and memory only where it is from.
        if why := silence(request, self._asking.settings):
            # Whoever typed on to such a place waits for the earlier completion no more.
            with self._claimed(request, target, Watch()):
                recording.warn(why)
            for nothing in _nothing(request, recording):
                yield nothing
            return
        size = len(request.prefix) + len(request.suffix)
        output = request.params.max_tokens or self._asking.settings.completion_max_tokens
        most = request.params.n * output
        answer = self._shared if self._shares(request, output) else self._alone
        async with self._asking.admitted(target, recording, size, most) as watch:
            try:
                async with contextlib.aclosing(answer(request, target, recording, watch)) as deltas:
                    async for delta in deltas:
                        yield delta
            except SupersededError:
                yield Delta(usage=recording.superseded())

    def _shares(self, request: CompletionRequest, output: int) -> bool:
        """Tell whether the answer may be one that others read too, now or later."""
        # Probabilities belong to tokens, and whoever types along stands in the middle of one.
        probabilities = request.params.extra.get("logprobs")
        plain = request.params.n == 1 and (probabilities is None or probabilities is False)
        return plain and output <= MOST_TOKENS and self._asking.settings.completion_memory

    async def _shared(
        self, request: CompletionRequest, target: Target, recording: Recording, watch: Watch
    ) -> AsyncGenerator[Delta]:
        """Yield what is left of an earlier suggestion, else an answer that others may read too."""
        part = self._typeahead.part(request, target)
        claimed = self._claimed(request, target, watch, part.suggestion)
        live = part.suggestion.live
        if part.asked and live is not None:
            asking = live.asked(recording, watch, self._grace(request))
            with claimed, asking:
                async with contextlib.aclosing(
                    self._deltas(request, target, recording, watch)
                ) as deltas:
                    async for delta in deltas:
                        live.add(delta)
                        yield delta
                        if live.too_long:
                            for last in live.cut(recording):
                                yield last
                            return
        elif (reader := part.reader(recording, watch)) is not None:
            # Whoever types along reads before it claims, so that the answer always has a reader.
            with reader, claimed:
                async for delta in reader:
                    yield delta
        else:
            with claimed:
                for delta in part.deltas(recording):
                    yield delta

    def _grace(self, request: CompletionRequest) -> float:
        """Return for how many seconds a suggestion is written on when its reader has left."""
        settings = self._asking.settings
        # Only the next request for a named file ends what is of no use at once.
        known = request.path and settings.completion_superseding and not request.fresh
        return settings.completion_grace if known else 0.0

    async def _alone(
        self, request: CompletionRequest, target: Target, recording: Recording, watch: Watch
    ) -> AsyncGenerator[Delta]:
        """Yield an answer that is this request's alone."""
        with self._claimed(request, target, watch):
            async with contextlib.aclosing(
                self._deltas(request, target, recording, watch)
            ) as deltas:
                async for delta in deltas:
                    yield delta

    def _claimed(
        self, request: CompletionRequest, target: Target, watch: Watch, answer: object = None
    ) -> contextlib.AbstractContextManager[None]:
        """Take the place of the earlier completion of the same file, where the file has a name."""
        if not request.path or not self._asking.settings.completion_superseding:
            return contextlib.nullcontext()
        owner = (target.caller.name, request.user, request.project, request.path)
        return self._superseding.claim(owner, watch, answer)

    def _deltas(
        self,
        request: CompletionRequest,
        target: Target,
        recording: Recording,
        watch: Watch,
    ) -> AsyncGenerator[Delta]:
        return self._asking.stream(
            target,
            recording,
            request.params,
            watch,
            affinity=request.path or request.prefix[:AFFINITY],
            output_tokens=self._asking.settings.completion_max_tokens,
            ends_at_deadline=True,
            render=lambda family, budget: render_completion(request, family, budget),
            shaper=lambda family: _shaper(request, family),
        )


def _nothing(request: CompletionRequest, recording: Recording) -> Iterator[Delta]:
    """Return an answer of empty choices, that cost nothing."""
    for index in range(request.params.n):
        yield Delta(index=index, finish_reason="stop")
    yield Delta(usage=recording.left_early("stop"))


def _shaper(request: CompletionRequest, family: Family) -> Shaper:
    """Return what one choice goes through; a model that was asked in words needs more of it."""
    trimmer = Trimming(request.prefix, request.suffix, request.path, request.language)
    if family.completion is not CompletionMode.INSTRUCTION:
        return trimmer
    return Chain(filling(request), trimmer)
