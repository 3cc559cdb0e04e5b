"""What an engine's prefix cache knows of our prompts while somebody types, by its own count."""

import runpy
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from inhouse.families import load
from tests.engines.conftest import Fleet
from tests.engines.engine import SMALL

BENCH = Path(__file__).resolve().parents[2] / "bench"
PREFIXES: dict[str, Any] = runpy.run_path(str(BENCH / "prefixes.py"))
EVERY = 16
"""Of so many keystrokes one asks: the whole session takes minutes."""


@pytest.mark.parametrize("family", PREFIXES["FAMILIES"])
async def test_our_prompts_share_more_than_naive_ones(family: str, fleet: Fleet) -> None:
    engine = fleet.get("vllm", SMALL)

    def measured() -> list[Any]:
        vllm = PREFIXES["Vllm"](engine.base_url, engine.model)
        session = BENCH / "typing" / "pool.jsonl"
        return list(PREFIXES["measured"](vllm, session, load().get(family), every=EVERY))

    naive, ours = await anyio.to_thread.run_sync(measured)
    assert naive.requests == ours.requests > 50
    assert ours.hits > ours.tokens / 2
    assert ours.tokens - ours.hits < (naive.tokens - naive.hits) / 2
