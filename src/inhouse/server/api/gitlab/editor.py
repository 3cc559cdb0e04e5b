"""The endpoints of a GitLab that its editor extensions need, where there is no GitLab."""

from __future__ import annotations

from inhouse.server.router import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
