"""What all requests for code have in common, whatever version of GitLab's API they came by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from inhouse.core.requests import (
    CompletionRequest,
    GenerationRequest,
    Params,
    RequestedModel,
    Snippet,
)
from inhouse.errors import InvalidValueError
from inhouse.wire.gitlab.languages import language
from inhouse.wire.gitlab.model import LISTED

NAME = 255
"""Characters of a file's name at most, blanks around it aside."""
HEALTH_CHECK = ("test.rb", "def hello_world", "")
"""File, and code around the cursor, of the completion that GitLab's health check asks for."""
MESSAGE = "INSTRUCTIONS.md"
"""What a completion's prompt is called among the files that go along."""

Name = Annotated[str, Meta(max_length=NAME)]
Code = Annotated[str, Meta(max_length=100_000)]
Label = Annotated[str, Meta(max_length=1024)]
Choices = Annotated[int, Meta(le=128)]


class Turn(Struct, frozen=True):
    """One message of a prompt that comes as a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = str | list[Turn] | None


class Editing(Struct, frozen=True, kw_only=True):
    """A request for code: where the cursor stands, and what is wanted there.

    `project` is where the file belongs, empty where the editor does not say. `identifier` is the
    editor's name for the language. `fresh_line` says that the code belongs below the line of the
    cursor. `remarks` are sentences about what is asked and not done.
    """

    path: str
    prefix: str
    suffix: str
    project: str = ""
    identifier: str = ""
    instruction: str = ""
    context: tuple[Snippet, ...] = ()
    choices: int = 1
    stream: bool = False
    fresh_line: bool = False
    requested: RequestedModel | None = None
    remarks: tuple[str, ...] = ()

    @property
    def language(self) -> str:
        """The language's name, empty where nothing tells it."""
        return language(self.identifier, self.path)

    @property
    def said_language(self) -> str:
        """The language where the request says it, by the name that all else here knows it by.

        GitLab itself says "Google SQL" or "Shell" where editors say ``sql`` and ``shellscript``.
        """
        return (self.language or self.identifier) if self.identifier.strip() else ""

    @property
    def probes(self) -> bool:
        """Whether this is GitLab's health check, which is to find out whether a model answers."""
        return (self.path, self.prefix, self.suffix) == HEALTH_CHECK

    def completion(self, user: str, request_id: str, *, fresh: bool) -> CompletionRequest:
        """Return the hole to fill.

        No form of completion takes instructions, but all take other files. So the prompt of a
        request becomes the first of these, rather than to be lost.
        """
        said = (Snippet(name=MESSAGE, content=self.instruction),) if self.instruction else ()
        return CompletionRequest(
            prefix=self.prefix,
            suffix=self.suffix,
            path=self.path,
            project=self.project,
            language=self.said_language,
            user=user,
            context=said + self.context,
            fresh=fresh or self.probes,
            params=self._params(request_id),
        )

    def generation(self, request_id: str) -> GenerationRequest:
        """Return the code to write."""
        return GenerationRequest(
            instruction=self.instruction,
            prefix=self.prefix,
            suffix=self.suffix,
            path=self.path,
            language=self.said_language,
            fresh_line=self.fresh_line,
            context=self.context,
            params=self._params(request_id),
        )

    def _params(self, request_id: str) -> Params:
        # Neither form of stream can be read where several choices are mixed in it.
        choices = 1 if self.stream else self.choices
        return Params(n=choices, request_id=request_id, whole=not self.stream)


def instruction(prompt: Prompt) -> str:
    """Return what a prompt asks for: its text, or what its system and its user say.

    Turns of the assistant are left out: they are examples, or the start of an answer that a model
    elsewhere was to continue.
    """
    if prompt is None:
        return ""
    if isinstance(prompt, str):
        return prompt if prompt.strip() else ""
    told = (each.content.strip() for each in prompt if each.role != "assistant")
    return "\n\n".join(text for text in told if text)


def file_name(name: str, param: str) -> str:
    """Return a file's name without blanks around it; raises `InvalidValueError` if too long."""
    name = name.strip()
    if len(name) > NAME:
        raise InvalidValueError(
            f"'{param}' is wrong: a file's name has {NAME} characters at most, not {len(name)}.",
            param=param,
        )
    return name


def snippets(named: Iterable[tuple[str, str]]) -> tuple[Snippet, ...]:
    """Return code from elsewhere by name and content, without what is blank."""
    return tuple(Snippet(name=name, content=content) for name, content in named if content.strip())


def ignored(provider: str | None, name: str | None) -> tuple[str, ...]:
    """Return the remark about a model that a request names and that nobody here can ask."""
    if not name and provider in {None, LISTED}:
        return ()
    whose = f" of '{provider}'" if provider else ""
    remark = (
        f"The request names the model '{name or 'unknown'}'{whose}, which nobody hosts here:"
        " the feature's route answers."
    )
    return (remark,)
