"""GitLab's tasks with a real engine: what its own tokenizer counts fits its real window."""

from pathlib import Path

import pytest

from inhouse.core.trace import Outcome
from tests.engines.conftest import Fleet
from tests.engines.engine import CONTEXT_TOKENS, DIALECTS, SMALL, Engine
from tests.server.serving import configuration, route, serving

HUGE = {
    "chat/explain_code": {"input": "Explain", "selected_text": "x = [1, 2]\n" * 9000},
    "chat/troubleshoot_job": {"selected_text": "\x1b[0;m12:01:02 ERROR ¯\\_(ツ)_/¯\n" * 9000},
    "generate_commit_message": {"diff": "+日本語のテスト\n-{}[]();\n" * 9000},
    "review_merge_request": {
        "mr_title": "Areas",
        "mr_description": "é" * 9000,
        "diff_lines": '<line type="added" old_line="" new_line="1">x</line>\n' * 9000,
    },
}


def declared(engine: Engine) -> str:
    return (
        f'[[deployments]]\nname = "talks"\nfamily = "general"\nendpoint = "{engine.base_url}/v1"\n'
        f'identifier = "custom_openai/{engine.model}"\n' + route("chat", "talks")
    )


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_huge_inputs_fit_the_real_window(name: str, fleet: Fleet, tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, declared(fleet.get(name, SMALL)))) as served:
        for task, inputs in HUGE.items():
            path = f"/v1/prompts/{task}"
            reply = await served.ask("POST", path, content={"inputs": inputs, "stream": True})
            assert reply.status == 200, (task, reply.body)
        traces = await served.traces()
        assert [trace.outcome for trace in traces] == [Outcome.OK] * len(HUGE)
        for trace in traces:
            # Asked once, with as much as fits.
            assert trace.deployments == ("talks",)
            assert CONTEXT_TOKENS / 4 < trace.prompt_tokens < CONTEXT_TOKENS


@pytest.mark.parametrize("name", list(DIALECTS))
async def test_the_model_check_passes(name: str, fleet: Fleet, tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, declared(fleet.get(name, SMALL)))) as served:
        path = "/v1/prompts/model_configuration%2Fcheck"
        reply = await served.ask("POST", path, content={"inputs": {}})
        assert reply.status == 200, reply.body
        assert reply.json
