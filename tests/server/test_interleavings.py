"""What happens to a request while something else happens."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.server.serving import route, scripted
from tests.server.test_resilience import chat, complete, fim, limited, served


@pytest.mark.parametrize(("asked", "told"), [(0.0, "1"), (-5.0, "1"), (7.2, "8"), (1e9, "120")])
async def test_patience_is_told_within_reason(tmp_path: Path, asked: float, told: str) -> None:
    limits = scripted("x", error="rate_limited", retry_after=asked)
    async with served(tmp_path, limits, route("chat", "x")) as here:
        reply = await chat(here)
    assert reply.status == 429
    assert reply.headers["retry-after"] == told


async def test_limits_are_counted_within_the_request_s_time(tmp_path: Path) -> None:
    declared = [scripted("x"), route("chat", "x"), limited(tokens_per_minute=1000)]
    async with served(tmp_path, *declared) as here, locked(tmp_path / "x.db"):
        reply = await here.ask(
            "POST",
            "/v1/chat/completions",
            key="ihk_lim_0123456789abcdef",
            headers={"X-Inhouse-Total-Timeout": "0.1"},
            content={"model": "chat", "messages": [{"role": "user", "content": "Hello?"}]},
        )
        assert not here.scripted.calls
    assert reply.status == 504
    assert reply.error["code"] == "deadline"
    assert "limits within 0.1 s" in reply.error["message"]


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncGenerator[None]:
    """Keep everybody else from writing to a store."""
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        store.execute("ROLLBACK")
        store.close()


async def test_who_is_asked_again_with_less_was_not_given_up(tmp_path: Path) -> None:
    tight, up = fim("tight", error="context_length"), fim("up", tokens=["1"])
    down = fim("down", error="server")
    routes = route("completion", "down", "up")
    async with served(tmp_path, tight, down, up, routes) as here:
        assert (await complete(here, model="tight")).status == 400
        assert (await complete(here)).status == 200
        await here.gateway.records.flush()
        said = here.gateway.records.metrics.text().decode()
        asked = [call.deployment.name for call in here.scripted.calls]
    assert asked == ["tight"] * 3 + ["down", "up"]
    counted = [line for line in said.splitlines() if line.startswith("inhouse_fallbacks_total")]
    assert counted == ['inhouse_fallbacks_total{deployment="down"} 1.0']
