"""``/v1/models/definitions``: which models serve which of GitLab's features."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
