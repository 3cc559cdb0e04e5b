"""``/v3/code/completions`` and ``/v4/code/suggestions``."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
