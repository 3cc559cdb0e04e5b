"""``/monitoring/healthz`` and ``/monitoring/ready``."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
