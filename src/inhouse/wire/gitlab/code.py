"""Version 2 of GitLab's code API: ``/v2/code/completions`` and ``/v2/code/generations``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from inhouse.core.delta import Answer
from inhouse.core.requests import RequestedModel
from inhouse.errors import InvalidValueError
from inhouse.wire.decoding import decode_json
from inhouse.wire.gitlab import editing
from inhouse.wire.gitlab.answers import Answering, choices
from inhouse.wire.gitlab.editing import Choices, Code, Editing, Label, Name, Prompt
from inhouse.wire.gitlab.model import (
    FLAT,
    SELF_HOSTED,
    ApiKey,
    Identifier,
    ModelMetadata,
    Short,
    requested,
)

Provider = Literal[
    "litellm", "anthropic", "vertex-ai", "codestral", "fireworks_ai", "amazon_q", "gitlab"
]
FRESH = ("comment", "empty_function")
"""What editors call places whose code belongs below the line of the cursor."""


class CurrentFile(Struct, frozen=True, kw_only=True):
    """The file that is being edited; its name is relative to the project."""

    file_name: str
    content_above_cursor: Code
    content_below_cursor: Code
    language_identifier: Name | None = None


class Context(Struct, frozen=True, kw_only=True):
    """Code from elsewhere."""

    type: Label
    name: Label
    content: Annotated[str, Meta(max_length=500_000)]


class Telemetry(Struct, frozen=True, kw_only=True):
    """What an editor counted before; nobody here needs it."""

    model_engine: str | None = None
    model_name: str | None = None
    lang: Annotated[str, Meta(max_length=50)] | None = None
    requests: int
    accepts: int
    errors: int


class CodeBody(Struct, frozen=True, kw_only=True):
    """The body of both endpoints; what is not here is ignored.

    `prompt` is text in version 2 and a conversation in version 3; a version that is not said is 1.
    `user_instruction` and `generation_type` are those of editors, and come along as they are.
    """

    current_file: CurrentFile
    prompt_version: Literal[1, 2, 3] | None = None
    prompt: Prompt = None
    user_instruction: str | None = None
    generation_type: str | None = None
    project_path: Name | None = None
    project_id: int | None = None
    model_provider: Provider | None = None
    model_name: Annotated[str, Meta(max_length=50)] | None = None
    model_endpoint: Short | None = None
    model_api_key: ApiKey | None = None
    model_identifier: Identifier | None = None
    model_metadata: ModelMetadata | None = None
    telemetry: Annotated[list[Telemetry], Meta(max_length=10)] | None = None
    stream: bool | None = None
    choices_count: Choices | None = None
    context: Annotated[list[Context], Meta(max_length=100)] | None = None

    def __repr__(self) -> str:
        # A key shows in no log, whoever prints this.
        return f"CodeBody(model_provider={self.model_provider!r}, model_name={self.model_name!r})"


_decoder = msgspec.json.Decoder(CodeBody)


def decode_completion(raw: bytes) -> Editing:
    """Return what a completion is asked for.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    return _editing(decode_json(raw, _decoder))


def decode_generation(raw: bytes) -> Editing:
    """Return what a generation is asked for; raises as `decode_completion`."""
    body: CodeBody = decode_json(raw, _decoder)
    version = body.prompt_version or 1
    if body.prompt is None and version != 1:
        raise _wrong_prompt(version)
    return _editing(body)


def code_answer(answering: Answering, answer: Answer, tokens: dict[str, Any] | None) -> bytes:
    """Return a whole answer as JSON; `tokens` are None where nothing is counted."""
    return msgspec.json.encode(
        {
            "id": "id",
            "model": {**answering.model, "tokens_consumption_metadata": tokens},
            "experiments": [],
            "object": "text_completion",
            "created": answering.created,
            "choices": choices(answer),
            "metadata": {"enabled_feature_flags": answering.flags},
        }
    )


def _editing(body: CodeBody) -> Editing:
    file = body.current_file
    version = body.prompt_version or 1
    if body.prompt is not None and version != 1 and isinstance(body.prompt, str) != (version == 2):
        raise _wrong_prompt(version)
    model = _requested(body)
    return Editing(
        path=editing.file_name(file.file_name, "current_file.file_name"),
        prefix=file.content_above_cursor,
        suffix=file.content_below_cursor,
        project=body.project_path or "",
        identifier=file.language_identifier or "",
        instruction=editing.instruction(body.prompt) or editing.instruction(body.user_instruction),
        context=editing.snippets((each.name, each.content) for each in body.context or ()),
        choices=max(1, body.choices_count or 1),
        stream=bool(body.stream),
        fresh_line=body.generation_type in FRESH,
        requested=model,
        remarks=() if model else editing.ignored(body.model_provider, body.model_name),
    )


def _requested(body: CodeBody) -> RequestedModel | None:
    """Return the model that a body names, in an object or in flat fields."""
    nested = requested(body.model_metadata)
    if nested is not None:
        return nested
    located = body.model_endpoint or body.model_identifier
    # A provider's own models are not ours to ask, nor is a mere name that belongs to nobody.
    if body.model_provider != SELF_HOSTED and not located:
        return None
    return requested(
        ModelMetadata(
            provider=body.model_provider,
            name=body.model_name,
            endpoint=body.model_endpoint,
            api_key=body.model_api_key,
            identifier=body.model_identifier,
        ),
        prefix=FLAT,
    )


def _wrong_prompt(version: int) -> InvalidValueError:
    shape = "text" if version == 2 else "a list of messages with 'role' and 'content'"
    return InvalidValueError(
        f"'prompt' is wrong: version {version} of prompts is {shape}.", param="prompt"
    )
