"""``/v1/code/user_access_token``: tokens for editors that ask us directly."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
