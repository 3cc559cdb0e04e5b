"""All checks in their order, authentication left on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator

from inhouse import config
from inhouse.cli.gitlab import gateway, instances
from inhouse.features.check import Check, failed, ok, warning


def checks(configured: config.Config, url: str) -> Iterator[Check]:
    """Make each check when the next one is wanted; `url` is one GitLab, empty all configured."""
    found = _checks(configured, url.rstrip("/"))
    with asyncio.Runner() as runner:
        while (check := runner.run(_next(found))) is not None:
            yield check


async def _next(found: AsyncGenerator[Check]) -> Check | None:
    return await anext(found, None)


async def _checks(configured: config.Config, url: str) -> AsyncGenerator[Check]:
    async for check in instances.checks(configured, url):
        yield check
    yield _models(configured.gitlab)
    yield _documentation(configured.gitlab)
    async for check in gateway.checks(configured):
        yield check


def _models(section: config.GitLab) -> Check:
    name = "models"
    if section.models == "registry":
        return ok(name, "Our routes decide which models answer (gitlab.models = registry).")
    if section.allowed_endpoints:
        listed = ", ".join(section.allowed_endpoints)
        return ok(name, f"GitLab's admin page decides, within {listed}.")
    return failed(
        name,
        "GitLab's admin page decides which models answer, but no endpoint is allowed.",
        "List the URLs of your model servers in allowed_endpoints of [gitlab],"
        " or in INHOUSE_GITLAB_ALLOWED_ENDPOINTS.",
    )


def _documentation(section: config.GitLab) -> Check:
    name = "documentation"
    if section.docs.is_file():
        return ok(name, f"Chat searches {section.docs}.")
    return warning(
        name,
        "There is no index of GitLab's documentation: chat finds nothing there.",
        "Build one from the folder doc/ of GitLab's repository: inhouse docs build DIR",
    )
