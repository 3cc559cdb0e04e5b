"""Continue a conversation; a sub-feature opens it with a system text of ours."""

from __future__ import annotations

from inhouse.core.feature import Feature
from inhouse.core.prompt import Messages
from inhouse.core.requests import ChatRequest, Message
from inhouse.errors import InvalidValueError
from inhouse.families import Family
from inhouse.prompts.conversation import fold, joined
from inhouse.prompts.rendered import Rendered, sampled
from inhouse.prompts.templates import sections

TEMPLATES = {
    Feature.CHAT_EXPLAIN: "chat-explain-1",
    Feature.CHAT_TESTS: "chat-tests-1",
    Feature.CHAT_REFACTOR: "chat-refactor-1",
    Feature.CHAT_FIX: "chat-fix-1",
    Feature.CHAT_TROUBLESHOOT: "troubleshoot-job-1",
    Feature.CHAT_COMMENTS: "summarize-comments-1",
    Feature.CHAT_VULNERABILITY: "explain-vulnerability-1",
    Feature.CHAT_RESOLVE: "chat-resolve-1",
    Feature.CHAT_COMMIT: "commit-message-1",
    Feature.CHAT_REVIEW: "chat-review-1",
    Feature.CHAT_REVIEW_SUMMARY: "summarize-review-1",
    Feature.CHAT_MERGE_REQUEST: "summarize-merge-request-1",
    Feature.CHAT_DESCRIPTION: "chat-description-1",
    Feature.CHAT_COMMAND: "git-command-1",
}
"""Whose system text opens a conversation; a task's own where people read its answers as well."""


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
    ours = Message(role="system", content=sections(template)[0][1])
    if not conversation or conversation[0].role != "system":
        return (ours, *conversation)
    theirs = conversation[0].content
    return (
        Message(role="system", content=joined(str(ours.content), theirs)),
        *conversation[1:],
    )
