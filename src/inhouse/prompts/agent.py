"""Ask for the next step of a conversation with tools.

Steps are told as the messages that they were: the assistant's thought and action, the observation
as the user's. History is left out first, the oldest before; then long files and observations lose
their middle. The question stays whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from inhouse.core.agent import AgentRequest, Attachment, Step, Turn
from inhouse.core.prompt import Messages
from inhouse.core.requests import Message
from inhouse.families import Family
from inhouse.prompts.agent_tools import described
from inhouse.prompts.budget import Budget, size
from inhouse.prompts.chat import check_chats
from inhouse.prompts.conversation import fold, joined
from inhouse.prompts.file import fenced, line
from inhouse.prompts.fitting import Keep, Piece, fit
from inhouse.prompts.rendered import MESSAGE_TOKENS, Rendered, rendered
from inhouse.prompts.special import disarm, found
from inhouse.prompts.templates import messages

TEMPLATE = "agent-1"
OBSERVATION = "agent-observation-1"
STOP = "\nObservation:"
MOST_STEPS = 10
"""Steps after which GitLab gives up: the last must be an answer."""
ANSWER = 4
"""The answer gets one part in so many of a window: in a small one, what was found counts more."""
_Texts = TypeVar("_Texts", Turn, Attachment, Step)


def render_step(request: AgentRequest, family: Family, budget: Budget) -> Rendered:
    """Render a conversation up to its last question, and the steps taken since.

    Raises:
        InvalidValueError: the family does not chat.

    """
    check_chats(family)
    tokens = family.tokens
    hidden = found("\n".join(_texts(request)), tokens)
    request = _disarmed(request, tokens)
    question = request.turns[request.question]
    pieces = _pieces(question.attachments, request.steps)
    bare = _asked(request, dict.fromkeys(pieces, ""))
    room = _room(request, budget) - _size(bare, budget)
    texts = (each.content for each in question.attachments)
    room -= sum(size(fenced(text)) - size(text) for text in texts)
    working = sum(size(each.text) for each in pieces.values())
    history = _history(request.turns[: request.question], room - working, budget)
    fitted = fit(pieces, room - _size(history, budget), ())
    system, *rest = _asked(request, fitted.texts)
    return rendered(
        Messages(fold((system, *_alternating([*history, *rest])), family)),
        request.params,
        budget,
        family.sampling.chat,
        stop=(STOP,),
        disarmed=hidden,
    )


def _room(request: AgentRequest, budget: Budget) -> int:
    """Return the bytes that the whole prompt may take."""
    answer = min(budget.reserve(request.params.max_tokens), max(1, budget.window // ANSWER))
    return budget.bytes(budget.window - answer)


def _pieces(attachments: tuple[Attachment, ...], steps: tuple[Step, ...]) -> dict[str, Piece]:
    """Return what may be cut, by its place."""
    attached = {f"attached {at}": each.content for at, each in enumerate(attachments)}
    observed = {f"observed {at}": each.observation for at, each in enumerate(steps)}
    return {name: Piece(text=text, keep=Keep.ENDS) for name, text in (attached | observed).items()}


def _asked(request: AgentRequest, texts: dict[str, str]) -> list[Message]:
    """Return the system text, the question and the steps, with `texts` for what may be cut."""
    question = request.turns[request.question]
    attachments = (
        msgspec.structs.replace(each, content=texts[f"attached {at}"])
        for at, each in enumerate(question.attachments)
    )
    values = {
        "today": request.today,
        "tools": described(request.tools),
        "alone": "" if request.tools else "yes",
        "unavailable": ", ".join(map(line, request.unavailable)),
        "wishes": "\n\n".join(each.text for each in request.turns if each.role == "system"),
        "attached": _attached(attachments),
        "question": question.text,
    }
    asked = list(messages(TEMPLATE, values))
    for at, step in enumerate(request.steps):
        last = at + 2 >= MOST_STEPS and at + 1 == len(request.steps)
        observation = {
            "observation": texts[f"observed {at}"],
            "more": "" if last else "yes",
            "last": "yes" if last else "",
        }
        asked += [
            Message(role="assistant", content=_taken(step)),
            *messages(OBSERVATION, observation),
        ]
    return asked


def _taken(step: Step) -> str:
    """Return a step in the form in which the model was told to write it."""
    return f"Thought: {step.thought}\nAction: {step.tool}\nAction Input: {step.tool_input}"


def _history(turns: tuple[Turn, ...], room: int, budget: Budget) -> list[Message]:
    """Return the newest turns that fit in `room` bytes; an old one may go without attachments."""
    kept: list[Message] = []
    for turn in reversed(turns):
        if turn.role == "system" or not turn.text.strip():
            continue
        if turn.role == "assistant":
            texts = [f"Final Answer: {turn.text}"]
        else:
            texts = list(dict.fromkeys((_attached(turn.attachments) + turn.text, turn.text)))
        said = (Message(role=turn.role, content=text) for text in texts)
        message = next((each for each in said if _size([each], budget) <= room), None)
        if message is None:
            break
        room -= _size([message], budget)
        kept.insert(0, message)
    return kept


def _attached(attachments: Iterable[Attachment]) -> str:
    return "".join(map(_shown, attachments))


def _shown(attachment: Attachment) -> str:
    name = f' "{line(attachment.name)}"' if attachment.name else ""
    if not attachment.content:
        return f"{attachment.kind}{name}.\n\n"
    return f"{attachment.kind}{name}:\n{fenced(attachment.content)}"


def _alternating(conversation: list[Message]) -> Iterator[Message]:
    """Yield what strict chat templates take: the user first, and then each in turn."""
    pending: Message | None = None
    for message in conversation:
        if pending is not None and pending.role == message.role:
            content = joined(str(pending.content), message.content)
            pending = msgspec.structs.replace(pending, content=content)
        elif pending is not None or message.role == "user":
            if pending is not None:
                yield pending
            pending = message
    if pending is not None:
        yield pending


def _size(conversation: Iterable[Message], budget: Budget) -> int:
    """Return the bytes that messages take, with what a chat template adds to them."""
    # One token more, since what is left of the last one of each message counts whole.
    around = budget.bytes(MESSAGE_TOKENS + 1) + 1
    return sum(size(str(each.content)) + around for each in conversation)


def _texts(request: AgentRequest) -> Iterator[str]:
    """Yield every text that comes from outside."""
    for turn in request.turns:
        yield turn.text
        for each in turn.attachments:
            yield from (each.kind, each.name, each.content)
    for step in request.steps:
        yield from (step.thought, step.tool, step.tool_input, step.observation)
    yield from request.unavailable


def _disarmed(request: AgentRequest, tokens: tuple[str, ...]) -> AgentRequest:
    """Return the request without the family's special tokens in any of its texts."""

    def safe(each: _Texts) -> _Texts:
        texts = {
            name: disarm(text, tokens)
            for name, text in msgspec.structs.asdict(each).items()
            if isinstance(text, str)
        }
        return msgspec.structs.replace(each, **texts)

    turns = (
        msgspec.structs.replace(safe(turn), attachments=tuple(map(safe, turn.attachments)))
        for turn in request.turns
    )
    return msgspec.structs.replace(
        request,
        turns=tuple(turns),
        steps=tuple(map(safe, request.steps)),
        unavailable=tuple(disarm(each, tokens) for each in request.unavailable),
    )
