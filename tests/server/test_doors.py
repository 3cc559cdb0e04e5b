"""The doors without a key: page, health, readiness, metrics, OpenAPI; and the closed ones."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from inhouse.core.catalog import Catalog, Deployment, Route
from inhouse.core.feature import Feature
from inhouse.server.openapi import document
from inhouse.server.pages import render
from tests.server.serving import ADMIN, Served, configuration, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    async with serving(configuration(tmp_path)) as running:
        yield running


async def test_the_page_says_how_to_connect(served: Served) -> None:
    reply = await served.ask("GET", "/", key=None)
    page = reply.body.decode()
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert f"curl {served.url}/v1/completions" in page
    assert "nothing yet" in page
    assert not re.search(r"(src|href)=\"(?!/)", page), "no assets from elsewhere"
    assert ADMIN not in page


async def test_a_host_that_is_none_is_not_shown(served: Served) -> None:
    reply = await served.ask("GET", "/", key=None, headers={"Host": "<script>"})
    assert b"<script>" not in reply.body


async def test_a_proxy_that_ends_tls_is_believed(served: Served) -> None:
    headers = {"Host": "ai.example.com", "X-Forwarded-Proto": "https"}
    reply = await served.ask("GET", "/", key=None, headers=headers)
    assert b"https://ai.example.com/v1" in reply.body


def test_the_page_escapes_names_and_shows_what_serves() -> None:
    odd = Deployment(name="<b>", family="general", identifier="x/y", endpoint="http://secret")
    routes = {
        Feature.CHAT: Route(feature=Feature.CHAT, deployments=("<b>",)),
        Feature.CHAT_FIX: Route(feature=Feature.CHAT_FIX, disabled=True),
    }
    page = render(Catalog(deployments={"<b>": odd}, routes=routes), "http://x")
    assert "<b>" not in page
    assert "&lt;b&gt; <small>(general)</small>" in page
    assert "the same as <code>chat</code>" in page
    assert "switched off" in page
    assert "secret" not in page


async def test_health_says_that_the_process_lives(served: Served) -> None:
    reply = await served.ask("GET", "/health", key=None)
    assert (reply.status, reply.json["status"]) == (200, "ok")
    assert (await served.ask("HEAD", "/health", key=None)).body == b""


async def test_an_idle_gateway_is_ready(served: Served) -> None:
    reply = await served.ask("GET", "/ready", key=None)
    assert (reply.status, reply.json) == (200, {"status": "ready", "reasons": {}})


async def test_probes_and_pages_leave_no_trace(served: Served) -> None:
    for path in ("/", "/health", "/ready", "/api/openapi.json"):
        await served.ask("GET", path, key=None)
    assert await served.traces() == ()


async def test_metrics_have_their_own_listener(served: Served) -> None:
    await served.ask("GET", "/api/v1/keys")
    await served.gateway.records.flush()
    assert served.metrics is not None
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{served.metrics}/metrics") as answer:
            text = await answer.text()
            assert answer.status == 200
        async with session.get(f"{served.metrics}/v1/models") as answer:
            assert answer.status == 404
    assert 'endpoint="/api/v1/keys"' in text
    assert (await served.ask("GET", "/metrics")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/health", 405),
        ("POST", "/api/v1/settings", 405),
        ("GET", "//", 404),
        ("GET", "/v1/models/", 404),
    ],
)
async def test_a_closed_door_says_so(served: Served, method: str, path: str, status: int) -> None:
    reply = await served.ask(method, path)
    assert reply.status == status
    assert reply.error["message"].endswith(".")
    assert reply.error["trace_id"] == reply.headers["x-inhouse-trace-id"]
    assert ("allow" in reply.headers) is (status == 405)


async def test_unknown_paths_are_one_endpoint_in_the_records(served: Served) -> None:
    await served.ask("GET", "/a")
    await served.ask("GET", "/b")
    assert {trace.endpoint for trace in await served.traces()} == {"(unknown)"}


async def test_the_description_is_served(served: Served) -> None:
    reply = await served.ask("GET", "/api/openapi.json", key=None)
    assert reply.json == msgspec.json.decode(msgspec.json.encode(document()))


def test_the_description_resolves_and_is_complete() -> None:
    text = msgspec.json.encode(document()).decode()
    described = msgspec.json.decode(text)
    for reference in re.findall(r'"\$ref":"#/([^"]+)"', text):
        place = described
        for part in reference.split("/"):
            place = place[part]
    for operations in described["paths"].values():
        for operation in operations.values():
            assert {"401", "403"} <= operation["responses"].keys()


def test_the_page_tells_a_list_from_a_group() -> None:
    toy = {
        name: Deployment(name=name, family="general", identifier="scripted/toy")
        for name in ("a", "b", "c")
    }
    listed = Route(feature=Feature.COMPLETION, deployments=("a", "b"))
    group = Route(feature=Feature.CHAT, deployments=("a", "b", "c"), weights=(2, 1, 0))
    routes = {each.feature: each for each in (listed, group)}
    page = re.sub(r" ?<small>.*?</small>", "", render(Catalog(deployments=toy, routes=routes), ""))
    assert "<td>a, then b</td>" in page
    assert "<td>a or b, then c</td>" in page
