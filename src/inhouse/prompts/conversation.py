"""Code around the cursor as a chat message, and system texts where the family wants them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from inhouse.core.requests import CompletionRequest, GenerationRequest, Message
from inhouse.families import Family, SystemRole
from inhouse.prompts.budget import Budget, head
from inhouse.prompts.file import about, line
from inhouse.prompts.hole import hole, marker
from inhouse.prompts.rendered import taken
from inhouse.prompts.snippets import beside, in_words
from inhouse.prompts.special import disarm, found
from inhouse.prompts.templates import messages


class Question(Struct, frozen=True, kw_only=True):
    """Messages about a hole in a file, and the special tokens that stood in the caller's text."""

    messages: tuple[Message, ...]
    disarmed: tuple[str, ...]


def asked(
    template: str,
    request: CompletionRequest | GenerationRequest,
    instruction: str,
    family: Family,
    budget: Budget,
) -> Question:
    """Render a template about the hole; an instruction comes first, the code takes what is left."""
    wanted = request.params.max_tokens
    values = {
        "marker": marker(request),
        "about": about(line(request.path), line(request.language)),
        "instruction": instruction,
    }
    hidden = found(values["about"] + instruction, family.tokens)
    values = {name: disarm(text, family.tokens) for name, text in values.items()}
    bare = _fixed(template, values | {"instruction": ""}, budget)
    values["instruction"] = head(values["instruction"], max(0, budget.room(wanted) - bare))
    fixed = _fixed(template, values, budget)
    code = hole(request.prefix, request.suffix, family, budget, wanted, fixed)
    files = beside(request, code, family, budget, fixed, in_words)
    values |= {"snippets": files.text, "before": code.prefix, "after": code.suffix}
    return Question(
        messages=fold(messages(template, values), family),
        disarmed=(*hidden, *files.disarmed, *code.disarmed),
    )


def fold(conversation: tuple[Message, ...], family: Family) -> tuple[Message, ...]:
    """Put a leading system message into the user's first one, where the family knows no system."""
    if family.system is SystemRole.MESSAGE or conversation[0].role != "system":
        return conversation
    text, rest = conversation[0].content, conversation[1:]
    if not isinstance(text, str) or not rest or rest[0].role != "user":
        return conversation
    return (msgspec.structs.replace(rest[0], content=joined(text, rest[0].content)), *rest[1:])


def joined(text: str, content: str | list[dict[str, Any]] | None) -> str | list[dict[str, Any]]:
    """Return `content` with `text` in front of it, as a paragraph or a part of its own."""
    if isinstance(content, list):
        return [{"type": "text", "text": text}, *content]
    return f"{text}\n\n{content}" if content else text


def _fixed(template: str, values: dict[str, str], budget: Budget) -> int:
    """Return the bytes that the rendered template takes without any code."""
    without_code = values | {"snippets": "", "before": "", "after": ""}
    return taken(messages(template, without_code), budget)
