"""A conversation in which the model may ask for tools, one step a request.

Whoever asks runs the tool, and asks again with what it observed, until the model answers.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

from inhouse.core.requests import Params


class Attachment(Struct, frozen=True, kw_only=True):
    """What the user shows along with a message: `kind` in words, a `name`, and the content."""

    kind: str
    name: str = ""
    content: str = ""


class Turn(Struct, frozen=True, kw_only=True):
    """One message of the conversation so far; `role` is ``user``, ``assistant`` or ``system``."""

    role: str
    text: str
    attachments: tuple[Attachment, ...] = ()


class Step(Struct, frozen=True, kw_only=True):
    """A tool that the model asked for since the last question, and what came of it."""

    thought: str = ""
    tool: str
    tool_input: str = ""
    observation: str = ""


class AgentRequest(Struct, frozen=True, kw_only=True):
    """Take the next step towards an answer to the last user turn.

    `steps` were taken since. `tools` are the names of those that the caller can run now.
    `unavailable` are kinds of things that no tool can read. `today` is a date in words.
    """

    turns: tuple[Turn, ...]
    steps: tuple[Step, ...] = ()
    tools: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()
    today: str = ""
    params: Params = field(default_factory=Params)

    @property
    def question(self) -> int:
        """The place of the last user turn that says something, -1 where there is none."""
        spoken = (
            place
            for place, turn in enumerate(self.turns)
            if turn.role == "user" and turn.text.strip()
        )
        return max(spoken, default=-1)


class Action(Struct, frozen=True, kw_only=True):
    """Run this tool and ask again; always the last event of a step, and the only one."""

    thought: str
    tool: str
    tool_input: str


class AnswerDelta(Struct, frozen=True, kw_only=True):
    """A piece of the final answer; the last one tells why it ended, in OpenAI's words."""

    text: str
    finish_reason: str | None = None


class Unformatted(Struct, frozen=True, kw_only=True):
    """The model kept to no format: what it wrote is all the answer that there is."""

    text: str


class Failed(Struct, frozen=True, kw_only=True):
    """The step failed; `retryable` claims that the same request may well succeed."""

    message: str
    retryable: bool


AgentEvent = Action | AnswerDelta | Unformatted | Failed

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_AROUND = " \t\r\n*`'\"[](){}<>.,:;"


def tool_name(written: str) -> str:
    r"""Return a tool's name as it is registered: ``MergeRequestReader``, ``merge\_request_reader``.

    Markdown, quotes and brackets around it are left out.
    """
    plain = written.replace("\\_", "_").replace("GitLab", "Gitlab").strip(_AROUND)
    name = _WORD.sub("_", plain)
    return re.sub(r"[\s-]+", "_", name).lower()
