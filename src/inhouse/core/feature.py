"""What a caller can ask for."""

from __future__ import annotations

from enum import StrEnum


class Feature(StrEnum):
    """What a caller can ask for; a dotted one is a sub-feature and inherits its parent's route."""

    COMPLETION = "completion"
    GENERATION = "generation"
    CHAT = "chat"
    CHAT_EXPLAIN = "chat.explain"
    CHAT_TESTS = "chat.tests"
    CHAT_REFACTOR = "chat.refactor"
    CHAT_FIX = "chat.fix"
    CHAT_TROUBLESHOOT = "chat.troubleshoot"
    CHAT_COMMENTS = "chat.comments"
    CHAT_VULNERABILITY = "chat.vulnerability"
    CHAT_RESOLVE = "chat.resolve"
    CHAT_COMMIT = "chat.commit"
    CHAT_REVIEW = "chat.review"
    CHAT_REVIEW_SUMMARY = "chat.review-summary"
    CHAT_MERGE_REQUEST = "chat.merge-request"
    CHAT_DESCRIPTION = "chat.description"
    CHAT_COMMAND = "chat.command"
    EMBEDDING = "embedding"

    @property
    def parent(self) -> Feature | None:
        """The feature whose route this one inherits, None for a top feature."""
        return _PARENTS[self]

    @property
    def top(self) -> Feature:
        """Itself, or the feature that it is a part of."""
        return _PARENTS[self] or self

    @property
    def priority(self) -> int:
        """Who goes first where there is a queue: 0 before 1 before 2."""
        return _PRIORITIES[self.top]


def _parent(feature: Feature) -> Feature | None:
    head, dot, _ = feature.value.rpartition(".")
    return Feature(head) if dot else None


_PARENTS = {feature: _parent(feature) for feature in Feature}
# Somebody who types waits for a completion; a chat takes seconds anyway.
_PRIORITIES = {
    Feature.COMPLETION: 0,
    Feature.GENERATION: 1,
    Feature.CHAT: 2,
    Feature.EMBEDDING: 2,
}
