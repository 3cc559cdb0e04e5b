"""Tasks that are asked for by name, with what they work on as named inputs: ``data/tasks.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from inhouse.core.feature import Feature
from inhouse.core.prompt import Messages
from inhouse.core.requests import Params
from inhouse.families import Family
from inhouse.prompts.budget import Budget
from inhouse.prompts.chat import check_chats
from inhouse.prompts.conversation import fold
from inhouse.prompts.fitting import Keep, Piece, fit
from inhouse.prompts.rendered import Rendered, rendered, taken
from inhouse.prompts.templates import messages


class AnswerForm(StrEnum):
    """What the answer has to be: text as the model writes it or without a fence, or JSON alone."""

    TEXT = "text"
    UNWRAPPED = "unwrapped"
    JSON = "json"


class Input(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a task works on; `default` stands for one that is not given."""

    required: bool = False
    keep: Keep = Keep.HEAD
    weight: Annotated[int, Meta(ge=1)] = 1
    default: str = ""


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task. `output_tokens` is its usual longest answer, `words` are fixed parts of its template.

    Without a template, it is our completion or generation.
    """

    feature: Feature
    scopes: tuple[str, ...]
    template: str = ""
    output_tokens: int = 0
    answer: AnswerForm = AnswerForm.TEXT
    inputs: dict[str, Input] = field(default_factory=dict[str, Input])
    words: dict[str, str] = field(default_factory=dict[str, str])

    def missing(self, given: Mapping[str, str]) -> list[str]:
        """Return the names of the required inputs that are not among the given ones."""
        return [name for name, each in self.inputs.items() if each.required and name not in given]


class TaskRequest(Struct, frozen=True, kw_only=True):
    """Do `task` with `inputs`; what the task does not know among them is ignored."""

    task: Task
    inputs: dict[str, str]
    params: Params = field(default_factory=Params)


@cache
def tasks() -> dict[str, Task]:
    """Return all tasks by the id that GitLab knows them by."""
    source = (files("inhouse.prompts") / "data" / "tasks.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(source), dict[str, Task])


def render_task(request: TaskRequest, family: Family, budget: Budget) -> Rendered:
    """Render a task; its inputs are cut where the window is small, and never read as template.

    Raises:
        InvalidValueError: the family does not chat.

    """
    check_chats(family)
    task = request.task
    pieces = {name: _piece(request.inputs, name, each) for name, each in task.inputs.items()}
    room = budget.room(request.params.max_tokens) - _fixed(task, pieces, budget)
    fitted = fit(pieces, room, family.tokens)
    return rendered(
        Messages(fold(messages(task.template, task.words | fitted.texts), family)),
        request.params,
        budget,
        family.sampling.chat,
        disarmed=fitted.disarmed,
    )


def _piece(given: Mapping[str, str], name: str, known: Input) -> Piece:
    text = given.get(name) or known.default
    return Piece(text=text if text.strip() else "", keep=known.keep, weight=known.weight)


def _fixed(task: Task, pieces: Mapping[str, Piece], budget: Budget) -> int:
    """Return the bytes that the rendered template takes beside its inputs."""
    # A letter for each input that has a text, so that its section is there.
    stand_ins = {name: each.text[:1] for name, each in pieces.items()}
    return taken(messages(task.template, task.words | stand_ins), budget)
