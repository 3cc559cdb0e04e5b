"""``/v1/search/gitlab-docs``: passages of GitLab's documentation."""

from __future__ import annotations

import time

from inhouse.context.documentation import Found
from inhouse.server.api.gitlab.door import admit
from inhouse.server.api.gitlab.refusals import GITLAB
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint
from inhouse.wire.gitlab.search import PAGE_SIZE, About, Result, answer, decode_search


async def search(exchange: Exchange) -> None:
    """Find the passages that answer a question best; none where there is no index."""
    visitor = await admit(exchange)
    visitor.require("documentation_search", why="Unauthorized to search documentations")
    query = decode_search(await exchange.body())
    found = await exchange.gateway.documentation.search(query.query, query.page_size or PAGE_SIZE)
    await exchange.answer(answer(map(_result, found), int(time.time())))


def _result(found: Found) -> Result:
    # A passage from the middle of a page says little without the headings that lead to it.
    headings = " > ".join(filter(None, (found.title, found.headings)))
    return Result(
        id=found.id,
        content=f"{headings}\n\n{found.content}",
        metadata=About(source_url=found.source_url, title=found.title, filename=found.filename),
    )


ENDPOINTS = (Endpoint(method="POST", path="/v1/search/gitlab-docs", handle=search, dialect=GITLAB),)
