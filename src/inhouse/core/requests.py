"""What callers ask for, whatever dialect they speak; never mutated on the way."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from inhouse.core.catalog import Limits, Role
from inhouse.core.deadlines import Deadlines
from inhouse.core.secret import Secret

_UNLIMITED = Limits()


class Caller(Struct, frozen=True):
    """The authenticated user or service behind a request.

    `limits` are those of the caller's key, `team_limits` those that the whole team shares. `mark`
    tells the key from another one that has its name later; empty where there is no key.
    """

    name: str
    role: Role
    models: tuple[str, ...] = ()
    team: str = ""
    limits: Limits = field(default_factory=Limits)
    team_limits: Limits = field(default_factory=Limits)
    mark: str = ""

    @property
    def limited(self) -> bool:
        """Whether anything limits what the caller may ask for in a minute."""
        return self.limits != _UNLIMITED or self.team_limits != _UNLIMITED

    def may_use(self, model: str) -> bool:
        """Tell whether the caller's key allows the model, by feature or deployment name."""
        return not self.models or model in self.models


class Params(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sampling settings, and what else goes along with a prompt; None means not said.

    `extra` holds fields of the OpenAI dialect that inhouse only hands on (``response_format``,
    ``tools``, ``logit_bias`` …). `request_id` reaches the upstream as ``X-Request-ID``. `whole`
    says that nobody reads the answer before its end: a provider may then ask for it in one piece,
    if a hang-up reaches its upstream all the same. `deadlines` are what is left for this attempt.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    request_id: str = ""
    whole: bool = False
    deadlines: Deadlines = field(default_factory=Deadlines)


class Snippet(Struct, frozen=True, kw_only=True):
    """Code from elsewhere that the caller sends along: a whole file or a piece of one.

    `name` is a path, or what the caller calls it.
    """

    name: str
    content: str


class RequestedModel(Struct, frozen=True, kw_only=True):
    """The model that a request itself names, in the fields of a deployment; empty is not said.

    One that is `listed` is no model of the caller's, but chosen from the list that we gave out: its
    identifier is a deployment's name. `prefix` is what the request writes before each field's name.
    """

    family: str = ""
    identifier: str = ""
    endpoint: str = ""
    api_key: Secret = field(default_factory=Secret)
    listed: bool = False
    prefix: str = ""

    def named(self, field: str) -> str:
        """Return a field's name, as the request writes it."""
        return self.prefix + field


class CompletionRequest(Struct, frozen=True, kw_only=True):
    """Fill in at the cursor between `prefix` and `suffix`; `path` is relative to the project.

    `project` tells apart files of one path where it is known. `user` is whom the caller asks for,
    where one key stands for many. `context` is the best first. What is to be `fresh` is asked of a
    model, whatever is remembered.
    """

    prefix: str
    suffix: str = ""
    path: str = ""
    project: str = ""
    language: str = ""
    user: str = ""
    fresh: bool = False
    context: tuple[Snippet, ...] = ()
    params: Params = field(default_factory=Params)


class GenerationRequest(Struct, frozen=True, kw_only=True):
    """Write code from an instruction, at the cursor between `prefix` and `suffix`.

    Without an instruction, the code before the cursor says what is wanted. `fresh_line` says that
    the code belongs below the line of the cursor. `context` is the best first.
    """

    instruction: str
    prefix: str = ""
    suffix: str = ""
    path: str = ""
    language: str = ""
    fresh_line: bool = False
    context: tuple[Snippet, ...] = ()
    params: Params = field(default_factory=Params)


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """Turn each text into a vector, of so many dimensions where that is said."""

    texts: tuple[str, ...]
    dimensions: int | None = None
    params: Params = field(default_factory=Params)


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chat message in OpenAI's shape; parts and tool calls are handed on as they came."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """What it says in words: its parts of text, a line each."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        parts = (part.get("text") for part in self.content)
        return "\n".join(part for part in parts if isinstance(part, str))


class ChatRequest(Struct, frozen=True, kw_only=True):
    """Continue a conversation."""

    messages: tuple[Message, ...]
    params: Params = field(default_factory=Params)
