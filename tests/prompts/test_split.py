"""Raw FIM prompts are taken apart, whoever's sentinels they carry; nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.prompt import Fim, Text
from inhouse.core.requests import CompletionRequest
from inhouse.families import CompletionMode, load
from inhouse.prompts import Budget, render_completion, split_fim

FAMILIES = load()
BUDGET = Budget(window=4096, prefix_tokens=2048, suffix_tokens=512, output_tokens=128)
CODE = st.text(st.sampled_from("ab (<|[>]\n"), max_size=40)


@pytest.mark.parametrize(
    "name", [each.name for each in FAMILIES if each.completion is CompletionMode.FIM]
)
@given(CODE, CODE)
def test_what_we_render_we_understand(name: str, prefix: str, suffix: str) -> None:
    request = CompletionRequest(prefix=prefix, suffix=suffix)
    prompt = render_completion(request, FAMILIES.get(name), BUDGET).prompt
    assert isinstance(prompt, Text)
    assert split_fim(prompt.text, FAMILIES) == Fim(prefix=prefix, suffix=suffix)


@pytest.mark.parametrize(
    ("text", "prefix", "suffix"),
    [
        ("<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "a", "b"),
        ("<fim_prefix>a<fim_suffix>b<fim_middle>", "a", "b"),
        ("<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>", "a", "b"),  # noqa: RUF001 - as it is spelt
        ("<PRE> a <SUF>b <MID>", "a", "b"),
        ("<PRE>a<SUF>b<MID>", "a", "b"),
        ("[SUFFIX]b[PREFIX]a", "a", "b"),
        # Behind the middle sentinel: a begun middle, or the prefix of suffix-first prompts.
        ("<fim_prefix>a<fim_suffix>b<fim_middle>c", "ac", "b"),
        ("<fim_prefix><fim_suffix>b<fim_middle>a", "a", "b"),
        # Suffix first for a family that is prefix first, and the other way round.
        ("<fim_suffix>b<fim_prefix>a<fim_middle>", "a", "b"),
        ("[PREFIX]a[SUFFIX]b", "a", "b"),
        # Tokens that some clients add: a beginning of text, a middle sentinel.
        ("<s>[SUFFIX]b[PREFIX]a[MIDDLE]", "a", "b"),
        ("</s>[SUFFIX]b[PREFIX]a", "a", "b"),
    ],
)
def test_either_order_is_understood(text: str, prefix: str, suffix: str) -> None:
    assert split_fim(text, FAMILIES) == Fim(prefix=prefix, suffix=suffix)


def test_other_files_head_the_prefix_and_the_last_path_is_the_holes() -> None:
    text = (
        "<|repo_name|>shop\n<|file_sep|>tax.py\nRATE = 0.2\n"
        "<|file_sep|>cart.py\n<|fim_prefix|>import tax\n<|fim_suffix|>\nend<|fim_middle|>"
    )
    assert split_fim(text, FAMILIES) == Fim(
        prefix="shop\ntax.py\nRATE = 0.2\nimport tax\n", suffix="\nend", path="cart.py"
    )


def test_other_files_without_tokens_head_the_prefix() -> None:
    text = "#tax.py\nRATE = 0.2\n<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>"  # noqa: RUF001
    assert split_fim(text, FAMILIES) == Fim(prefix="#tax.py\nRATE = 0.2\na", suffix="b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def f():",
        "<|fim_prefix|>a<|fim_suffix|>b",  # unfinished
        "<|fim_prefix|>a",
        "<|fim_prefix|>a<|fim_middle|>b<|fim_suffix|>c",  # no family's order
        "<|fim_middle|><|fim_prefix|>a<|fim_suffix|>b",  # no family's order
        "<|fim_prefix|>'<|fim_prefix|>'<|fim_suffix|>b<|fim_middle|>",  # code about sentinels
        "<|fim_prefix|>a<fim_suffix>b<|fim_middle|>",  # two families'
        "<| fim_prefix |>a<| fim_suffix |>b<| fim_middle |>",  # no exact token
    ],
)
def test_anything_else_is_left_as_it_is(text: str) -> None:
    assert split_fim(text, FAMILIES) is None


@given(st.text(), st.lists(st.sampled_from(["<|fim_prefix|>", "[SUFFIX]", "[PREFIX]", "x"])))
def test_no_text_makes_it_fail(text: str, tokens: list[str]) -> None:
    split_fim(text.join(tokens), FAMILIES)
