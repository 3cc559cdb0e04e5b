"""What rendering makes: a prompt, and the params that go with it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Message, Params
from inhouse.families import Sampling
from inhouse.prompts.budget import Budget, size

MESSAGE_TOKENS = 8
"""What a chat template adds to a message, generously."""
SPREAD = 0.4
"""Temperature for several choices: greedy ones would all be the same."""


class Rendered(Struct, frozen=True, kw_only=True):
    """A prompt with its params, ready for a provider.

    `disarmed` are the special tokens that stood in the caller's code: an answer that repeats such
    code goes through `restore`.
    """

    prompt: Prompt
    params: Params
    disarmed: tuple[str, ...] = ()


def rendered(
    prompt: Prompt,
    params: Params,
    budget: Budget,
    sampling: Sampling,
    *,
    stop: tuple[str, ...] = (),
    disarmed: tuple[str, ...] = (),
) -> Rendered:
    """Join the caller's params with the family's, and limit the answer to what the window leaves.

    The caller's params win; the family's stops are added to the caller's.
    """
    filled = msgspec.structs.replace(
        params,
        **_sampling(params, sampling),
        max_tokens=budget.output(params.max_tokens, tokens(prompt, budget)),
        stop=tuple(dict.fromkeys((*params.stop, *stop))),
    )
    return Rendered(prompt=prompt, params=filled, disarmed=tuple(dict.fromkeys(disarmed)))


def sampled(params: Params, sampling: Sampling) -> Params:
    """Return the params with the family's sampling settings where the caller says nothing."""
    return msgspec.structs.replace(params, **_sampling(params, sampling))


def _sampling(params: Params, sampling: Sampling) -> dict[str, float | None]:
    temperature = sampling.temperature
    if temperature == 0 and params.n > 1:
        temperature = SPREAD
    return {
        "temperature": temperature if params.temperature is None else params.temperature,
        "top_p": sampling.top_p if params.top_p is None else params.top_p,
    }


def around(count: int, budget: Budget) -> int:
    """Return the bytes that a chat template takes for so many messages, beside their texts."""
    # One more each, since what is left of a message's last token counts whole.
    return budget.bytes(MESSAGE_TOKENS * count) + count


def taken(conversation: Sequence[Message], budget: Budget) -> int:
    """Return the bytes that messages take, with what a chat template adds to them."""
    texts = sum(size(each.content) for each in conversation if isinstance(each.content, str))
    return texts + around(len(conversation), budget)


def tokens(prompt: Prompt, budget: Budget) -> int:
    """Estimate a prompt's tokens; a message that is no plain text counts only as a message."""
    match prompt:
        case Text(text):
            return budget.tokens(size(text))
        case Fim(prefix=prefix, suffix=suffix):
            return budget.tokens(size(prefix) + size(suffix))
        case Messages(messages):
            texts = (each.content if isinstance(each.content, str) else "" for each in messages)
            return sum(MESSAGE_TOKENS + budget.tokens(size(text)) for text in texts)
