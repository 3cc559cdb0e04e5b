"""GitLab's names for features, and ours.

GitLab assigns a model to each of its *feature settings*; here a route assigns deployments to one of
our features. The names are those of GitLab's GraphQL type ``AiFeatures``.
"""

from __future__ import annotations

from inhouse.core.feature import Feature

FEATURES: dict[str, Feature] = {
    "code_completions": Feature.COMPLETION,
    "code_generations": Feature.GENERATION,
    "duo_chat": Feature.CHAT,
    "duo_chat_explain_code": Feature.CHAT_EXPLAIN,
    "duo_chat_write_tests": Feature.CHAT_TESTS,
    "duo_chat_refactor_code": Feature.CHAT_REFACTOR,
    "duo_chat_fix_code": Feature.CHAT_FIX,
    "duo_chat_troubleshoot_job": Feature.CHAT_TROUBLESHOOT,
    "duo_chat_summarize_comments": Feature.CHAT_COMMENTS,
    "duo_chat_explain_vulnerability": Feature.CHAT_VULNERABILITY,
    "resolve_vulnerability": Feature.CHAT_RESOLVE,
    "generate_commit_message": Feature.CHAT_COMMIT,
    "review_merge_request": Feature.CHAT_REVIEW,
    "summarize_review": Feature.CHAT_REVIEW_SUMMARY,
    "summarize_new_merge_request": Feature.CHAT_MERGE_REQUEST,
    "generate_issue_description": Feature.CHAT_DESCRIPTION,
    "glab_ask_git_command": Feature.CHAT_COMMAND,
}
"""GitLab's feature settings, and the feature whose route serves each."""

UNIT_PRIMITIVES: dict[str, tuple[str, ...]] = {
    "code_completions": ("complete_code",),
    "code_generations": ("generate_code",),
    "duo_chat": (
        "duo_chat",
        "duo_classic_chat",
        "documentation_search",
        "ask_build",
        "ask_commit",
        "ask_epic",
        "ask_issue",
        "ask_merge_request",
        "ask_work_item",
    ),
    "duo_chat_explain_code": ("explain_code",),
    "duo_chat_write_tests": ("write_tests",),
    "duo_chat_refactor_code": ("refactor_code",),
    "duo_chat_fix_code": ("fix_code",),
    "duo_chat_troubleshoot_job": ("troubleshoot_job",),
    "duo_chat_summarize_comments": ("summarize_comments",),
    "duo_chat_explain_vulnerability": ("explain_vulnerability",),
    "resolve_vulnerability": ("resolve_vulnerability",),
    "generate_commit_message": ("generate_commit_message",),
    "review_merge_request": ("review_merge_request",),
    "summarize_review": ("summarize_review",),
    "summarize_new_merge_request": ("summarize_new_merge_request",),
    "generate_issue_description": ("generate_issue_description",),
    "glab_ask_git_command": ("glab_ask_git_command",),
}
"""What GitLab's licence must allow for each of them: scopes of its tokens."""


def settings_of(feature: Feature) -> tuple[str, ...]:
    """Return GitLab's names for a feature."""
    return tuple(name for name, ours in FEATURES.items() if ours is feature)
