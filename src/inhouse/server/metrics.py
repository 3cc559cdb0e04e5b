"""``GET /metrics`` for Prometheus, an application of its own: it listens apart from the callers."""

from __future__ import annotations

from collections.abc import Callable

from inhouse.server.asgi import Application, Receive, Scope, Send

KIND = b"text/plain; version=0.0.4; charset=utf-8"


def app(read: Callable[[], bytes]) -> Application:
    """Return the application that shows the metrics that `read` returns as text."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001, ASGI
        if scope["type"] != "http":
            return
        found = scope["path"] == "/metrics"
        body = read() if found else b"The metrics are at /metrics.\n"
        kind = KIND if found else b"text/plain; charset=utf-8"
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        status = 200 if found else 404
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer
