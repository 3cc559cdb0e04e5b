"""Ask a deployment within its real window: render, count where it is close, cut again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable

import msgspec

from inhouse.core.catalog import Deployment, Settings
from inhouse.core.delta import Delta, Deltas
from inhouse.core.ports import Provider
from inhouse.core.prompt import Fim, Prompt, Text
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.families import Families, Family
from inhouse.features.restoring import Restorer
from inhouse.prompts import Budget, Rendered
from inhouse.records.recording import Recording
from inhouse.routing.router import Asked, Router
from inhouse.routing.target import Target
from inhouse.routing.windows import Windows

ROUNDS = 4
"""Times that a prompt is counted and cut again at most."""
TIGHTER = (1.0, 0.5, 0.2)
"""Shares of the characters a token that are tried in turn when an upstream says "too long"."""
TEMPLATE_TOKENS = 32
"""Kept free for what an upstream's own template adds around a prompt."""
MESSAGE_TOKENS = 8
"""Likewise around each message."""

Render = Callable[[Family, Budget], Rendered]


class Asking:
    """What the features share: families, windows, budgets, and the router behind them."""

    def __init__(
        self,
        *,
        router: Router,
        windows: Windows,
        families: Families,
        settings: Callable[[], Settings],
    ) -> None:
        """`settings` returns the live settings."""
        self._router = router
        self._windows = windows
        self._families = families
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._settings()

    async def stream(
        self, target: Target, recording: Recording, *, output_tokens: int, render: Render
    ) -> AsyncGenerator[Delta]:
        """Yield the answer of the first deployment that gives one, from a prompt that fits.

        An upstream that still says "too long" is asked again with less, since some neither count
        tokens for us nor count as we estimate.
        """
        disarmed: list[str] = []
        for share in TIGHTER:

            async def prepare(
                deployment: Deployment, provider: Provider, share: float = share
            ) -> Asked:
                family = self._families.get(deployment.family)
                window = await self._windows.window(deployment, provider, family.window)
                budget = self._budget(window, output_tokens)
                budget = _scaled(budget, share)
                rendered = await _fitted(family, budget, deployment, provider, render)
                disarmed[:] = rendered.disarmed
                recording.estimated(budget.tokens(len(_plain(rendered.prompt)[0])))
                return Asked(rendered.prompt, rendered.params)

            begun = False
            deltas = self._router.stream(target, prepare, recording)
            try:
                async with contextlib.aclosing(_restored(deltas, disarmed)) as restored:
                    async for delta in restored:
                        begun = True
                        yield delta
            except UpstreamError as error:
                too_long = error.failure is UpstreamFailure.CONTEXT_LENGTH
                if begun or not too_long or share == TIGHTER[-1]:
                    raise
            else:
                return

    def untouched(
        self, target: Target, recording: Recording, *, render: Callable[[Family], Rendered]
    ) -> AsyncGenerator[Delta]:
        """Yield the answer to a prompt that is not ours to cut: a conversation is the caller's."""

        async def prepare(deployment: Deployment, _: Provider) -> Asked:
            rendered = render(self._families.get(deployment.family))
            return Asked(rendered.prompt, rendered.params)

        return self._router.stream(target, prepare, recording)

    def _budget(self, window: int, output_tokens: int) -> Budget:
        settings = self._settings()
        return Budget(
            window=window,
            prefix_tokens=settings.completion_prefix_tokens,
            suffix_tokens=settings.completion_suffix_tokens,
            # A tiny window is shared with the prompt; what is asked for is a wish.
            output_tokens=min(output_tokens, max(1, window // 2)),
        )


async def _restored(deltas: Deltas, disarmed: list[str]) -> AsyncGenerator[Delta]:
    """Pass a stream on, undoing what the prompt did to special tokens in the caller's code.

    `disarmed` is filled when the upstream is asked, that is before the first delta.
    """
    restorers: dict[int, Restorer] = {}
    async with contextlib.aclosing(deltas):
        async for delta in deltas:
            if not disarmed:
                yield delta
                continue
            restorer = restorers.setdefault(delta.index, Restorer(tuple(disarmed)))
            text = restorer.feed(delta.text)
            if delta.finish_reason is not None:
                text += restorer.finish()
            yield msgspec.structs.replace(delta, text=text)


async def _fitted(
    family: Family, budget: Budget, deployment: Deployment, provider: Provider, render: Render
) -> Rendered:
    """Render so that prompt and output fit the window, by the upstream's own count if it tells."""
    for _ in range(ROUNDS):
        rendered = render(family, budget)
        text, overhead = _plain(rendered.prompt)
        room = budget.window - (rendered.params.max_tokens or budget.output_tokens) - overhead
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


def _plain(prompt: Prompt) -> tuple[str, int]:
    """Return the prompt's text, and the tokens that templates may add to it."""
    match prompt:
        case Text(text=text):
            return text, TEMPLATE_TOKENS
        case Fim(prefix=prefix, suffix=suffix):
            return prefix + suffix, TEMPLATE_TOKENS
        case _:
            texts = [each.content for each in prompt.messages if isinstance(each.content, str)]
            return "\n".join(texts), TEMPLATE_TOKENS + MESSAGE_TOKENS * len(texts)
