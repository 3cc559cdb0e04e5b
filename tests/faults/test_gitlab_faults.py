"""Whatever an upstream does, GitLab reads an answer or a clear error, and the trace knows which."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from inhouse.core.trace import Outcome
from tests.fakes.faults import FaultProxy
from tests.fakes.openai import LLAMA, FakeOpenAI
from tests.faults.asking import faulty, healthy, routes
from tests.faults.gitlab import EDITOR, QUESTIONS, Came, ask
from tests.faults.test_faults import CASES, WHOLE, spoil
from tests.server.serving import DEVELOPER, Served, configuration, serving

CALM = EDITOR + "[settings]\ncompletion_superseding = false\ncompletion_memory = false\n"
"""All ask for the same file at once; none is to take another's place, or to share its answer."""


async def asked(served: Served) -> list[Came]:
    """Ask everything at once; return what came, after a look at the traces."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {DEVELOPER}"}) as session:
        came = await asyncio.gather(*(ask(session, served, *each) for each in QUESTIONS))
    traces = {each.id: each for each in await served.traces()}
    assert len(traces) == len(QUESTIONS)
    for each in came:
        trace = traces[each.trace]
        assert (trace.outcome is Outcome.OK) == each.ok, (each, trace)
        assert each.cut or trace.status == each.status
        assert bool(trace.error) != each.ok
    return came


@WHOLE
@pytest.mark.parametrize("name", CASES)
async def test_alone_it_is_told_clearly(name: str, whole: bool, tmp_path: Path) -> None:
    case = CASES[name]
    async with FakeOpenAI(LLAMA) as upstream, FaultProxy(upstream.port) as proxy:
        declared = faulty(proxy, hasty=case.hasty, whole_answers=whole)
        text = CALM + declared + routes("faulty")
        async with serving(configuration(tmp_path, text)) as served:
            await spoil(proxy, case.fault)
            came = await asked(served)
    # A completion that has run out of time is as long as it came; nothing else is complete.
    if "deadline" not in case.codes:
        assert not [each for each in came if each.ok]


@pytest.mark.parametrize("name", CASES)
async def test_the_next_deployment_answers(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    async with FakeOpenAI(LLAMA) as upstream, FaultProxy(upstream.port) as proxy:
        text = (
            CALM + faulty(proxy, hasty=case.hasty) + healthy(upstream) + routes("faulty", "healthy")
        )
        async with serving(configuration(tmp_path, text)) as served:
            await spoil(proxy, case.fault)
            came = await asked(served)
    if not case.late:
        assert not [each for each in came if not each.ok]
