"""``/v2/code/completions``, ``/v2/completions``, ``/v2/code/generations``: unframed text."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
