"""A gateway and a GitLab that may ask it."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from tests.fakes.gitlab import FakeGitLab
from tests.server.serving import Served, configuration, serving


@contextlib.asynccontextmanager
async def gitlab_serving(
    folder: Path, text: str = "", gitlab: FakeGitLab | None = None, **fields: str
) -> AsyncGenerator[tuple[Served, FakeGitLab]]:
    """Serve with `text` as configuration, besides keys and the entry of a GitLab that runs.

    `fields` are further ones of that entry, as TOML values: ``team='"backend"'``.
    """
    async with gitlab or FakeGitLab() as found:
        configured = configuration(folder, text + "\n" + found.toml(**fields))
        async with serving(configured) as served:
            yield served, found
