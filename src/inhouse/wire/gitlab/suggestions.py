"""Versions 3 and 4 of GitLab's code API: components in, JSON out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inhouse.core.delta import Answer
from inhouse.core.feature import Feature
from inhouse.core.requests import Snippet
from inhouse.errors import InvalidValueError
from inhouse.wire.decoding import decode_json
from inhouse.wire.gitlab import editing
from inhouse.wire.gitlab.answers import Answering, choices
from inhouse.wire.gitlab.editing import Choices, Code, Editing, Label, Name, Prompt, Turn
from inhouse.wire.gitlab.model import ModelMetadata, requested

WITH_CONTEXT = (7, 17, 1)
"""The first version of GitLab's language server whose components of context count."""
LONGEST_VERSION = 40

Provider = Literal["vertex-ai", "anthropic", "amazon_q"]


class Metadata(Struct, frozen=True, kw_only=True):
    """Which program made a component."""

    source: Name | None = None
    version: Name | None = None


class EditorPayload(Struct, frozen=True, kw_only=True):
    """Where the cursor stands."""

    file_name: str
    content_above_cursor: Code
    content_below_cursor: Code
    language_identifier: Name | None = None
    model_provider: Provider | None = None
    model_name: str | None = None
    stream: bool | None = None


class CompletionPayload(EditorPayload, frozen=True, kw_only=True):
    """What a completion is asked for."""

    choices_count: Choices | None = None
    prompt: Prompt = None


class Related(Struct, frozen=True, kw_only=True):
    """A related file or piece of one, where it has a name."""

    name: str | None = None
    content: str | None = None


class Enhancer(Struct, frozen=True, kw_only=True):
    """What GitLab knows besides; its examples and its own cuts of the code are not needed here."""

    related_files: list[str | Related] | None = None
    related_snippets: list[str | Related] | None = None
    libraries: list[str | Related] | None = None
    user_instruction: str | None = None


class GenerationPayload(EditorPayload, frozen=True, kw_only=True):
    """What a generation is asked for; any version of GitLab's prompts means ours."""

    prompt: Annotated[str, Meta(max_length=400_000)] | list[Turn] | None = None
    prompt_id: str | None = None
    prompt_version: str | None = None
    prompt_enhancer: Enhancer | None = None


class ContextPayload(Struct, frozen=True, kw_only=True):
    """Code from elsewhere."""

    type: Label
    name: Label
    content: Code


class Completion(Struct, frozen=True, kw_only=True, tag_field="type", tag="code_editor_completion"):
    """A component that asks for a completion."""

    payload: CompletionPayload
    metadata: Metadata | None = None


class Generation(Struct, frozen=True, kw_only=True, tag_field="type", tag="code_editor_generation"):
    """A component that asks for a generation."""

    payload: GenerationPayload
    metadata: Metadata | None = None


class Context(Struct, frozen=True, kw_only=True, tag_field="type", tag="code_context"):
    """A component that only goes along."""

    payload: ContextPayload
    metadata: Metadata | None = None


class Body(Struct, frozen=True, kw_only=True):
    """The body of both endpoints: the first component runs, the others are its context."""

    prompt_components: Annotated[
        list[Completion | Generation | Context], Meta(min_length=1, max_length=100)
    ]
    model_metadata: ModelMetadata | None = None


_decoder = msgspec.json.Decoder(Body)


def decode(raw: bytes, language_server: str) -> tuple[Feature, Editing]:
    """Return what is asked for, and of which feature.

    `language_server` is the version of the editor's, empty where it does not say.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value, or nothing is asked.
        RequestError: the body is not JSON.

    """
    body: Body = decode_json(raw, _decoder)
    first, *others = body.prompt_components
    sent = tuple(each.payload for each in others if isinstance(each, Context))
    known = _version(language_server) >= WITH_CONTEXT
    context = _snippets(sent) if known else ()
    model = requested(body.model_metadata)
    match first:
        case Completion(payload=payload):
            feature = Feature.COMPLETION
            said = editing.instruction(payload.prompt)
            choices_count = payload.choices_count
        case Generation(payload=payload):
            feature = Feature.GENERATION
            enhancer = payload.prompt_enhancer or Enhancer()
            said = editing.instruction(payload.prompt)
            said = said or editing.instruction(enhancer.user_instruction)
            context += _enhancing(enhancer)
            choices_count = None
        case Context():
            raise InvalidValueError(
                "'prompt_components[0]' is wrong: the first component says what is asked, and"
                " 'code_context' only goes along with 'code_editor_completion' or"
                " 'code_editor_generation'.",
                param="prompt_components[0].type",
            )
    remarks = () if model else editing.ignored(payload.model_provider, payload.model_name)
    if sent and not known:
        remarks += (_too_old(language_server),)
    return feature, Editing(
        path=editing.file_name(payload.file_name, "prompt_components[0].payload.file_name"),
        prefix=payload.content_above_cursor,
        suffix=payload.content_below_cursor,
        identifier=payload.language_identifier or "",
        instruction=said,
        context=context,
        choices=max(1, choices_count or 1),
        stream=bool(payload.stream),
        requested=model,
        remarks=remarks,
    )


def suggestions_answer(answering: Answering, answer: Answer) -> bytes:
    """Return a whole answer as JSON."""
    metadata = {
        "model": answering.model,
        "timestamp": answering.created,
        "enabled_feature_flags": answering.flags,
        "region": None,
    }
    told = {"choices": choices(answer), "metadata": metadata, "model": answering.model}
    return msgspec.json.encode(told)


def _snippets(payloads: Iterable[ContextPayload]) -> tuple[Snippet, ...]:
    return editing.snippets((each.name, each.content) for each in payloads)


def _enhancing(enhancer: Enhancer) -> tuple[Snippet, ...]:
    """Return what GitLab knows besides, named for what it is where it has no name."""
    entries = {
        "related file": enhancer.related_files,
        "related snippet": enhancer.related_snippets,
        "library": enhancer.libraries,
    }
    return editing.snippets(
        (entry.name or kind, entry.content or "") if isinstance(entry, Related) else (kind, entry)
        for kind, related in entries.items()
        for entry in related or ()
    )


def _version(said: str) -> tuple[int, ...]:
    """Return the numbers of a version, nothing where it is none."""
    parts = said[:LONGEST_VERSION].partition("-")[0].split(".")
    whole = all(part.isascii() and part.isdigit() for part in parts)
    return tuple(int(part) for part in parts) if whole else ()


def _too_old(language_server: str) -> str:
    needed = ".".join(map(str, WITH_CONTEXT))
    told = language_server[:LONGEST_VERSION] or "none that is told"
    return (
        f"The components of context were left out: they need version {needed} of GitLab's language"
        f" server, and the editor's is {told}."
    )
