"""Generation: write code from an instruction."""

from __future__ import annotations

import contextlib

import msgspec

from inhouse.core.delta import Deltas
from inhouse.core.requests import GenerationRequest
from inhouse.features.asking import AFFINITY, Asking
from inhouse.features.fences import CodeOnly
from inhouse.features.reasoning import Unthinking
from inhouse.prompts import is_comment, render_generation
from inhouse.records.recording import Recording
from inhouse.routing.target import Target


class Generation:
    """Writes code, and nothing but code, for the place of the cursor."""

    def __init__(self, asking: Asking) -> None:
        """Ask through `asking`."""
        self._asking = asking

    async def stream(
        self, request: GenerationRequest, target: Target, recording: Recording
    ) -> Deltas:
        """Yield the code as it is written, without the fences and prose around it."""
        size = len(request.instruction) + len(request.prefix) + len(request.suffix)
        usual = self._asking.settings.generation_max_tokens
        most = request.params.n * (request.params.max_tokens or usual)
        async with self._asking.admitted(target, recording, size, most) as watch:
            deltas = self._asking.stream(
                target,
                recording,
                request.params,
                watch,
                affinity=request.path or request.prefix[:AFFINITY],
                output_tokens=usual,
                render=lambda family, budget: render_generation(request, family, budget),
                shaper=lambda _: Unthinking(CodeOnly),
            )
            if _begins_below(request):
                deltas = _below(deltas)
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    yield delta


def _begins_below(request: GenerationRequest) -> bool:
    """Tell whether the code must begin on a line of its own: what stands before it is complete."""
    line = request.prefix.rpartition("\n")[2]
    if not line.strip():
        return False
    return request.fresh_line or is_comment(line, request.path, request.language)


async def _below(deltas: Deltas) -> Deltas:
    """Yield the deltas, with a line end before the first text of each choice that begins without.

    Models of conversations begin with the code itself, and a comment would swallow it.
    """
    begun: set[int] = set()
    async with contextlib.aclosing(deltas):
        async for delta in deltas:
            if delta.text and delta.index not in begun:
                begun.add(delta.index)
                if not delta.text.startswith(("\n", "\r\n")):
                    yield msgspec.structs.replace(delta, text="\n" + delta.text)
                    continue
            yield delta
