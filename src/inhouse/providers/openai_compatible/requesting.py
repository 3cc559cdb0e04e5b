"""Ask an upstream until it answers, or until its refusal teaches nothing more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.providers.broken import garbled, messages_only
from inhouse.providers.connecting import LARGEST_REFUSAL
from inhouse.providers.openai_compatible.failures import DIALECT, refused
from inhouse.providers.openai_compatible.learning import learned
from inhouse.providers.openai_compatible.site import Routes
from inhouse.providers.openai_compatible.upstream import Upstream
from inhouse.transport import Response, Transport
from inhouse.wire.openai.outbound import Habits
from inhouse.wire.openai.refusals import Refusal, refusal

TEXT, CHAT, VECTORS = "/completions", "/chat/completions", "/embeddings"
_SAYS_NOTHING = frozenset({401, 403, 404, 405, 408, 429})
"""Statuses that do not tell whether a route is there."""

Unknown = Callable[[Upstream], Awaitable[None]]


class Question(Struct, frozen=True, kw_only=True):
    """What is asked: the JSON for `route`, and the text in it, which messages must not quote."""

    route: str
    encode: Callable[[Habits], bytes]
    text: Callable[[], str]


async def ask(
    transport: Transport, upstream: Upstream, question: Question, params: Params, unknown: Unknown
) -> Response:
    """Return a 200, having learned where the upstream listens and what it does not take.

    Each refusal teaches at most one thing, so this ends. `unknown` is called before the error for a
    model that the upstream does not know. Raises UpstreamError.
    """
    routes, habits, renewed = upstream.routes, upstream.habits, False
    while True:
        body = question.encode(habits)
        header = await upstream.site.authorization.header(params.deadlines)
        url = routes.url(question.route)
        response = await send(transport, upstream, "POST", url, header, body, params)
        if response.status == 200:
            upstream.settle(routes)
            return response
        found = await _refusal(upstream, response)
        taught = learned(habits, found)
        if found.status == 401 and not renewed and upstream.site.authorization.refused(header):
            renewed = True
        elif taught != habits and question.encode(taught) != body:
            # Others may have learned something else in the meantime.
            habits = upstream.habits = learned(upstream.habits, found)
        elif found.no_route and routes is upstream.routes and upstream.others:
            routes = upstream.others[0]
        else:
            await _give_up(transport, upstream, question, found, params)
            if found.failure is UpstreamFailure.UNKNOWN_MODEL and not found.no_route:
                await unknown(upstream)
            raise refused(upstream, found, question.text(), response.header)


async def get(
    transport: Transport, upstream: Upstream, url: Callable[[Routes], str], params: Params
) -> Response:
    """Return a 200 for a list, having learned where the upstream listens; raises UpstreamError."""
    routes, renewed = upstream.routes, False
    while True:
        header = await upstream.site.authorization.header(params.deadlines)
        response = await send(transport, upstream, "GET", url(routes), header, b"", params)
        if response.status == 200:
            upstream.settle(routes)
            return response
        found = await _refusal(upstream, response)
        if found.status == 401 and not renewed and upstream.site.authorization.refused(header):
            renewed = True
        elif found.no_route and routes is upstream.routes and upstream.others:
            routes = upstream.others[0]
        else:
            if not found.no_route:
                # A list that is missing everywhere says nothing about where the answers are.
                upstream.others = ()
            raise refused(upstream, found, "", response.header)


def send(
    transport: Transport,
    upstream: Upstream,
    method: str,
    url: str,
    header: bytes,
    body: bytes,
    params: Params,
) -> Awaitable[Response]:
    """Send one request; raises UpstreamError."""
    return upstream.connecting.request(
        transport, method, url, headers=header, body=body, params=params
    )


async def _refusal(upstream: Upstream, response: Response) -> Refusal:
    said = await response.read(LARGEST_REFUSAL)
    if 200 < response.status < 300:
        raise garbled(upstream, DIALECT, said)
    return refusal(response.status, said)


async def _give_up(
    transport: Transport, upstream: Upstream, question: Question, found: Refusal, params: Params
) -> None:
    """Note what the last refusal tells; raise `MESSAGES_ONLY` where it is about text as such."""
    candidates, upstream.others = (upstream.routes, *upstream.others), ()
    if question.route != TEXT or upstream.site.options.takes_text:
        return
    only = found.failure is UpstreamFailure.MESSAGES_ONLY
    if found.no_route and (upstream.settled or not upstream.sought_chat):
        upstream.sought_chat = True
        only = await _chats(transport, upstream, candidates, params)
    if only:
        upstream.messages_only = True
        raise messages_only(upstream, status=found.status, param="options.takes_text")


async def _chats(
    transport: Transport, upstream: Upstream, candidates: tuple[Routes, ...], params: Params
) -> bool:
    """Tell whether there is a route for messages, by a request that no model answers.

    A missing route for text alone proves nothing: all routes are missing where a proxy has lost
    its upstream for a moment.
    """
    for routes in candidates:
        try:
            header = await upstream.site.authorization.header(params.deadlines)
            url = routes.url(CHAT)
            response = await send(transport, upstream, "POST", url, header, b"{}", params)
        except UpstreamError:
            continue
        response.abort()
        if response.status < 500 and response.status not in _SAYS_NOTHING:
            upstream.settle(routes)
            return True
    return False
