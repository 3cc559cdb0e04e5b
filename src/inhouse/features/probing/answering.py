"""Does each feature answer a small sample, and does it answer with what belongs there?"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from inhouse.core.feature import Feature
from inhouse.core.requests import ChatRequest, CompletionRequest, GenerationRequest, Message, Params
from inhouse.errors import InhouseError, UpstreamError, UpstreamFailure
from inhouse.features import samples
from inhouse.features.probing.evidence import Answered, Evidence, Filling, Skipped, Suffix
from inhouse.features.probing.subject import Heard, Subject
from inhouse.prompts import Rendered, render_chat, render_completion, render_generation

MAX_TOKENS = 48
HOLE_TOKENS = 8
INSTRUCTION = "Write a function that returns the larger one of two numbers."
HOLES = (
    ("import ", ("\n\nprint(json.dumps({}))\n", "\n\nprint(math.sqrt(2))\n")),
    ("result = ", ("\nassert result == 41\n", "\nassert result == 'blue'\n")),
)
"""Code before the cursor, and two kinds of code behind it that call for different fillings."""
CALLED_FOR = ("json", "math")
"""What the first pair calls for."""


def completion(subject: Subject, prefix: str = samples.PREFIX, suffix: str = "") -> Rendered:
    """Render a completion as the gateway would, without the family's stops.

    So special tokens that come back as text are seen.
    """
    request = CompletionRequest(
        prefix=prefix,
        suffix=suffix or samples.SUFFIX,
        path="shapes.py",
        params=Params(max_tokens=MAX_TOKENS, temperature=0.0),
    )
    found = render_completion(request, subject.family, subject.budget(MAX_TOKENS))
    return _without_stops(found)


async def complete(subject: Subject, _: Evidence) -> Answered:
    """Let it fill in a line of Python."""
    return await _answered(subject, lambda: completion(subject))


async def generate(subject: Subject, _: Evidence) -> Answered | Skipped:
    """Let it write a function."""
    family = subject.family
    if not family.serves(Feature.GENERATION):
        return Skipped(f"Models of the family '{family.name}' write no code from words.")
    request = GenerationRequest(
        instruction=INSTRUCTION, path="larger.py", params=Params(max_tokens=MAX_TOKENS)
    )

    def rendered() -> Rendered:
        return _without_stops(
            render_generation(request, subject.family, subject.budget(MAX_TOKENS))
        )

    return await _answered(subject, rendered)


async def chat(subject: Subject, _: Evidence) -> Answered | Skipped:
    """Ask it a short question."""
    family = subject.family
    if not family.serves(Feature.CHAT):
        return Skipped(f"Models of the family '{family.name}' do not chat.")
    message = Message(role="user", content=samples.QUESTION)
    request = ChatRequest(messages=(message,), params=Params(max_tokens=MAX_TOKENS))
    return await _answered(subject, lambda: render_chat(request, family))


async def embed(subject: Subject, _: Evidence) -> Answered:
    """Have a line of Python embedded."""
    try:
        heard = await samples.embed(subject.provider, subject.deployment)
    except InhouseError as error:
        return Answered(error=str(error))
    return Answered(milliseconds=heard.milliseconds)


async def fill(subject: Subject, evidence: Evidence) -> Filling | Skipped:
    """Fill holes that only the code behind them explains; a second pair where one tells nothing."""
    if subject.native:
        return Skipped("An index is no model: it fills in where the repository repeats itself.")
    if evidence.completion is None or evidence.completion.error:
        return Skipped("It answers no completion.")
    for prefix, suffixes in HOLES:
        texts = [await _filling(subject, prefix, suffix) for suffix in suffixes]
        if all(wanted in text for wanted, text in zip(CALLED_FOR, texts, strict=True)):
            return Filling(suffix=Suffix.RIGHT)
        if texts[0] != texts[1]:
            return Filling(suffix=Suffix.USED)
    return Filling(suffix=Suffix.IGNORED)


async def _filling(subject: Subject, prefix: str, suffix: str) -> str:
    asked = completion(subject, prefix, suffix)
    params = msgspec.structs.replace(asked.params, max_tokens=HOLE_TOKENS)
    return (await subject.ask(asked.prompt, params)).text


async def _answered(subject: Subject, render: Callable[[], Rendered]) -> Answered:
    try:
        heard = await _heard(subject, render)
    except InhouseError as error:
        return Answered(error=str(error))
    return Answered(
        empty=not (heard.text.strip() or heard.tool_calls),
        leaked=_leaked(subject, heard),
        milliseconds=heard.milliseconds,
    )


async def _heard(subject: Subject, render: Callable[[], Rendered]) -> Heard:
    rendered = render()
    try:
        return await subject.ask(rendered.prompt, rendered.params)
    except UpstreamError as error:
        if error.failure is not UpstreamFailure.MESSAGES_ONLY:
            raise
    # The provider has just learned that; the family is rendered otherwise now.
    rendered = render()
    return await subject.ask(rendered.prompt, rendered.params)


def _leaked(subject: Subject, heard: Heard) -> tuple[str, ...]:
    return tuple(each for each in subject.family.tokens if each in heard.text)


def _without_stops(rendered: Rendered) -> Rendered:
    params = msgspec.structs.replace(rendered.params, stop=())
    return msgspec.structs.replace(rendered, params=params)
