"""``POST /v1/embeddings``, and that everything around an answer holds for vectors too."""

from __future__ import annotations

import base64
import math
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import NotFoundError

from inhouse.core.delta import Embedded
from inhouse.core.trace import Outcome
from inhouse.wire.openai.embeddings import embedding_answer
from tests.server.serving import (
    ADMIN,
    DEVELOPER,
    Reply,
    Served,
    configuration,
    route,
    scripted,
    serving,
)

BODY = {"model": "embedding", "input": ["apple", "pear"]}


async def ask(
    served: Served,
    body: object = BODY,
    *,
    key: str = DEVELOPER,
    headers: dict[str, str] | None = None,
) -> Reply:
    return await served.ask("POST", "/v1/embeddings", key=key, headers=headers, content=body)


def toml(*deployments: str) -> str:
    return "".join(scripted(name) for name in deployments) + route("embedding", *deployments)


async def test_openais_own_client_reads_the_vectors(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, toml("toy"))) as served, served.client() as client:
        packed = await client.embeddings.create(model="embedding", input=["apple", "pear", "apple"])
        plain = await client.embeddings.create(model="toy", input="pear", encoding_format="float")
        short = await client.embeddings.create(model="toy", input="pear", dimensions=3)
        with pytest.raises(NotFoundError):
            await client.embeddings.create(model="nobody", input="pear")
    apple, pear, again = [each.embedding for each in packed.data]
    assert [each.index for each in packed.data] == [0, 1, 2]
    assert apple == again != pear
    assert pear == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert math.hypot(*pear) == pytest.approx(1.0, abs=1e-6)
    assert len(short.data[0].embedding) == 3
    assert packed.model == plain.model == "toy"
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=4), max_size=3))
def test_packed_vectors_are_what_plain_ones_are(vectors: list[list[float]]) -> None:
    for data in embedding_answer(Embedded(vectors=vectors), "m", packed=True).split(
        b'"embedding":"'
    )[1:]:
        raw = base64.b64decode(data.split(b'"')[0])
        unpacked = list(struct.unpack(f"<{len(raw) // 4}f", raw))
        assert unpacked in vectors


async def test_a_trace_tells_who_embedded_and_how_much(tmp_path: Path) -> None:
    text = toml("toy") + scripted("mute", tell_usage=False)
    async with serving(configuration(tmp_path, text)) as served:
        await ask(served)
        await ask(served, {"model": "mute", "input": "x" * 320})
        mute, toy = await served.traces()
    assert (toy.model, toy.feature, toy.deployments) == ("embedding", "embedding", ("toy",))
    assert (toy.prompt_tokens, toy.completion_tokens, toy.outcome) == (2, 0, Outcome.OK)
    assert (mute.prompt_tokens, mute.completion_tokens) == (100, 0)


async def test_the_next_deployment_embeds_where_one_fails_or_cannot(tmp_path: Path) -> None:
    index = (
        f'[[deployments]]\nname = "index"\nfamily = "repository-index"\n'
        f'identifier = "repository/index"\nendpoint = "{tmp_path}"\n'
    )
    text = (
        scripted("broken", error="server", error_after=3)
        + index
        + scripted("good")
        + route("embedding", "broken", "index", "good")
    )
    async with serving(configuration(tmp_path, text)) as served:
        assert (await ask(served)).json["model"] == "good"
        (trace,) = await served.traces()
        alone = await ask(served, {"model": "index", "input": "x"})
    assert trace.failures == ("server", "misconfigured")
    assert alone.status == 502
    assert "turn no text into vectors" in alone.error["message"]


async def test_limits_and_deadlines_hold(tmp_path: Path) -> None:
    text = (
        toml("toy")
        + scripted("hung", hang=True)
        + '[[keys]]\nname = "few"\nrole = "developer"\nkey = "ihk_few_0123456789abcdef"\n'
        "tokens_per_minute = 10\n"
    )
    async with serving(configuration(tmp_path, text)) as served:
        late = await ask(
            served,
            {"model": "hung", "input": "x"},
            headers={"X-Inhouse-First-Token-Timeout": "0.05"},
        )
        (hung,) = served.scripted.calls
        content = {"model": "toy", "input": "x" * 3200}
        few = [await ask(served, content, key="ihk_few_0123456789abcdef") for _ in range(2)]
        assert len(served.scripted.calls) == 2
    assert hung.aborted
    assert late.status == 504
    assert "did not begin to answer within 0.05 s" in late.error["message"]
    # Who asks for more than a minute allows gets it once a minute.
    assert [each.status for each in few] == [200, 429]


async def test_a_late_answer_is_blamed_on_a_setting_that_there_is(tmp_path: Path) -> None:
    text = scripted("hung", hang=True) + "[settings]\nchat_first_token_timeout = 0.05\n"
    async with serving(configuration(tmp_path, text)) as served:
        late = await ask(served, {"model": "hung", "input": "x"})
    assert "(chat_first_token_timeout)" in late.error["message"]


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        ({"model": "embedding", "input": []}, 400, "'input' must be a text"),
        ({"model": "embedding", "input": ""}, 400, "'input' must be a text"),
        ({"model": "embedding", "input": ["a", ""]}, 400, "none of them empty"),
        ({"model": "embedding", "input": [[1, 2]]}, 400, "Token numbers are not taken"),
        ({"model": "embedding", "input": [1, 2]}, 400, "Token numbers are not taken"),
        ({"model": "embedding"}, 400, "input"),
        ({"model": "embedding", "input": "x", "dimensions": 0}, 400, "'dimensions' is wrong"),
        ({"model": "embedding", "input": "x", "encoding_format": "int8"}, 400, "encoding_format"),
        ({"model": "chat", "input": "x"}, 400, "writes text: ask 'embedding' for vectors"),
        ({"model": "none", "input": "x"}, 404, "There is no model 'none'"),
    ],
)
async def test_what_is_wrong_is_said(
    tmp_path: Path, content: object, status: int, why: str
) -> None:
    async with serving(configuration(tmp_path, toml("toy") + route("chat", "toy"))) as served:
        reply = await ask(served, content)
        assert not served.scripted.calls
    assert reply.status == status
    assert why in reply.error["message"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/completions", {"prompt": "Hi"}),
    ],
)
async def test_who_wants_text_of_the_model_embedding_is_sent_to_the_right_door(
    tmp_path: Path, path: str, content: dict[str, object]
) -> None:
    async with serving(configuration(tmp_path, toml("toy"))) as served:
        reply = await served.ask(
            "POST", path, key=DEVELOPER, content={"model": "embedding", **content}
        )
    assert reply.status == 400
    assert "POST /v1/embeddings" in reply.error["message"]


async def test_a_route_that_is_missing_is_told(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path)) as served:
        reply = await ask(served, key=ADMIN)
    assert reply.status == 404
    assert "inhouse routes set embedding DEPLOYMENT" in reply.error["message"]
