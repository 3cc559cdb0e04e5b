"""``/v2/chat/agent``: one step of a conversation with tools."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
