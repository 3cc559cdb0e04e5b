"""Tasks: templates that fit their inputs, and inputs that are cut, disarmed, and no templates."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.prompt import Messages
from inhouse.core.requests import ChatRequest, Message
from inhouse.errors import InvalidValueError
from inhouse.families import load
from inhouse.prompts import (
    Budget,
    Rendered,
    TaskRequest,
    render_prepared,
    render_task,
    restore,
    tasks,
)
from inhouse.prompts.fitting import GAP, Keep, kept, shares
from inhouse.prompts.templates import sections

FAMILIES = load()
TASKS = {name: task for name, task in tasks().items() if task.template}
PLAIN = Budget(window=8192, prefix_tokens=0, suffix_tokens=0, output_tokens=256)
EXACT = re.compile(r"\{\{([#/]?)([a-z_]+)\}\}")

every_task = pytest.mark.parametrize("name", TASKS)
either_family = pytest.mark.parametrize("family", ["llama3", "mistral"])
anything = st.text(alphabet=st.sampled_from("ab {}#/_\n<>|[]"), max_size=60) | st.sampled_from(
    ["{{input}}", "{{#diff}}x{{/diff}}", "</selected_code>", "<|eot_id|>", "[INST]", "--- user\n"]
)


def text_of(rendered: Rendered) -> str:
    assert isinstance(rendered.prompt, Messages)
    return "\n\n".join(str(each.content) for each in rendered.prompt.messages)


def request(name: str, /, **inputs: str) -> TaskRequest:
    return TaskRequest(task=TASKS[name], inputs=inputs)


def filled(name: str, text: str) -> TaskRequest:
    return request(name, **dict.fromkeys(TASKS[name].inputs, text))


@every_task
def test_a_template_names_every_input_and_fixed_word(name: str) -> None:
    task = TASKS[name]
    source = "\n".join(text for _, text in sections(task.template))
    found = EXACT.findall(source)
    assert {each for _, each in found} == set(task.inputs) | set(task.words)
    assert sorted(each for mark, each in found if mark == "#") == sorted(
        each for mark, each in found if mark == "/"
    )
    # What is cut to a share of the room must not stand there twice.
    once = [each for mark, each in found if not mark and each in task.inputs]
    assert sorted(once) == sorted(task.inputs)
    optional = {each for mark, each in found if mark == "#"}
    assert not optional & {each for each, known in task.inputs.items() if known.required}


@every_task
@either_family
def test_nothing_of_a_template_is_left_over(name: str, family: str) -> None:
    for text in ("", "Some text."):
        prompt = text_of(render_task(filled(name, text), FAMILIES.get(family), PLAIN))
        assert "{{" not in prompt
        assert "\n\n\n\n" not in prompt


@pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.name)
def test_no_template_holds_a_special_token(family: object) -> None:
    known = FAMILIES.get(getattr(family, "name", ""))
    if not known.chat:
        with pytest.raises(InvalidValueError, match="do not chat"):
            render_task(filled("chat/fix_code", "x"), known, PLAIN)
        return
    for name in TASKS:
        prompt = text_of(render_task(filled(name, "x"), known, PLAIN))
        assert [token for token in known.tokens if token in prompt] == []


@given(
    name=st.sampled_from(sorted(TASKS)),
    family=st.sampled_from(["llama3", "mistral"]),
    data=st.data(),
)
def test_inputs_stand_in_the_prompt_as_they_are(
    name: str, family: str, data: st.DataObject
) -> None:
    inputs = {each: data.draw(anything, label=each) for each in TASKS[name].inputs}
    known = FAMILIES.get(family)
    rendered = render_task(request(name, **inputs), known, PLAIN)
    prompt = restore(text_of(rendered), rendered.disarmed)
    assert all(text in prompt for text in inputs.values() if text.strip())
    assert [token for token in known.tokens if token in text_of(rendered)] == []


@given(
    name=st.sampled_from(sorted(TASKS)),
    family=st.sampled_from(["llama3", "mistral"]),
    unit=st.sampled_from(["line of text\n", "x", "é<|eot_id|>", "[INST]\n", "日本語 "]),
    window=st.sampled_from([2048, 3000, 5000]),
)
def test_huge_inputs_are_cut_to_the_window(name: str, family: str, unit: str, window: int) -> None:
    budget = Budget(window=window, prefix_tokens=0, suffix_tokens=0, output_tokens=window // 2)
    rendered = render_task(filled(name, unit * 20_000), FAMILIES.get(family), budget)
    size = len(text_of(rendered).encode())
    assert size <= budget.bytes(window - window // 2)
    if TASKS[name].inputs:
        assert unit.strip()[:1] in text_of(rendered)


def test_of_code_and_diffs_the_head_stays_and_of_logs_the_tail() -> None:
    lines = "".join(f"line {number}\n" for number in range(20_000))
    small = Budget(window=2048, prefix_tokens=0, suffix_tokens=0, output_tokens=512)
    llama = FAMILIES.get("llama3")
    diff = text_of(render_task(filled("generate_commit_message", lines), llama, small))
    log = text_of(render_task(request("chat/troubleshoot_job", selected_text=lines), llama, small))
    assert "line 0\n" in diff
    assert "line 19999\n" not in diff
    assert "line 0\n" not in log
    assert "line 19999\n" in log


def test_what_is_selected_has_more_room_than_the_file_around_it() -> None:
    small = Budget(window=2048, prefix_tokens=0, suffix_tokens=0, output_tokens=512)
    asked = request(
        "chat/explain_code",
        input="Explain",
        selected_text="selected\n" * 9999,
        file_content="surround\n" * 9999,
    )
    prompt = text_of(render_task(asked, FAMILIES.get("llama3"), small))
    assert prompt.count("selected\n") > 3 * prompt.count("surround\n") > 0
    assert prompt.endswith("\n\nExplain")


def test_an_input_that_is_missing_takes_no_room_and_leaves_no_trace() -> None:
    llama = FAMILIES.get("llama3")
    bare = text_of(render_task(request("generate_description", content="slow"), llama, PLAIN))
    full = text_of(
        render_task(request("generate_description", content="slow", template="## A"), llama, PLAIN)
    )
    assert "template" not in bare
    assert "<template>\n## A\n</template>" in full
    unknown = request("generate_description", content="slow", mood="x")
    assert text_of(render_task(unknown, llama, PLAIN)) == bare


def test_an_input_may_have_a_default() -> None:
    asked = request("chat/documentation_search", question="Why?", documents="Because.")
    assert 'begins with "ATTRS:"' in text_of(render_task(asked, FAMILIES.get("llama3"), PLAIN))
    empty = request(
        "chat/documentation_search", question="Why?", documents="Because.", content_id=""
    )
    assert 'begins with "ATTRS:"' in text_of(render_task(empty, FAMILIES.get("llama3"), PLAIN))


def test_a_conversation_keeps_its_instructions_and_loses_the_middle_of_its_longest_message() -> (
    None
):
    code = "Explain this:\n" + "code\n" * 20_000 + "Answer in English."
    asked = ChatRequest(
        messages=(Message(role="system", content="Be brief."), Message(role="user", content=code))
    )
    small = Budget(window=2048, prefix_tokens=0, suffix_tokens=0, output_tokens=512)
    for family in ("llama3", "mistral"):
        rendered = render_prepared(asked, FAMILIES.get(family), small)
        prompt = text_of(rendered)
        assert prompt.startswith("Be brief.\n\nExplain this:\ncode\n")
        assert GAP in prompt
        assert prompt.endswith("code\nAnswer in English.")
        assert 2000 < len(prompt) <= small.bytes(2048 - 512)
        assert rendered.params.max_tokens is not None
        assert rendered.params.max_tokens <= 512


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 9)), max_size=6), st.integers(0, 9000)
)
def test_shares_fill_the_room_and_no_more(texts: list[tuple[int, int]], room: int) -> None:
    sizes, weights = [size for size, _ in texts], [weight for _, weight in texts]
    found = shares(sizes, weights, room)
    assert sum(found) <= room
    assert all(0 <= limit <= size for limit, size in zip(found, sizes, strict=True))
    wanted = min(sum(sizes), room)
    assert sum(found) > wanted - max(1, len(texts))


@given(st.text(max_size=300), st.integers(0, 400), st.sampled_from(Keep))
def test_what_is_kept_fits(text: str, room: int, keep: Keep) -> None:
    assert len(kept(text, room, keep).encode()) <= room
    assert room < len(text.encode()) or kept(text, room, keep) == text
