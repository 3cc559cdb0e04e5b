"""``POST /v2/chat/agent``: what GitLab's chat sends for each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from inhouse.core.agent import AgentRequest, Attachment, Step, Turn, tool_name
from inhouse.core.requests import Params
from inhouse.errors import InvalidValueError
from inhouse.wire.decoding import decode_json
from inhouse.wire.gitlab.model import ModelMetadata

MISPLACED = "agent_scratchpad can only be present when role is ASSISTANT"


class Context(Struct, frozen=True):
    """The page that the user looks at; `content` comes from GitLab before 17.9."""

    type: str | None = None
    title: str | None = None
    content: str | None = None


class CurrentFile(Struct, frozen=True):
    """The file in the editor, or what is selected there."""

    file_path: str | None = None
    data: str | None = None
    selected_code: bool | None = None


class AdditionalContext(Struct, frozen=True, kw_only=True):
    """Something that the user has added to the message."""

    category: str
    id: str | int | None = None
    content: str | None = None
    metadata: dict[str, Any] | None = None


class CalledTool(Struct, frozen=True):
    """What we said in an ``action`` event."""

    thought: str | None = None
    tool: str | None = None
    tool_input: str | None = None


class TakenStep(Struct, frozen=True):
    """A tool that was run, and what came of it."""

    action: CalledTool | None = None
    observation: str | None = None


class BodyMessage(Struct, frozen=True, kw_only=True):
    """One message; the assistant's without content stands for the question that is in work."""

    role: Literal["user", "assistant", "system"]
    content: str | None = None
    context: Context | None = None
    current_file: CurrentFile | None = None
    additional_context: list[AdditionalContext] | None = None
    agent_scratchpad: list[TakenStep] | None = None


class OlderStep(Struct, frozen=True):
    """A step as older GitLabs send it."""

    thought: str | None = None
    tool: str | None = None
    tool_input: str | None = None
    observation: str | None = None


class OlderScratchpad(Struct, frozen=True):
    """The steps as older GitLabs send them."""

    steps: list[OlderStep] | None = None


class Options(Struct, frozen=True):
    """What older GitLabs send beside the messages."""

    agent_scratchpad: OlderScratchpad | None = None


class Body(Struct, frozen=True, kw_only=True):
    """The body of a request."""

    messages: Annotated[list[BodyMessage], Meta(min_length=1)]
    options: Options | None = None
    unavailable_resources: list[str] | None = None
    model_metadata: ModelMetadata | None = None

    @property
    def misplaced(self) -> bool:
        """Whether steps stand in a message that is not the assistant's."""
        return any(each.agent_scratchpad and each.role != "assistant" for each in self.messages)

    @property
    def question(self) -> str:
        """The user's last message that says something."""
        spoken = (each.content or "" for each in reversed(self.messages) if each.role == "user")
        return next((text for text in spoken if text.strip()), "")

    @property
    def categories(self) -> list[str]:
        """What kinds of additional context there are, each once, in small letters."""
        added = (each for message in self.messages for each in message.additional_context or ())
        return list(dict.fromkeys(each.category.lower() for each in added))


_body = msgspec.json.Decoder(Body)


def decode(raw: bytes) -> Body:
    """Return the body.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    body: Body = decode_json(raw, _body)
    if not body.question:
        raise InvalidValueError(
            "'messages' holds no question: send a message with the role 'user' and a content.",
            param="messages",
        )
    return body


def agent_request(body: Body, tools: tuple[str, ...], today: str, request_id: str) -> AgentRequest:
    """Return the step to take; steps in ``options`` win over those in the last message."""
    return AgentRequest(
        turns=tuple(_turns(body)),
        steps=tuple(_steps(body)),
        tools=tools,
        unavailable=tuple(body.unavailable_resources or ()),
        today=today,
        params=Params(request_id=request_id),
    )


def _turns(body: Body) -> Iterator[Turn]:
    for each in body.messages:
        if each.content is not None:
            attachments = tuple(_attachments(each))
            yield Turn(role=each.role, text=each.content, attachments=attachments)


def _steps(body: Body) -> Iterator[Step]:
    older = body.options and body.options.agent_scratchpad
    if older is not None:
        for each in older.steps or ():
            yield _step(each.thought, each.tool, each.tool_input, each.observation)
        return
    for each in body.messages[-1].agent_scratchpad or ():
        called = each.action or CalledTool()
        yield _step(called.thought, called.tool, called.tool_input, each.observation)


def _step(
    thought: str | None, tool: str | None, tool_input: str | None, observation: str | None
) -> Step:
    return Step(
        thought=thought or "",
        tool=tool_name(tool or ""),
        tool_input=tool_input or "",
        observation=observation or "",
    )


def _attachments(message: BodyMessage) -> Iterator[Attachment]:
    page = message.context
    if page is not None and (page.title or page.content):
        kind = f"On the page is the {_words(page.type or 'thing')}"
        yield Attachment(kind=kind, name=page.title or "", content=page.content or "")
    file = message.current_file
    if file is not None and (file.data or file.file_path):
        kind = "Selected in the editor, from" if file.selected_code else "Open in the editor:"
        yield Attachment(kind=kind, name=file.file_path or "", content=file.data or "")
    for each in message.additional_context or ():
        if each.content or each.id or each.metadata:
            kind = f"Attached {_words(each.category)}"
            yield Attachment(kind=kind, name=_name(each), content=each.content or "")


def _name(added: AdditionalContext) -> str:
    """Return what an addition is called: what its metadata say, else its id."""
    metadata = added.metadata or {}
    named = (metadata.get(key) for key in ("title", "file_path", "name", "path"))
    found = next((each for each in named if isinstance(each, str) and each), None)
    return found or str(added.id or "")


def _words(name: str) -> str:
    return name.replace("_", " ")[:100]
