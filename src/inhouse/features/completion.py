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
from inhouse.prompts import render_completion
from inhouse.records.recording import Recording
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch


class Completion:
    """Suggests what goes between the code before the cursor and the code behind it."""

    def __init__(self, asking: Asking, superseding: Superseding) -> None:
        """Ask through `asking`; `superseding` knows what runs for whom."""
        self._asking = asking
        self._superseding = superseding

    async def stream(
        self, request: CompletionRequest, target: Target, recording: Recording
    ) -> AsyncGenerator[Delta]:
        """Yield the suggestion as it is written, ended where the code behind the cursor begins.

        It ends early, and well, where a later completion of the same caller and file takes its
        place, and at its last whole line when its time is up. It is empty where none is wanted.
        """
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
        async with self._asking.admitted(target, recording, size, most) as watch:
            try:
                with self._claimed(request, target, watch):
                    async with contextlib.aclosing(
                        self._deltas(request, target, recording, watch)
                    ) as deltas:
                        async for delta in deltas:
                            yield delta
            except SupersededError:
                yield Delta(usage=recording.superseded())

    def _claimed(
        self, request: CompletionRequest, target: Target, watch: Watch
    ) -> contextlib.AbstractContextManager[None]:
        """Take the place of the earlier completion of the same file, where the file has a name."""
        if not request.path or not self._asking.settings.completion_superseding:
            return contextlib.nullcontext()
        owner = (target.caller.name, request.user, request.project, request.path)
        return self._superseding.claim(owner, watch)

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
