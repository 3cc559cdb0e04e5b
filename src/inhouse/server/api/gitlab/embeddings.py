"""``/v1/embeddings/code_embeddings``: vectors of code."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
