"""Ask a deployment within its real window: render, count where it is close, cut again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta
from inhouse.core.ports import Provider
from inhouse.core.prompt import Messages, Prompt, text_of
from inhouse.core.requests import Params
from inhouse.core.settings import Settings
from inhouse.core.stops import Stops
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.families import Families, Family
from inhouse.features.admission import Admission
from inhouse.features.lines import WholeLines
from inhouse.features.restoring import Restorer
from inhouse.features.shaping import Chain, Shaper, shaped
from inhouse.prompts import MESSAGE_TOKENS, Budget, Rendered
from inhouse.records.recording import Recording
from inhouse.routing.attempt import Asked, Prepare
from inhouse.routing.quotas import Quotas
from inhouse.routing.router import Router
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch
from inhouse.routing.windows import Windows

ROUNDS = 4
"""Times that a prompt is counted and cut again at most."""
TIGHTER = (1.0, 0.5, 0.2)
"""Shares of the characters a token that are tried in turn when an upstream says "too long"."""
TEMPLATE_TOKENS = 32
"""Kept free for what an upstream's own template adds around a prompt."""
CHARACTERS_PER_TOKEN = 3.2
"""About; what a request reserves of its caller's limits is corrected in the end."""
AFFINITY = 512
"""Characters of a prompt's head that tell whether two prompts share a prefix cache."""
UPSTREAM_STOPS = 4
"""Stop sequences that OpenAI's dialect allows, and vLLM takes; the rest are watched here."""

Render = Callable[[Family, Budget], Rendered]
Shape = Callable[[Family], Shaper]
"""Makes what the text of one choice goes through, for a model of this family."""


class _Shapers:
    """Makes what each choice's text goes through; knows the prompt once it is rendered."""

    def __init__(self, shaper: Shape, lines: bool | None) -> None:
        self._shaper = shaper
        self._lines = lines
        self._family: Family | None = None
        self._stops: tuple[str, ...] = ()
        self._disarmed: tuple[str, ...] = ()

    def prepared(self, rendered: Rendered, family: Family) -> Params:
        """Take over the stop sequences that are too many for an upstream; return the params."""
        self._family = family
        stops = rendered.params.stop
        self._stops, self._disarmed = stops[UPSTREAM_STOPS:], rendered.disarmed
        # What is shaped may be left before its end, so it is always asked for as a stream.
        return msgspec.structs.replace(rendered.params, stop=stops[:UPSTREAM_STOPS], whole=False)

    def new(self) -> Shaper:
        """Return a shaper for one choice."""
        if self._family is None:
            raise RuntimeError("A delta came before its prompt was rendered.")
        chain: list[Shaper] = []
        if self._stops:
            chain.append(Stops(self._stops))
        if self._disarmed:
            chain.append(Restorer(self._disarmed))
        chain.append(self._shaper(self._family))
        if self._lines is not None:
            chain.append(WholeLines(first=self._lines))
        return Chain(*chain) if len(chain) > 1 else chain[0]


class Asking:
    """What the features share: families, windows, budgets, limits, and the router behind them."""

    def __init__(
        self,
        *,
        router: Router,
        windows: Windows,
        families: Families,
        quotas: Quotas,
        settings: Callable[[], Settings],
    ) -> None:
        """`settings` returns the live settings."""
        self._router = router
        self._windows = windows
        self._families = families
        self._quotas = quotas
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._settings()

    def admitted(
        self, target: Target, recording: Recording, size: int, output_tokens: int
    ) -> Admission:
        """Let a request pass the caller's limits, and have a watch over its waits.

        `size` are the characters of its text, `output_tokens` about the longest answer.
        """
        tokens = int(size / CHARACTERS_PER_TOKEN) + output_tokens
        return Admission(self._quotas, target, tokens, recording, self._settings())

    async def stream(
        self,
        target: Target,
        recording: Recording,
        params: Params,
        watch: Watch,
        *,
        affinity: str,
        output_tokens: int,
        render: Render,
        shaper: Shape,
        ends_at_deadline: bool = False,
    ) -> AsyncGenerator[Delta]:
        """Yield the shaped answer of the first deployment that gives one, from a prompt that fits.

        `output_tokens` hold where the caller names no limit. `shaper` makes what each choice's text
        goes through. An answer that `ends_at_deadline` comes in whole lines, and is as good as
        complete when its time is up. An upstream that still says "too long" is asked again with
        less, since some neither count tokens for us nor count as we estimate; one that takes only
        messages, with those.
        """
        shares = iter(TIGHTER)
        # Each deployment can teach us once that it takes no rendered text.
        lessons = len(target.deployments)
        share = next(shares)
        while True:
            lines = None if not ends_at_deadline else params.whole
            shapers = _Shapers(shaper, lines)
            prepare = self._preparing(recording, output_tokens, render, share, shapers)
            admitted = contextlib.nullcontext(watch)
            answer = self._router.stream(target, prepare, recording, admitted, affinity)
            begun = False
            try:
                deltas = shaped(
                    answer,
                    shapers.new,
                    params.n,
                    recording.left_early,
                    ends_at_deadline=ends_at_deadline,
                )
                async with contextlib.aclosing(deltas):
                    async for delta in deltas:
                        begun = True
                        yield delta
            except UpstreamError as error:
                if begun:
                    raise
                if error.failure is UpstreamFailure.CONTEXT_LENGTH:
                    tighter = next(shares, None)
                    if tighter is None:
                        raise
                    share = tighter
                elif error.failure is UpstreamFailure.MESSAGES_ONLY and lessons:
                    lessons -= 1
                else:
                    raise
            else:
                return

    def untouched(
        self,
        target: Target,
        recording: Recording,
        admission: Admission,
        *,
        affinity: str,
        render: Callable[[Family], Rendered],
    ) -> AsyncGenerator[Delta]:
        """Yield the answer to a prompt that is not ours to cut: a conversation is the caller's."""

        async def prepare(deployment: Deployment, provider: Provider) -> Asked:
            rendered = render(self._families.get(deployment.family))
            return Asked.in_text(deployment, provider, rendered.prompt, rendered.params)

        return self.prepared(target, recording, admission, prepare, affinity=affinity)

    def prepared(
        self,
        target: Target,
        recording: Recording,
        admission: Admission,
        prepare: Prepare,
        *,
        affinity: str = "",
    ) -> AsyncGenerator[Delta]:
        """Yield the answer to what `prepare` makes for each deployment."""
        return self._router.stream(target, prepare, recording, admission, affinity)

    def _preparing(
        self,
        recording: Recording,
        output_tokens: int,
        render: Render,
        share: float,
        shapers: _Shapers,
    ) -> Prepare:
        async def prepare(deployment: Deployment, provider: Provider) -> Asked:
            family = self._families.get(deployment.family)
            if not provider.takes_text(deployment):
                family = family.conversing()
            window = await self._windows.window(deployment, provider, family.window)
            budget = _scaled(self._budget(window, output_tokens), share)
            rendered = await _fitted(family, budget, deployment, provider, render)
            recording.estimated(budget.tokens(len(text_of(rendered.prompt))))
            params = shapers.prepared(rendered, family)
            return Asked.in_text(deployment, provider, rendered.prompt, params)

        return prepare

    def _budget(self, window: int, output_tokens: int) -> Budget:
        settings = self._settings()
        return Budget(
            window=window,
            prefix_tokens=settings.completion_prefix_tokens,
            suffix_tokens=settings.completion_suffix_tokens,
            context_tokens=settings.completion_context_tokens,
            # A tiny window is shared with the prompt; what is asked for is a wish.
            output_tokens=min(output_tokens, max(1, window // 2)),
        )


async def _fitted(
    family: Family, budget: Budget, deployment: Deployment, provider: Provider, render: Render
) -> Rendered:
    """Render so that prompt and output fit the window, by the upstream's own count if it tells."""
    for _ in range(ROUNDS):
        rendered = render(family, budget)
        text = text_of(rendered.prompt)
        answer = rendered.params.max_tokens or budget.output_tokens
        room = budget.window - answer - _overhead(rendered.prompt)
        # No tokenizer makes more tokens than bytes, so most prompts need no counting.
        if len(text.encode()) <= room:
            return rendered
        count = await provider.count_tokens(deployment, text)
        if count is None or count <= room:
            return rendered
        budget = _scaled(budget, 0.9 * max(room, 1) / count)
    return render(family, budget)


def _scaled(budget: Budget, share: float) -> Budget:
    return msgspec.structs.replace(
        budget, characters_per_token=max(0.05, budget.characters_per_token * share)
    )


def _overhead(prompt: Prompt) -> int:
    """Return the tokens that an upstream's templates may add to a prompt."""
    if isinstance(prompt, Messages):
        return TEMPLATE_TOKENS + MESSAGE_TOKENS * len(prompt.messages)
    return TEMPLATE_TOKENS
