"""``/v1/prompts/{id}`` and ``/v2/prompts/{id}``: tasks by name."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
