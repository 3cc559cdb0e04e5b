"""A probe over the admin API: progress as lines, one at a time, ended by hanging up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from inhouse.server.api import probing
from tests.server.serving import ADMIN, AUDITOR, Served, configuration, scripted, serving

PROBE = "/api/v1/deployments/toy/probe"


def lines(body: bytes) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in body.splitlines()]


async def test_a_probe_streams_its_progress_and_is_kept(tmp_path: Path) -> None:
    text = scripted("toy", window=8192)
    async with serving(configuration(tmp_path, text)) as served:
        assert (await served.ask("GET", PROBE)).status == 404
        answer = await served.ask("POST", f"{PROBE}?gentle=true")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        *progress, last = lines(answer.body)
        assert progress[0] == {"progress": 0.0}
        assert "window" in {each.get("doing") for each in progress}
        assert last["progress"] == 1.0
        found = last["found"]
        assert found["report"]["version"] == 1
        assert found["report"]["gentle"] is True
        assert {each["feature"] for each in found["report"]["badges"]} == {
            "completion",
            "generation",
            "chat",
        }
        kept = await served.ask("GET", PROBE, key=AUDITOR)
        assert kept.json == found


async def test_only_administrators_probe_and_only_what_there_is(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, scripted("toy"))) as served:
        assert (await served.ask("POST", PROBE, key=AUDITOR)).status == 403
        unknown = await served.ask("POST", "/api/v1/deployments/nothing/probe")
        assert unknown.status == 404
        assert "no deployment 'nothing'" in unknown.error["message"]
        wrong = await served.ask("POST", f"{PROBE}?gentle=perhaps")
        assert wrong.status == 422


async def test_one_probe_at_a_time_and_hanging_up_ends_it(tmp_path: Path) -> None:
    text = scripted("toy", gate="here", gate_after=1)
    async with serving(configuration(tmp_path, text)) as served:
        reader, writer = await posted(served)
        await served.scripted.gate("here").reached.wait()
        second = await served.ask("POST", PROBE)
        assert second.status == 409
        assert "being probed already" in second.error["message"]
        writer.transport.abort()
        (call,) = served.scripted.calls
        await call.ended.wait()
        assert call.aborted
        served.scripted.gate("here").release()
        del reader
        # The first one has left nothing behind that would be in the way of the next.
        with anyio.fail_after(10):
            while (third := await served.ask("POST", f"{PROBE}?gentle=true")).status == 409:
                pass
        assert lines(third.body)[-1]["progress"] == 1.0


async def test_a_deployment_that_goes_meanwhile_is_told_in_the_last_line(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path)) as served:
        body = {"name": "toy", "family": "general", "identifier": "scripted/x"}
        options = {"gate": "here", "gate_after": 1}
        await served.ask("POST", "/api/v1/deployments", content=body | {"options": options})
        reader, writer = await posted(served)
        await served.scripted.gate("here").reached.wait()
        assert (await served.ask("DELETE", "/api/v1/deployments/toy")).status == 204
        served.scripted.gate("here").release()
        said = await reader.read()
        writer.close()
    assert b"There is no deployment 'toy'" in said
    assert b'"found"' not in said


async def test_silence_is_broken_so_that_no_proxy_cuts_the_answer_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "BEAT", 0.01)
    text = scripted("toy", gate="here", gate_after=1)
    async with serving(configuration(tmp_path, text)) as served:
        reader, writer = await posted(served)
        line = b'"doing":"completion"}'
        with anyio.fail_after(10):
            for _ in range(3):
                await reader.readuntil(line)
        writer.transport.abort()
        served.scripted.gate("here").release()


async def posted(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    head = f"POST {PROBE}?gentle=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
    return reader, writer
