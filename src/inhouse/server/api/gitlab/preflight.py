"""What browsers ask before a page of another origin may ask us: editors also run in browsers."""

from __future__ import annotations

from inhouse.server.api.gitlab.refusals import GITLAB
from inhouse.server.exchange import Exchange
from inhouse.server.router import Endpoint

ASKED = b"access-control-request-headers"
A_DAY = b"86400"


async def preflight(exchange: Exchange) -> None:
    """Allow it: tokens travel in a header that no page can know, never in a cookie."""
    await exchange.answer(
        b"",
        status=204,
        headers=(
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", exchange.headers.get(ASKED, b"*")),
            (b"access-control-max-age", A_DAY),
        ),
    )


PREFLIGHT = Endpoint(
    method="OPTIONS", path="(preflight)", handle=preflight, dialect=GITLAB, recorded=False
)
