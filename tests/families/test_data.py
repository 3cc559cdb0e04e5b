"""The packaged families: complete, sourced, and found under the names that others use."""

from pathlib import Path

import pytest

from inhouse.errors import NotFoundError
from inhouse.families import BlueOak, CompletionMode, Family, GenerationMode, Order, Support, load

FAMILIES = load()
DOCUMENT = Path(__file__).parents[2] / "docs" / "families.md"

every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@pytest.mark.parametrize(
    "name",
    [
        *("mistral", "mistral-text", "mixtral", "mixtral-8x22b", "mixtral-text"),
        *("codestral", "llama3", "codellama", "codegemma", "deepseek-coder", "deepseek-coder-v2"),
        *("qwen-coder", "starcoder2", "granite-code", "gpt", "claude", "general"),
        *("repository-index", "embedding"),
    ],
)
def test_every_promised_family_is_there(name: str) -> None:
    assert FAMILIES.get(name).name == name


@pytest.mark.parametrize(
    ("gitlab", "ours"),
    [
        ("mistral", "mistral"),
        ("mixtral", "mixtral"),
        ("codestral", "codestral"),
        ("codestral-2501", "codestral"),
        ("codestral-2508", "codestral"),
        ("llama3", "llama3"),
        ("codellama", "codellama"),
        ("codegemma", "codegemma"),
        ("deepseekcoder", "deepseek-coder"),
        ("claude_3", "claude"),
        ("gpt", "gpt"),
        ("qwen2p5-coder-7b", "qwen-coder"),
        ("embedding", "embedding"),
        ("qwen", "general"),
        ("gemini", "general"),
        ("general", "general"),
        ("Codestral", "codestral"),
    ],
)
def test_gitlabs_names_lead_to_a_family(gitlab: str, ours: str) -> None:
    assert FAMILIES.get(gitlab).name == ours
    assert gitlab in FAMILIES


def test_an_unknown_family_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(NotFoundError) as unknown:
        FAMILIES.get("codestrl")
    assert "There is no model family 'codestrl'. The nearest are: codestral" in str(unknown.value)
    assert unknown.value.param == "family"
    with pytest.raises(NotFoundError) as unknown:
        FAMILIES.get("zzz")
    assert "nearest" not in str(unknown.value)
    assert "zzz" not in FAMILIES


def test_families_are_listed_by_name() -> None:
    assert list(FAMILIES.names()) == sorted(family.name for family in FAMILIES)


@every_family
def test_every_fact_names_its_source(family: Family) -> None:
    assert family.window_source
    assert family.models, "a family without a model says nothing of licence and rating"
    for model in family.models:
        for source in (model.licence.source, model.hardware.source, model.ratings.source):
            assert source.startswith(("https://", "inhouse", "docs/", "the model's card"))
    for table in (family.fim, family.repository):
        assert table is None or table.source.startswith("https://")


@every_family
def test_licence_ratings_are_the_blue_oak_councils(family: Family) -> None:
    council = {"Apache-2.0": BlueOak.SILVER, "MIT": BlueOak.SILVER}
    for model in family.models:
        assert model.licence.blue_oak is council.get(model.licence.spdx, BlueOak.UNRATED)


@every_family
def test_modes_and_ratings_agree(family: Family) -> None:
    for model in family.models:
        if not family.chat:
            assert model.ratings.chat is Support.UNSUPPORTED
        if family.generation is GenerationMode.NONE:
            assert model.ratings.generation is Support.UNSUPPORTED
        if model.ratings.completion is Support.FULL:
            assert family.completion in {CompletionMode.FIM, CompletionMode.INSTRUCTION}


@every_family
def test_a_fim_answer_stops_at_every_sentinel(family: Family) -> None:
    if family.completion is CompletionMode.FIM and family.fim is not None:
        assert set(family.fim.tokens) <= set(family.stop)
        assert set(family.stop) <= set(family.tokens)
        assert (family.fim.order is Order.PSM) == bool(family.fim.middle)


@every_family
def test_the_documentation_lists_the_family(family: Family) -> None:
    assert row(family) in DOCUMENT.read_text().splitlines()


@every_family
def test_the_documentation_lists_its_models(family: Family) -> None:
    lines = DOCUMENT.read_text().splitlines()
    assert [each for each in model_rows(family) if each not in lines] == []


def row(family: Family) -> str:
    """Return the family's line of the table in docs/families.md."""
    names = ", ".join(f"`{name}`" for name in family.aliases) or "none"
    order = "" if family.fim is None or family.completion != "fim" else f", {family.fim.order}"
    chat = "yes" if family.chat else "no"
    return (
        f"| `{family.name}` | {family.title} | {names} | {family.completion}{order} |"
        f" {family.generation} | {chat} | {family.window:,} |"
    )


def model_rows(family: Family) -> list[str]:
    """Return the lines of the family's models in docs/families.md."""
    return [
        f"| `{family.name}` | {each.title} | {each.licence.spdx} | {each.licence.blue_oak} |"
        f" {each.hardware.minimum} | {each.ratings.completion} | {each.ratings.generation} |"
        f" {each.ratings.chat} |"
        for each in family.models
    ]
