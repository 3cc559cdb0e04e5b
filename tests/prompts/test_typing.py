"""Typing changes a prompt behind what was typed; an upstream that caches heads keeps the rest."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.core.prompt import Messages, Text
from inhouse.core.requests import CompletionRequest, Params, Snippet
from inhouse.families import Family, load
from inhouse.prompts import Budget, render_completion
from inhouse.prompts.budget import STEPS, size

FAMILIES = load()
# Suffix behind, suffix in front, no suffix, and in words.
EACH = ("qwen-coder", "starcoder2", "codestral", "mistral-text", "general")
each_family = pytest.mark.parametrize("family", [FAMILIES.get(name) for name in EACH], ids=EACH)

BUDGET = Budget(
    window=4096, prefix_tokens=100, suffix_tokens=40, output_tokens=64, context_tokens=200
)
STEP = BUDGET.bytes(BUDGET.prefix_tokens) // STEPS
LINE = st.text(st.sampled_from("ab( \té日<|[]{}_"), max_size=30)
FILE = st.lists(LINE, max_size=60).map("\n".join)
TYPED = st.text(st.sampled_from("ab( \té日\n<|_"), max_size=STEP)
CONTEXT = st.lists(st.builds(Snippet, name=LINE, content=FILE), max_size=3).map(tuple)


def up_to_the_cursor(request: CompletionRequest, family: Family, budget: Budget) -> str:
    prompt = render_completion(request, family, budget).prompt
    if isinstance(prompt, Messages):
        return "\n".join(str(each.content) for each in prompt.messages).rpartition("{CURSOR")[0]
    assert isinstance(prompt, Text)
    if family.fim is None or family.name == "codestral":
        return prompt.text
    return prompt.text.partition(family.fim.suffix)[0]


@each_family
@settings(max_examples=30)
@given(FILE, TYPED, FILE, CONTEXT, st.sampled_from([1.0, 3.2]))
def test_typing_leaves_what_stands_before_it(
    family: Family,
    prefix: str,
    typed: str,
    suffix: str,
    context: tuple[Snippet, ...],
    characters_per_token: float,
) -> None:
    budget = msgspec.structs.replace(BUDGET, characters_per_token=characters_per_token)
    requests = [
        CompletionRequest(prefix=prefix + typed[:count], suffix=suffix, path="a.py")
        for count in range(len(typed) + 1)
    ]
    # A snippet that is typed by chance belongs to the file from then on.
    beside = tuple(each for each in context if each.content.strip() not in prefix + typed)
    heads = [
        up_to_the_cursor(msgspec.structs.replace(each, context=beside), family, budget)
        for each in requests
    ]
    step = budget.bytes(budget.prefix_tokens) // STEPS
    moved = sum(not after.startswith(before) for before, after in itertools.pairwise(heads))
    # Blanks in front of long lines move a cut a second time, and so may tokens that are disarmed.
    disarmed = sum(prefix.count(head) + typed.count(head) for head in "<[{")
    assert moved <= 2 * (1 + size(typed) // step) + disarmed


@each_family
def test_a_screen_of_typing_moves_the_cut_of_a_long_file_once_or_twice(family: Family) -> None:
    line = "value = compute(first, second)\n"
    heads: list[str] = []
    for count in range(0, 40 * len(line), 3):
        prefix = line * 300 + (line * 40)[:count]
        request = CompletionRequest(
            prefix=prefix, suffix="\n" + line * 100, path="a.py", params=Params(max_tokens=64)
        )
        budget = msgspec.structs.replace(BUDGET, window=8192, prefix_tokens=2048, suffix_tokens=512)
        heads.append(up_to_the_cursor(request, family, budget))
    moved = sum(not after.startswith(before) for before, after in itertools.pairwise(heads))
    assert len(heads) > 400
    assert 0 < moved <= 1
    assert all(line * 150 in head for head in heads), "at least three quarters of the budget"
