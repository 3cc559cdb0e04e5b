"""``/v1/search/gitlab-docs``: passages of GitLab's documentation."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
