"""The GitLab dialect: what a GitLab instance and its editor extensions ask of an AI gateway."""

from __future__ import annotations

from inhouse.server.api.gitlab import (
    agent,
    chat,
    code,
    definitions,
    editor,
    embeddings,
    monitoring,
    prompts,
    search,
    suggestions,
    tokens,
)
from inhouse.server.api.gitlab.preflight import PREFLIGHT
from inhouse.server.api.gitlab.refusals import GITLAB

__all__ = ["ENDPOINTS", "GITLAB", "MARK", "PATHS", "PREFLIGHT"]

ENDPOINTS = (
    *agent.ENDPOINTS,
    *chat.ENDPOINTS,
    *code.ENDPOINTS,
    *definitions.ENDPOINTS,
    *editor.ENDPOINTS,
    *embeddings.ENDPOINTS,
    *monitoring.ENDPOINTS,
    *prompts.ENDPOINTS,
    *search.ENDPOINTS,
    *suggestions.ENDPOINTS,
    *tokens.ENDPOINTS,
)

PATHS = ("/v2/", "/v3/", "/v4/", "/monitoring/")
"""Paths that nobody else's clients ask."""
MARK = b"x-gitlab-instance-id"
"""A header by which a GitLab is known on other paths."""
