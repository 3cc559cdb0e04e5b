"""Continue a conversation; a sub-feature opens it with a system text of ours."""

from __future__ import annotations

from inhouse.core.feature import Feature
from inhouse.core.prompt import Messages
from inhouse.core.requests import ChatRequest, Message
from inhouse.errors import InvalidValueError
from inhouse.families import Family
from inhouse.prompts.conversation import fold, joined
from inhouse.prompts.rendered import Rendered, sampled
from inhouse.prompts.templates import messages

TEMPLATES = {
    Feature.CHAT_EXPLAIN: "chat-explain-1",
    Feature.CHAT_TESTS: "chat-tests-1",
    Feature.CHAT_REFACTOR: "chat-refactor-1",
    Feature.CHAT_FIX: "chat-fix-1",
}


def render_chat(request: ChatRequest, family: Family, feature: Feature = Feature.CHAT) -> Rendered:
    """Render a conversation: untouched for `chat`, with a system text for its sub-features.

    Nothing is cut and no length is set: what to leave out of a conversation is the caller's choice.

    Raises:
        InvalidValueError: the family does not chat.

    """
    check_chats(family)
    template = TEMPLATES.get(feature)
    conversation = request.messages
    if template is not None:
        conversation = fold(_opened(conversation, template), family)
    params = sampled(request.params, family.sampling.chat)
    return Rendered(prompt=Messages(conversation), params=params)


def check_chats(family: Family) -> None:
    """Raise `InvalidValueError` where the family does not chat."""
    if not family.chat:
        raise InvalidValueError(
            f"Models of the family '{family.name}' do not chat."
            " An administrator can route 'chat' to a deployment that does.",
            param="model",
        )


def _opened(conversation: tuple[Message, ...], template: str) -> tuple[Message, ...]:
    """Put our system text first, in one message with the caller's own: some models allow one."""
    (ours,) = messages(template, {})
    if not conversation or conversation[0].role != "system":
        return (ours, *conversation)
    theirs = conversation[0].content
    return (
        Message(role="system", content=joined(str(ours.content), theirs)),
        *conversation[1:],
    )
