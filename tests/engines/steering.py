"""A relay before a real engine that adds fields to what is asked of it, such as a grammar.

A model of random weights keeps to no form by itself; a grammar makes it, and each token is still
the engine's own choice.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
from aiohttp import ClientSession, web

from tests.engines.engine import Engine

Fields = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""Returns the fields to add, for the messages of a request."""


@contextlib.asynccontextmanager
async def steered(engine: Engine, fields: Fields) -> AsyncGenerator[str]:
    """Yield the base URL of a relay that adds `fields` to each request for an answer."""
    async with ClientSession() as session:

        async def relay(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            if request.path.endswith("/chat/completions"):
                asked = msgspec.json.decode(body)
                body = msgspec.json.encode(asked | fields(asked["messages"]))
            headers = {"content-type": request.content_type}
            url = engine.base_url + request.path_qs
            async with session.request(request.method, url, data=body, headers=headers) as answer:
                kind = {"content-type": answer.headers["content-type"]}
                response = web.StreamResponse(status=answer.status, headers=kind)
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", relay)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
