"""Requests rendered to prompts within a token budget; pure functions of their arguments."""

from inhouse.prompts.agent import render_step
from inhouse.prompts.budget import Budget
from inhouse.prompts.chat import render_chat
from inhouse.prompts.completion import render_completion
from inhouse.prompts.file import is_comment, line_comment
from inhouse.prompts.generation import render_generation
from inhouse.prompts.hole import marker
from inhouse.prompts.prepared import render_prepared
from inhouse.prompts.rendered import MESSAGE_TOKENS, Rendered
from inhouse.prompts.special import restore
from inhouse.prompts.split import split_fim
from inhouse.prompts.tasks import AnswerForm, Task, TaskRequest, render_task, tasks

__all__ = [
    "MESSAGE_TOKENS",
    "AnswerForm",
    "Budget",
    "Rendered",
    "Task",
    "TaskRequest",
    "is_comment",
    "line_comment",
    "marker",
    "render_chat",
    "render_completion",
    "render_generation",
    "render_prepared",
    "render_step",
    "render_task",
    "restore",
    "split_fim",
    "tasks",
]
