"""An honest upstream gets its badges; each lie is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.feature import Feature
from inhouse.core.ports import ProviderContext
from inhouse.core.settings import Settings
from inhouse.families import CompletionMode, Support, load
from inhouse.features.probing import (
    LIMIT,
    Report,
    Subject,
    cancelling,
    outdated,
    probe,
    read_report,
)
from inhouse.features.probing.evidence import Suffix
from inhouse.features.probing.probe import CLOSING, PARTS
from inhouse.providers.openai_compatible import OpenAICompatible
from inhouse.providers.scripted import Scripted
from tests.fakes.lying import Lying

FAMILIES = load()
TALKS = {family.name for family in FAMILIES if family.chat}
FILLS = sorted(
    family.name
    for family in FAMILIES
    if family.completion is CompletionMode.FIM and family.fim is not None
)


@pytest.fixture
async def openai(tmp_path: Path) -> AsyncGenerator[OpenAICompatible]:
    provider = OpenAICompatible(ProviderContext(cache=tmp_path, proxies={}))
    yield provider
    await provider.aclose()


def deployment(upstream: Lying, family: str = "qwen-coder", **more: Any) -> Deployment:
    found = Deployment(
        name="x", family=family, identifier="custom_openai/m", endpoint=upstream.endpoint
    )
    return msgspec.structs.replace(found, **more)


def subject(asked: Deployment, provider: Any) -> Subject:
    return Subject(deployment=asked, provider=provider, families=FAMILIES, settings=Settings())


async def probed(
    provider: OpenAICompatible,
    family: str = "qwen-coder",
    *,
    gentle: bool = True,
    asked: dict[str, Any] | None = None,
    **traits: Any,
) -> Report:
    async with Lying(**traits) as upstream:
        found = deployment(upstream, family, **(asked or {}))
        return await probe(subject(found, provider), gentle=gentle)


def badge(report: Report, feature: Feature) -> Support:
    return next(each.support for each in report.badges if each.feature is feature)


def said(report: Report, feature: Feature) -> str:
    found = next(each for each in report.badges if each.feature is feature)
    return "\n".join(each.sentence for each in found.reasons if each.allows is not Support.FULL)


async def test_an_honest_upstream_gets_full_badges(openai: OpenAICompatible) -> None:
    report = await probed(openai, gentle=False)
    assert [(each.feature, each.support) for each in report.badges] == [
        (Feature.COMPLETION, Support.FULL),
        (Feature.GENERATION, Support.FULL),
        (Feature.CHAT, Support.FULL),
    ], report.badges
    evidence = report.evidence
    assert evidence.skipped == ()
    assert evidence.sentinels is not None
    assert evidence.sentinels.counted_by == "tokenizer"
    assert evidence.filling is not None
    assert evidence.filling.suffix is Suffix.RIGHT
    assert evidence.stops is not None
    assert evidence.stops.honoured
    assert evidence.tools is not None
    assert evidence.tools.valid
    assert evidence.schema is not None
    assert evidence.schema.valid
    assert evidence.cancelling is not None
    assert evidence.cancelling.streamed.stopped
    assert evidence.cancelling.whole.stopped
    assert evidence.load is not None
    assert [(each.concurrent, each.requests, each.failed) for each in evidence.load] == [
        (1, 3, 0),
        (10, 10, 0),
        (50, 50, 0),
    ]


async def test_a_report_is_plain_json_and_comes_back(openai: OpenAICompatible) -> None:
    report = await probed(openai)
    plain = msgspec.json.decode(msgspec.json.encode(report.plain()))
    assert plain["version"] == 1
    assert read_report(plain) == report
    assert read_report(plain | {"version": 2}) is None


async def test_a_report_holds_for_identifier_endpoint_and_family(openai: OpenAICompatible) -> None:
    async with Lying() as upstream:
        asked = deployment(upstream)
        report = await probe(subject(asked, openai), gentle=True)
    assert outdated(report, msgspec.structs.replace(asked, max_concurrent=3)) == ()
    changed = msgspec.structs.replace(asked, family="starcoder2", identifier="custom_openai/n")
    assert outdated(report, changed) == ("identifier", "family")


@pytest.mark.parametrize("how", ["tokenizer", "usage"])
@pytest.mark.parametrize("true", FILLS)
async def test_every_planted_wrong_family_is_found(
    true: str, how: str, openai: OpenAICompatible
) -> None:
    model = FAMILIES.get(true).fim
    assert model is not None
    special = frozenset(model.tokens)
    for name in FILLS:
        planted = FAMILIES.get(name).fim
        assert planted is not None
        report = await probed(
            openai, name, special=tuple(special), tokenizer=how == "tokenizer", metrics=False
        )
        sentinels = report.evidence.sentinels
        assert sentinels is not None
        assert sentinels.counted_by == how
        unknown = set(planted.tokens) - special
        assert set(sentinels.unknown) == unknown
        wrong = badge(report, Feature.COMPLETION) is Support.LIMITED
        assert wrong == bool(unknown), (true, name, report.badges)
        if unknown:
            assert true in sentinels.fits
            assert "not of the" in said(report, Feature.COMPLETION)


async def test_without_any_count_the_answers_tell(openai: OpenAICompatible) -> None:
    blind: dict[str, Any] = {"tokenizer": False, "usage": False}
    right = await probed(openai, **blind)
    assert right.evidence.sentinels is None
    assert badge(right, Feature.COMPLETION) is Support.FULL
    wrong = await probed(openai, "codestral", **blind)
    assert badge(wrong, Feature.COMPLETION) is Support.LIMITED
    assert "changes nothing" in said(wrong, Feature.COMPLETION)


async def test_special_tokens_that_come_as_text_are_found() -> None:
    provider = Scripted()
    options = {"tokens": ["<|fim_suffix|>", " x"], "tokenizer": False, "tell_usage": False}
    asked = Deployment(name="s", family="qwen-coder", identifier="scripted/leaks", options=options)
    report = await probe(subject(asked, provider), gentle=True)
    for feature in (Feature.COMPLETION, Feature.CHAT):
        assert badge(report, feature) is Support.LIMITED
        assert "<|fim_suffix|>" in said(report, feature)


async def test_stops_that_are_ignored(openai: OpenAICompatible) -> None:
    report = await probed(openai, stops=False)
    assert report.evidence.stops is not None
    assert report.evidence.stops.honoured is False
    assert badge(report, Feature.COMPLETION) is Support.PARTIAL
    assert "Stop sequences are not honoured" in said(report, Feature.COMPLETION)


async def test_a_stream_that_something_holds() -> None:
    options = {"first_delay": 0.26, "tokens": [f" w{number}" for number in range(12)]}
    asked = Deployment(name="s", family="general", identifier="scripted/held", options=options)
    report = await probe(subject(asked, Scripted()), gentle=True)
    assert report.evidence.streaming is not None
    assert report.evidence.streaming.buffered
    assert "in one lump" in said(report, Feature.CHAT)


async def test_a_stream_that_flows() -> None:
    options = {"delay": 0.01, "tokens": [f" w{number}" for number in range(12)]}
    asked = Deployment(name="s", family="general", identifier="scripted/steady", options=options)
    report = await probe(subject(asked, Scripted()), gentle=True)
    assert report.evidence.streaming is not None
    assert report.evidence.streaming.buffered is False


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (None, "in words instead of calling"),
        ('{"city": "Oslo", "days": "three"}', "JSON of another form"),
        ('{"city": "Oslo", "da', "is no JSON"),
    ],
)
async def test_broken_tools_and_schemas(
    arguments: str | None, sentence: str, openai: OpenAICompatible
) -> None:
    report = await probed(openai, arguments=arguments)
    assert sentence in said(report, Feature.CHAT)
    assert "JSON of a schema: what comes is not valid" in said(report, Feature.CHAT)
    assert badge(report, Feature.CHAT) is Support.PARTIAL
    assert badge(report, Feature.COMPLETION) is Support.FULL


async def test_tools_and_schemas_that_are_refused(openai: OpenAICompatible) -> None:
    report = await probed(openai, refuses=frozenset({"tools", "response_format"}))
    assert "Tools: not supported" in said(report, Feature.CHAT)
    assert "JSON of a schema: not supported" in said(report, Feature.CHAT)


async def test_a_window_that_is_smaller_than_claimed(openai: OpenAICompatible) -> None:
    report = await probed(openai, window=10_000)
    window = report.evidence.window
    assert window is not None
    assert window.cut is False
    assert 4_000 < window.accepted < 10_000
    assert window.refused is not None
    assert window.refused <= window.claimed
    assert "is refused, " in said(report, Feature.COMPLETION)


@pytest.mark.parametrize("claims", [4096, None])
async def test_prompts_that_are_silently_cut(claims: int | None, openai: OpenAICompatible) -> None:
    report = await probed(openai, window=4096, claims=claims, truncates=True)
    window = report.evidence.window
    assert window is not None
    assert window.cut
    assert window.accepted < 4096
    assert "silently cut" in said(report, Feature.CHAT)


async def test_the_needle_tells_where_usage_does_not(openai: OpenAICompatible) -> None:
    report = await probed(openai, usage=False, window=4096, claims=4096)
    window = report.evidence.window
    assert window is not None
    assert window.refused is not None
    assert window.refused > 4096
    assert window.cut is False


async def test_the_needle_is_lost_where_prompts_are_silently_cut(openai: OpenAICompatible) -> None:
    report = await probed(openai, usage=False, window=4096, claims=4096, truncates=True)
    window = report.evidence.window
    assert window is not None
    assert window.cut
    assert "does not find the head" in window.why


async def test_no_prompt_is_longer_than_it_may_be(openai: OpenAICompatible) -> None:
    async with Lying(window=1_000_000, claims=1_000_000) as upstream:
        report = await probe(subject(deployment(upstream), openai), gentle=True)
        longest = max(len(request.body) for request in upstream.requests)
    assert longest < 33_000 * 4
    assert report.evidence.window is not None
    assert "to spare the upstream" in report.evidence.window.why
    assert badge(report, Feature.CHAT) is Support.FULL


@pytest.mark.parametrize(
    ("hears", "streamed", "whole"),
    [
        (frozenset({"stream"}), True, False),
        (frozenset({"whole"}), False, True),
        (frozenset[str](), False, False),
    ],
)
async def test_hang_ups_that_nobody_hears(
    hears: frozenset[str], streamed: bool, whole: bool, openai: OpenAICompatible
) -> None:
    report = await probed(openai, hears=hears, asked={"options": {"whole_answers": True}})
    found = report.evidence.cancelling
    assert found is not None
    assert found.streamed.stopped is streamed
    assert found.whole.stopped is whole
    assert badge(report, Feature.COMPLETION) is Support.PARTIAL
    assert "Generation goes on" in said(report, Feature.COMPLETION)


async def test_without_counters_nothing_is_claimed(openai: OpenAICompatible) -> None:
    report = await probed(openai, metrics=False)
    found = report.evidence.cancelling
    assert found is not None
    assert found.streamed.stopped is None
    assert "Not observable" in found.streamed.why
    assert badge(report, Feature.COMPLETION) is Support.FULL


async def test_a_short_request_that_waits_behind_an_abandoned_one_is_a_sign(
    openai: OpenAICompatible, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever it takes counts as too long: tests do not wait.
    monkeypatch.setattr(cancelling, "SLOWER", 0.0)
    monkeypatch.setattr(cancelling, "SLOWER_MILLISECONDS", -1.0)
    report = await probed(openai, metrics=False)
    found = report.evidence.cancelling
    assert found is not None
    assert found.streamed.stopped is False
    assert "The next short answer took" in found.streamed.why


async def test_others_who_use_the_upstream_are_waited_for_but_not_for_ever(
    openai: OpenAICompatible, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelling, "BEGIN_SECONDS", 0.01)
    async with Lying() as upstream:
        upstream.running.append(1_000_000)
        report = await probe(subject(deployment(upstream), openai), gentle=True)
    found = report.evidence.cancelling
    assert found is not None
    assert found.streamed.stopped is None
    assert "Others use the upstream" in found.streamed.why
    assert badge(report, Feature.COMPLETION) is Support.FULL


async def test_more_load_is_left_out_where_some_was_too_much(openai: OpenAICompatible) -> None:
    async with Lying(most_at_once=4) as upstream:
        report = await probe(subject(deployment(upstream), openai))
        assert upstream.most <= 10
    load = report.evidence.load
    assert load is not None
    assert load[1].failed >= 3
    assert load[2].requests == 0
    assert "too many already" in load[2].why
    assert badge(report, Feature.COMPLETION) is Support.PARTIAL


async def test_load_keeps_to_what_the_deployment_allows(openai: OpenAICompatible) -> None:
    async with Lying() as upstream:
        asked = deployment(upstream, max_concurrent=4)
        report = await probe(subject(asked, openai))
        assert upstream.most == 1
    assert report.evidence.load is not None
    assert report.evidence.load[1].why == "The deployment allows 4 requests at once."


async def test_never_more_than_fifty_at_once_and_gently_one(openai: OpenAICompatible) -> None:
    async with Lying() as upstream:
        await probe(subject(deployment(upstream), openai))
        assert upstream.most == 50
    async with Lying() as upstream:
        report = await probe(subject(deployment(upstream), openai), gentle=True)
        assert upstream.most == 1
    assert report.evidence.load is not None
    assert [each.requests for each in report.evidence.load] == [3, 0, 0]


async def test_an_upstream_that_is_not_there(openai: OpenAICompatible) -> None:
    asked = Deployment(
        name="x",
        family="starcoder2",
        identifier="custom_openai/m",
        endpoint="http://127.0.0.1:1/v1",
    )
    report = await probe(subject(asked, openai))
    assert badge(report, Feature.COMPLETION) is Support.LIMITED
    assert "refused the connection" in said(report, Feature.COMPLETION)
    assert badge(report, Feature.CHAT) is Support.UNSUPPORTED


async def test_a_model_without_a_chat_template_completes_all_the_same(
    openai: OpenAICompatible,
) -> None:
    report = await probed(openai, chats=False)
    assert badge(report, Feature.COMPLETION) is Support.FULL
    assert badge(report, Feature.CHAT) is Support.LIMITED
    assert "does not answer" in said(report, Feature.CHAT)


async def test_a_model_that_chats_only() -> None:
    options = {"takes_text": False, "tokens": [f" w{number}" for number in range(12)]}
    asked = Deployment(name="s", family="codellama", identifier="scripted/chat", options=options)
    report = await probe(subject(asked, Scripted()), gentle=True)
    assert report.evidence.asked.completion is CompletionMode.INSTRUCTION
    assert "chats only" in said(report, Feature.COMPLETION)
    assert badge(report, Feature.CHAT) is not Support.UNSUPPORTED


async def test_time_is_kept_and_what_it_cost_is_told() -> None:
    options = {"hang": True}
    asked = Deployment(name="s", family="general", identifier="scripted/hangs", options=options)
    report = await probe(subject(asked, Scripted()), seconds=0.2)
    assert report.seconds < LIMIT
    assert "load" in {each.part for each in report.evidence.skipped}
    assert {each.support for each in report.badges} == {Support.UNRATED}


def test_the_parts_fit_into_the_time() -> None:
    assert sum(part.seconds for part in PARTS) <= LIMIT - CLOSING
    assert LIMIT <= 3 * 60


async def test_leaving_a_probe_leaves_the_upstream() -> None:
    provider = Scripted()
    options = {"gate": "here", "tokens": ["a", "b"], "gate_after": 1}
    asked = Deployment(name="s", family="general", identifier="scripted/gate", options=options)
    task = asyncio.create_task(probe(subject(asked, provider)))
    await provider.gate("here").reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [call.aborted for call in provider.calls] == [True]
