"""What operations that change the registry have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from inhouse.core.feature import Feature
from inhouse.errors import InvalidValueError, NotFoundError
from inhouse.server.operation import Call


async def change(call: Call, edit: Callable[..., Any], *what: object, **more: object) -> Any:
    """Change the registry in the caller's name, and have it hold at once."""
    changed = await asyncio.to_thread(edit, *what, **more, author=call.caller.name)
    await call.gateway.refresh()
    return changed


def feature(call: Call) -> Feature:
    """Return the feature that the path names; raises `NotFoundError`."""
    name = call.variables["feature"]
    try:
        return Feature(name)
    except ValueError:
        known = ", ".join(Feature)
        raise NotFoundError(f"There is no feature '{name}', only: {known}.") from None


def check_team(call: Call, name: str) -> None:
    """Raise `InvalidValueError` where a body names a team that does not exist."""
    if name and name not in call.gateway.catalog.teams:
        raise InvalidValueError(
            f"There is no team '{name}'. GET /api/v1/teams lists them.", param="team"
        )
