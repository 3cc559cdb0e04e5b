"""Who asks in a case, and the headers that say so."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Literal

import msgspec

from tests.fakes.gitlab import FakeGitLab
from tests.server.serving import DEVELOPER, Served

Visitor = Literal["gitlab", "editor", "key", "nobody"]


@contextlib.asynccontextmanager
async def instance() -> AsyncGenerator[FakeGitLab]:
    """Yield a GitLab instance until the block is left."""
    async with FakeGitLab() as gitlab:
        yield gitlab


async def authorization(
    served: Served, gitlab: FakeGitLab, visitor: Visitor, claims: dict[str, Any]
) -> dict[str, str]:
    """Return the headers of whoever asks; the claims are those of GitLab's token."""
    match visitor:
        case "nobody":
            return {}
        case "key":
            return {"authorization": f"Bearer {DEVELOPER}"}
        case "gitlab":
            return gitlab.headers(gitlab.token(**claims))
        case "editor":
            headers = gitlab.headers(gitlab.token(**claims))
            path = "/v1/code/user_access_token"
            issued = await served.ask("POST", path, key=None, headers=headers)
            assert issued.status == 200, msgspec.json.format(issued.body)
            return {**headers, "authorization": f"Bearer {issued.json['token']}"}
