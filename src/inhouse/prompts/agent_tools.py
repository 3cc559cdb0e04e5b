"""What a model is told of each tool that GitLab can run."""

from __future__ import annotations

from collections.abc import Iterable

DESCRIPTIONS = {
    "issue_reader": (
        "reads one issue with its comments."
        " Input: its URL, its number with #, or 'this issue' for the one on the page"
    ),
    "epic_reader": (
        "reads one epic with its comments."
        " Input: its URL, its number with &, or 'this epic' for the one on the page"
    ),
    "work_item_reader": (
        "reads one work item, such as a task, an objective or an incident."
        " Input: its URL, its number with #, or 'this work item' for the one on the page"
    ),
    "merge_request_reader": (
        "reads one merge request with its comments and its changes."
        " Input: its URL, its number with !, or 'this merge request' for the one on the page"
    ),
    "commit_reader": (
        "reads one commit with its message and its changes."
        " Input: its URL, its SHA, or 'this commit' for the one on the page"
    ),
    "build_reader": (
        "reads one CI/CD job with the end of its log."
        " Input: its URL, its number, or 'this job' for the one on the page"
    ),
    "gitlab_documentation": (
        "searches GitLab's documentation: how GitLab works, is configured and used."
        " Input: the question, whole and in English"
    ),
}


def described(tools: Iterable[str]) -> str:
    """Return a line for each tool; raises `KeyError` for one that nobody has described."""
    return "\n".join(f"- {tool}: {DESCRIPTIONS[tool]}." for tool in tools)
