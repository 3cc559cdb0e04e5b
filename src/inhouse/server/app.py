"""The gateway as an ASGI application: find the endpoint, let it answer, translate what goes wrong.

The doors are in `server/api` (one file a dialect), `health` and `pages`.
"""

from __future__ import annotations

import asyncio

from inhouse.errors import StoppingError, UnknownEndpointError
from inhouse.gateway import Gateway
from inhouse.records.recording import Recording
from inhouse.server import health, openapi, pages
from inhouse.server.api import gitlab, openai, operations
from inhouse.server.api.tabby import endpoints as tabby
from inhouse.server.asgi import GONE, LEFT, Application, Receive, Scope, Send
from inhouse.server.dialect import Dialect
from inhouse.server.errors import problem
from inhouse.server.exchange import Exchange, request_id
from inhouse.server.operation import ADMIN
from inhouse.server.router import Endpoint, Found, Router

UNKNOWN = "(unknown)"
"""The endpoint noted for paths that do not exist, so that records have a bounded set of them."""

STOPPING = "This inhouse is being stopped, and did not wait any longer for the answer. Ask again."


def app(gateway: Gateway) -> Application:
    """Return the application that serves `gateway`."""
    endpoints = [
        *openai.ENDPOINTS,
        *gitlab.ENDPOINTS,
        *tabby.ENDPOINTS,
        *operations.ENDPOINTS,
        *openapi.ENDPOINTS,
        *health.ENDPOINTS,
        *pages.ENDPOINTS,
    ]
    return _App(gateway, Router(endpoints))


class _App:
    def __init__(self, gateway: Gateway, router: Router) -> None:
        self._gateway = gateway
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        found = self._router.find(scope["path"], scope["raw_path"])
        endpoint = _endpoint(scope, found)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        with self._recording(endpoint, request_id(headers)) as recording:
            scope["extensions"][LEFT](recording.left)
            variables = found.variables if found is not None else {}
            exchange = Exchange(
                self._gateway,
                recording,
                scope,
                headers,
                receive,
                send,
                variables,
                endpoint.dialect,
            )
            try:
                await endpoint.handle(exchange)
            except Exception as error:  # noqa: BLE001, whatever it is, the caller gets an answer
                await self._refuse(exchange, endpoint, error)
            except asyncio.CancelledError:
                if scope["extensions"][GONE]():
                    raise
                # Only the server's own end cancels a request whose caller is still there.
                await self._refuse(exchange, endpoint, StoppingError(STOPPING))

    def _recording(self, endpoint: Endpoint, asked: str) -> Recording:
        if endpoint.recorded:
            return self._gateway.records.recording(request_id=asked, endpoint=endpoint.path)
        return Recording(request_id=asked, endpoint=endpoint.path, done=lambda _: None)

    async def _refuse(self, exchange: Exchange, endpoint: Endpoint, error: Exception) -> None:
        """Answer with an error, or end a stream that has begun with one."""
        found = problem(error)
        trace_id = exchange.recording.id
        if found.code == "internal":
            self._gateway.log.defect("defect", error, trace=trace_id, endpoint=endpoint.path)
        dialect = exchange.dialect
        status, body = dialect.refusal(found, trace_id)
        exchange.recording.fail(error, status)
        if not exchange.started:
            await exchange.answer(body, status=status, headers=found.headers)
        elif dialect.late is not None:
            await exchange.end(dialect.late(body))
        # Else the server closes the connection of an answer that is left without its end.


def _endpoint(scope: Scope, found: Found | None) -> Endpoint:
    """Return what answers a request; where nothing stands, an endpoint that says so."""
    path, method = scope["path"], scope["method"]
    if found is not None:
        # The server leaves the body out of the answer to HEAD.
        endpoint = found.endpoints.get("GET" if method == "HEAD" else method)
        if endpoint is not None:
            return endpoint
        if method == "OPTIONS" and any(each.dialect.shared for each in found.endpoints.values()):
            return gitlab.PREFLIGHT
        allowed = tuple(sorted(found.endpoints))
        why = f"{path[:200]} takes {', '.join(allowed)}, not {method}."
    else:
        allowed = ()
        why = (
            f"There is nothing at {path[:200]}."
            " GET / lists what there is, GET /api/openapi.json describes it."
        )

    async def refuse(_: Exchange) -> None:
        raise UnknownEndpointError(why, allowed=allowed)

    return Endpoint(method=method, path=UNKNOWN, handle=refuse, dialect=_spoken(scope))


def _spoken(scope: Scope) -> Dialect:
    """Return the dialect of whoever asks for what is not there."""
    path: str = scope["path"]
    if path.startswith(gitlab.PATHS) or any(name == gitlab.MARK for name, _ in scope["headers"]):
        return gitlab.GITLAB
    if path.startswith(tabby.PREFIX + "/"):
        return tabby.TABBY
    return openai.OPENAI if path.startswith("/v1/") else ADMIN
