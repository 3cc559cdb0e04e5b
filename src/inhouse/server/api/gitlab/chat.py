"""``/v1/chat/{name}``: conversations in the form of older GitLabs."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
