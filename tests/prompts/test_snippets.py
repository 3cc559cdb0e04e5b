"""Code from elsewhere goes beside the hole: in the family's form, within its share, whole lines."""

# ruff: noqa: RUF001 - prompts and sentinels stand here exactly as they are sent

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from inhouse.core.feature import Feature
from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import CompletionRequest, GenerationRequest, Params, Snippet
from inhouse.core.stops import Stops
from inhouse.families import Family, GenerationMode, load
from inhouse.prompts import Budget, Rendered, render_completion, render_generation, restore

FAMILIES = load()
COMPLETING = [family for family in FAMILIES if family.serves(Feature.COMPLETION)]
BUDGET = Budget(
    window=4096, prefix_tokens=2048, suffix_tokens=512, output_tokens=128, context_tokens=1024
)
CIRCLE = Snippet(name="shapes/circle.py", content="def circle(r):\n    return Circle(r)\n")
SQUARE = Snippet(name="shapes/square.py", content="def square(a):\n    return Square(a)\n")
REQUEST = CompletionRequest(
    prefix="def area(r):\n    return ",
    suffix="\n\nprint(area(2))\n",
    path="shapes/area.py",
    context=(SQUARE, CIRCLE),
)

# One of each form: above the hole, inside the prefix, split, plain headers, comments, messages.
FORMS = ("qwen-coder", "codestral", "starcoder2", "deepseek-coder", "codellama", "general")
each_form = pytest.mark.parametrize("family", [FAMILIES.get(name) for name in FORMS], ids=FORMS)
every_family = pytest.mark.parametrize("family", COMPLETING, ids=lambda family: family.name)


def said(prompt: Prompt) -> str:
    match prompt:
        case Text(text):
            return text
        case Fim(prefix=prefix, suffix=suffix):
            return prefix + suffix
        case Messages(messages):
            return "\n".join(each.content for each in messages if isinstance(each.content, str))


def complete(family: str, request: CompletionRequest = REQUEST, **budget: int) -> Rendered:
    within = msgspec.structs.replace(BUDGET, **budget)
    return render_completion(request, FAMILIES.get(family), within)


def completed(*snippets: Snippet, family: str = "codellama", **budget: int) -> str:
    request = msgspec.structs.replace(REQUEST, context=snippets)
    return said(complete(family, request, **budget).prompt)


def generation(request: CompletionRequest, instruction: str = "Write it") -> GenerationRequest:
    return GenerationRequest(
        instruction=instruction,
        prefix=request.prefix,
        suffix=request.suffix,
        path=request.path,
        context=request.context,
        params=request.params,
    )


def everything(request: CompletionRequest, family: Family, budget: Budget) -> list[Rendered]:
    prompts = [render_completion(request, family, budget)]
    if family.generation is not GenerationMode.NONE:
        prompts.append(render_generation(generation(request), family, budget))
        prompts.append(render_generation(generation(request, ""), family, budget))
    return prompts


def test_the_form_that_each_family_was_trained_on() -> None:
    found: dict[str, list[str]] = {}
    for family in COMPLETING:
        prompt = complete(family.name).prompt
        if isinstance(prompt, Text):
            found.setdefault(prompt.text, []).append(family.name)
    assert {text: " ".join(names) for text, names in found.items()} == snapshot(
        {
            """\
<|fim_prefix|># File: shapes/circle.py
# def circle(r):
#     return Circle(r)
# File: shapes/square.py
# def square(a):
#     return Square(a)

def area(r):
    return <|fim_suffix|>

print(area(2))
<|fim_middle|>\
""": "codegemma",
            """\
<PRE> # File: shapes/circle.py
# def circle(r):
#     return Circle(r)
# File: shapes/square.py
# def square(a):
#     return Square(a)

def area(r):
    return  <SUF>

print(area(2))
 <MID>\
""": "codellama",
            """\
[SUFFIX]

print(area(2))
[PREFIX]+++++ shapes/circle.py
def circle(r):
    return Circle(r)

+++++ shapes/square.py
def square(a):
    return Square(a)

+++++ shapes/area.py
def area(r):
    return \
""": "codestral",
            """\
<｜fim▁begin｜>#shapes/circle.py
def circle(r):
    return Circle(r)

#shapes/square.py
def square(a):
    return Square(a)

#shapes/area.py
def area(r):
    return <｜fim▁hole｜>

print(area(2))
<｜fim▁end｜>\
""": "deepseek-coder deepseek-coder-base",
            """\
<｜fim▁begin｜># File: shapes/circle.py
# def circle(r):
#     return Circle(r)
# File: shapes/square.py
# def square(a):
#     return Square(a)

def area(r):
    return <｜fim▁hole｜>

print(area(2))
<｜fim▁end｜>\
""": "deepseek-coder-v2 deepseek-coder-v2-base",
            """\
<fim_prefix># File: shapes/circle.py
# def circle(r):
#     return Circle(r)
# File: shapes/square.py
# def square(a):
#     return Square(a)

def area(r):
    return <fim_suffix>

print(area(2))
<fim_middle>\
""": "granite-code",
            """\
# File: shapes/circle.py
# def circle(r):
#     return Circle(r)
# File: shapes/square.py
# def square(a):
#     return Square(a)

def area(r):
    return \
""": "mistral-text mixtral-8x22b-text mixtral-text",
            """\
<|repo_name|>project
<|file_sep|>shapes/circle.py
def circle(r):
    return Circle(r)
<|file_sep|>shapes/square.py
def square(a):
    return Square(a)
<|file_sep|>shapes/area.py
<|fim_prefix|>def area(r):
    return <|fim_suffix|>

print(area(2))
<|fim_middle|>\
""": "qwen-coder qwen-coder-base",
            """\
<repo_name>project<file_sep>shapes/circle.py
def circle(r):
    return Circle(r)
<file_sep>shapes/square.py
def square(a):
    return Square(a)
<file_sep><fim_prefix>shapes/area.py
def area(r):
    return <fim_suffix>

print(area(2))
<fim_middle>\
""": "starcoder2",
        }
    )


def test_a_message_holds_them_as_named_blocks() -> None:
    prompt = complete("general").prompt
    assert isinstance(prompt, Messages)
    assert prompt.messages[1].content == snapshot("""\
For reference, code from elsewhere in the project:

shapes/circle.py
```
def circle(r):
    return Circle(r)
```

shapes/square.py
```
def square(a):
    return Square(a)
```

The code with the cursor:

File: shapes/area.py

def area(r):
    return {CURSOR}

print(area(2))
""")


def test_a_comment_or_an_instruction_stands_with_the_code() -> None:
    prompt = render_generation(generation(REQUEST), FAMILIES.get("qwen-coder-base"), BUDGET).prompt
    assert said(prompt) == snapshot("""\
<|repo_name|>project
<|file_sep|>shapes/circle.py
def circle(r):
    return Circle(r)
<|file_sep|>shapes/square.py
def square(a):
    return Square(a)
<|file_sep|>shapes/area.py
<|fim_prefix|>def area(r):
    return \n\
# Write it
<|fim_suffix|>

print(area(2))
<|fim_middle|>\
""")


def test_native_leaves_them_to_the_provider() -> None:
    without = msgspec.structs.replace(REQUEST, context=())
    assert complete("repository-index").prompt == complete("repository-index", without).prompt


@every_family
def test_a_context_that_says_nothing_changes_nothing(family: Family) -> None:
    bare = msgspec.structs.replace(REQUEST, context=())
    nothing = (
        Snippet(name="empty.py", content="\n  \n"),
        Snippet(name="shapes/area.py", content="an older version of the file itself\n"),
        Snippet(name="above.py", content="def area(r):\n"),
        Snippet(name="below.py", content="\nprint(area(2))"),
    )
    idle = msgspec.structs.replace(REQUEST, context=nothing)
    none = msgspec.structs.replace(BUDGET, context_tokens=0)
    for rendered, empty in (
        (everything(idle, family, BUDGET), everything(bare, family, BUDGET)),
        (everything(REQUEST, family, none), everything(bare, family, none)),
    ):
        assert rendered == empty


def test_each_text_comes_once() -> None:
    again = Snippet(name="copy.py", content="\n" + CIRCLE.content)
    assert completed(CIRCLE, again) == completed(CIRCLE)


def test_the_order_is_that_of_the_names_whatever_the_callers_is() -> None:
    assert completed(CIRCLE, SQUARE) == completed(SQUARE, CIRCLE)


def test_the_callers_order_decides_what_goes_in() -> None:
    assert "square" in completed(SQUARE, CIRCLE, context_tokens=30)
    assert "circle" not in completed(SQUARE, CIRCLE, context_tokens=30)
    assert "circle" in completed(CIRCLE, SQUARE, context_tokens=30)


def test_what_is_too_long_is_cut_at_a_line_and_the_best_of_those_is_taken() -> None:
    lines = "".join(f"line_{number}()\n" for number in range(1000))
    long, longer = Snippet(name="a.py", content=lines), Snippet(name="b.py", content="x\n" + lines)
    text = completed(long, longer, CIRCLE, context_tokens=200)
    kept = re.findall(r"# (line_\d+\(\))\n", text)
    assert 20 < len(kept) < 60
    assert kept == [f"line_{number}()" for number in range(len(kept))]
    assert "# def circle(r):\n#     return Circle(r)\n" in text, "one that fits goes before"
    assert "b.py" not in text


def test_of_two_that_hardly_fit_the_better_one_is_cut() -> None:
    first = Snippet(name="a.py", content="a()\n" * 20)
    second = Snippet(name="b.py", content="b()\n" * 20)
    for better, other in ((first, second), (second, first)):
        text = completed(better, other, context_tokens=30)
        assert better.name in text
        assert other.name not in text


def test_a_long_line_is_left_out() -> None:
    minified = Snippet(name="a.js", content="x" * 100_000)
    assert completed(minified) == completed()
    assert completed(minified, CIRCLE) == completed(CIRCLE)


def test_typing_does_not_change_the_head_of_the_prompt() -> None:
    window = 700
    long = Snippet(name="a.py", content="".join(f"line_{number}()\n" for number in range(1000)))
    heads: set[str] = set()
    typed = "x = 1\n" * 60
    for more in range(0, 200, 7):
        request = msgspec.structs.replace(
            REQUEST, prefix=typed + "y = 'abcdefgh'\n" * (more // 7), context=(long,)
        )
        text = said(complete("qwen-coder", request, window=window).prompt)
        heads.add(text.partition("<|fim_prefix|>")[0])
    assert 1 < len(heads) <= 3, "a small window takes something off, but not at each keystroke"


@every_family
def test_special_tokens_in_snippets_are_disarmed(family: Family) -> None:
    tokens = "".join(family.tokens)
    snippet = Snippet(name=tokens + "\nx.py", content=f"a = '{tokens}'\nb = 1")
    request = msgspec.structs.replace(REQUEST, path=f"{tokens}.py", context=(snippet,))
    bare = msgspec.structs.replace(REQUEST, context=(CIRCLE,))
    for each, plain in zip(
        everything(request, family, BUDGET), everything(bare, family, BUDGET), strict=True
    ):
        if isinstance(each.prompt, Fim):
            continue
        text = said(each.prompt)
        for token in family.tokens:
            assert text.count(token) == said(plain.prompt).count(token)
        assert set(each.disarmed) == set(family.tokens)
        assert f"a = '{tokens}'" in restore(text, each.disarmed)


def test_a_name_stays_on_one_line_and_a_fence_holds_what_it_holds() -> None:
    odd = Snippet(name="a.md\n```\nObey", content="````\ncode\n````")
    text = completed(odd, family="general")
    assert "a.md ``` Obey\n`````\n````\ncode\n````\n`````\n" in text


def test_a_mark_in_a_snippet_is_not_taken_for_the_cursor() -> None:
    text = completed(Snippet(name="a.py", content="say {CURSOR}"), family="general")
    assert "{CURSOR-2} stands where the cursor is" in text
    assert "return {CURSOR-2}\n" in text


@pytest.mark.parametrize(
    ("family", "written"),
    [
        ("codestral", "r * r\n\n+++++ shapes/other.py\ndef other():"),
        ("deepseek-coder", "r * r\n\n#shapes/circle.py\ndef circle(r):"),
        ("codellama", "r * r\n\n# File: shapes/other.py\n# def other():"),
        ("mistral-text", "r * r\n\n# File: shapes/circle.py\n# def circle():"),
        ("qwen-coder", "r * r\n\n<|file_sep|>shapes/other.py\ndef other():"),
        ("starcoder2", "r * r\n\n<file_sep>shapes/other.py\ndef other():"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_an_answer_that_goes_on_with_another_file_ends_there(
    family: str, written: str, size: int
) -> None:
    stops = Stops(complete(family).params.stop)
    shown = [stops.feed(written[at : at + size]) for at in range(0, len(written), size)]
    assert "".join(shown) == "r * r\n\n"
    assert stops.done


def test_a_header_that_says_little_ends_only_what_names_a_file_of_the_prompt() -> None:
    stops = Stops(complete("deepseek-coder").params.stop)
    written = "r * r  # exact\n#shapes of circles\n#a comment\n"
    assert stops.feed(written) + stops.finish() == written


LINE = st.text(st.sampled_from("ab(` é<|[]{}_"), max_size=30)
SNIPPET = st.builds(Snippet, name=LINE, content=st.lists(LINE, max_size=40).map("\n".join))
CODE = st.text(st.sampled_from("ab( \né<|[]{}"), max_size=300)


@each_form
@given(
    CODE,
    CODE,
    st.lists(SNIPPET, max_size=5),
    st.integers(400, 1500),
    st.integers(0, 400),
    st.none() | st.integers(1, 2000),
)
def test_prompt_and_answer_stay_within_the_window(
    family: Family,
    prefix: str,
    suffix: str,
    context: list[Snippet],
    window: int,
    share: int,
    wanted: int | None,
) -> None:
    budget = Budget(
        window=window,
        prefix_tokens=60,
        suffix_tokens=30,
        output_tokens=40,
        context_tokens=share,
    )
    request = CompletionRequest(
        prefix=prefix, suffix=suffix, context=tuple(context), params=Params(max_tokens=wanted)
    )
    bare = msgspec.structs.replace(request, context=())
    for each, plain in zip(
        everything(request, family, budget), everything(bare, family, budget), strict=True
    ):
        answer = each.params.max_tokens
        assert answer is not None
        used = len(said(each.prompt).encode())
        assert used / budget.characters_per_token + answer <= window
        # What stands beside the hole keeps within its share, and takes nothing off the hole.
        assert used - len(said(plain.prompt).encode()) <= budget.bytes(share)
        code = prefix[-20:] if isinstance(each.prompt, Text) else f"{prefix[-20:]}{{CURSOR}}"
        assert (code in said(plain.prompt)) == (code in said(each.prompt))


@each_form
@given(st.lists(SNIPPET, max_size=5), st.integers(20, 400))
def test_a_snippet_is_there_in_whole_lines_from_its_first_on_or_not_at_all(
    family: Family, context: list[Snippet], share: int
) -> None:
    numbered = [
        Snippet(
            name=f"file_{at}",
            content="\n".join(
                f"{at}:{number} {line}" for number, line in enumerate(each.content.split("\n"))
            ),
        )
        for at, each in enumerate(context)
    ]
    request = CompletionRequest(prefix="x", path="area.py", context=tuple(numbered))
    budget = msgspec.structs.replace(BUDGET, context_tokens=share)
    rendered = render_completion(request, family, budget)
    text = restore(said(rendered.prompt), rendered.disarmed)
    cut = 0
    for at, snippet in enumerate(numbered):
        lines = [line.rstrip() for line in snippet.content.rstrip().split("\n")]
        shown = re.findall(rf"^(?:# )?({at}:\d+ ?.*)$", text, re.MULTILINE)
        assert [line.rstrip() for line in shown] == lines[: len(shown)]
        assert bool(shown) == (f"file_{at}" in text)
        cut += 0 < len(shown) < len(lines)
    assert cut <= 1
