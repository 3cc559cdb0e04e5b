"""The transport runs on both event loops, with either HTTP client."""

from collections.abc import AsyncGenerator

import pytest

from inhouse.core.ports import HttpClient
from inhouse.transport import Transport


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ],
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture(params=["httptools", "aiohttp"])
def http_client(request: pytest.FixtureRequest) -> HttpClient:
    return request.param


@pytest.fixture
async def transport(http_client: HttpClient) -> AsyncGenerator[Transport]:
    client = Transport(http_client=http_client)
    yield client
    await client.aclose()
