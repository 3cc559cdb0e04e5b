"""``/v1/search/gitlab-docs`` over an index, which comes and goes while the gateway runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from inhouse.context.documentation import build
from tests.server.serving import DEVELOPER, Served, configuration, serving

PATH = "/v1/search/gitlab-docs"


async def found(served: Served, query: str, **more: Any) -> list[Any]:
    content = {"type": "search", "payload": {"query": query, **more}}
    reply = await served.ask("POST", PATH, key=DEVELOPER, content=content)
    assert reply.status == 200
    assert abs(reply.json["metadata"]["timestamp"] - time.time()) < 60
    return reply.json["response"]["results"]


async def test_passages_come_in_the_form_that_gitlab_reads(tmp_path: Path) -> None:
    folder = tmp_path / "doc" / "user"
    folder.mkdir(parents=True)
    (folder / "tokens.md").write_text(
        "---\ntitle: Tokens\n---\n\n## Rotate a token\n\nSelect **Rotate**.\n"
    )
    for number in range(9):
        (folder / f"page{number}.md").write_text("A token.")
    configured = configuration(tmp_path, '[gitlab]\ndocs = "docs.db"\n')
    async with serving(configured) as served:
        assert await found(served, "rotate") == []
        build(tmp_path / "doc", tmp_path / "docs.db")
        first = (await found(served, "How do I rotate a token?"))[0]
        assert first == {
            "id": first["id"],
            "content": "Tokens > Rotate a token\n\n## Rotate a token\n\nSelect **Rotate**.",
            "metadata": {
                "source_url": "https://docs.gitlab.com/user/tokens/#rotate-a-token",
                "title": "Tokens",
                "filename": "user/tokens.md",
            },
        }
        assert len(await found(served, "token")) == 4
        assert len(await found(served, "token", page_size=20)) == 10
        assert await found(served, "x" * 400_000) == []


async def test_a_damaged_index_finds_nothing_and_the_log_says_it_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs.db").write_bytes(b"broken")
    async with serving(configuration(tmp_path, '[gitlab]\ndocs = "docs.db"\n')) as served:
        for _ in range(3):
            assert await found(served, "anything") == []
    said = [each for each in capsys.readouterr().err.splitlines() if "documentation" in each]
    assert len(said) == 1
    assert "inhouse docs build" in said[0]
