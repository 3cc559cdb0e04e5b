"""Who asks in a case, and the headers that say so."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Literal

from msgspec import Struct

from tests.server.serving import DEVELOPER, Served

Visitor = Literal["gitlab", "editor", "key", "nobody"]


class Instance(Struct):
    """A GitLab instance, and the TOML that lets it ask."""

    config: str = ""


@contextlib.asynccontextmanager
async def instance() -> AsyncGenerator[Instance]:
    """Yield a GitLab instance until the block is left."""
    yield Instance()


async def authorization(
    served: Served, gitlab: Instance, visitor: Visitor, claims: dict[str, Any]
) -> dict[str, str]:
    """Return the headers of whoever asks."""
    del served, gitlab, claims  # no instance yet: a key stands for it
    return {} if visitor == "nobody" else {"Authorization": f"Bearer {DEVELOPER}"}
