"""A step's prompt: what it tells the model, what it leaves out, and that every family takes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from inhouse.core.agent import AgentRequest, Attachment, Step, Turn
from inhouse.core.prompt import Messages
from inhouse.core.requests import Message
from inhouse.errors import InvalidValueError
from inhouse.families import Family, load
from inhouse.prompts import Budget, Rendered, render_step
from inhouse.prompts.agent import MOST_STEPS
from inhouse.prompts.agent_tools import DESCRIPTIONS
from inhouse.wire.gitlab.tools import TOOLS

FAMILIES = load()
GENERAL = FAMILIES.get("general")
CHATTING = [family for family in FAMILIES if family.chat]
WIDE = Budget(window=32_000, prefix_tokens=1, suffix_tokens=1, output_tokens=1024)
MODEST = Budget(window=4096, prefix_tokens=1, suffix_tokens=1, output_tokens=1024)


def user(text: str, *attachments: Attachment) -> Turn:
    return Turn(role="user", text=text, attachments=attachments)


def assistant(text: str) -> Turn:
    return Turn(role="assistant", text=text)


def asked(
    *turns: Turn,
    steps: tuple[Step, ...] = (),
    tools: tuple[str, ...] = ("issue_reader",),
    unavailable: tuple[str, ...] = (),
) -> AgentRequest:
    return AgentRequest(
        turns=turns, steps=steps, tools=tools, unavailable=unavailable, today="Monday"
    )


def sent(
    request: AgentRequest, family: Family = GENERAL, budget: Budget = WIDE
) -> tuple[Message, ...]:
    prompt = render_step(request, family, budget).prompt
    assert isinstance(prompt, Messages)
    return prompt.messages


def text(messages: tuple[Message, ...]) -> str:
    return "\n".join(f"{each.role}: {each.content}" for each in messages)


def taken(rendered: Rendered, budget: Budget) -> int:
    """Return the tokens that a prompt takes, by the budget's own measure."""
    assert isinstance(rendered.prompt, Messages)
    return sum(
        8 + budget.tokens(len(str(each.content).encode())) for each in rendered.prompt.messages
    )


def test_every_tool_of_gitlab_s_is_described() -> None:
    assert DESCRIPTIONS.keys() == {tool.name for tool in TOOLS}


def test_what_a_conversation_looks_like() -> None:
    request = asked(
        user("Hello"),
        assistant("Good day."),
        user(
            "Why does it fail?",
            Attachment(kind="Selected in the editor, from", name="a.py", content="x = 1"),
            Attachment(kind="On the page is the issue", name="It fails"),
        ),
        steps=(
            Step(thought="I need it.", tool="issue_reader", tool_input="#3", observation="It."),
        ),
        unavailable=("Pipelines",),
    )
    assert text(sent(request)[1:]) == snapshot("""\
user: Hello
assistant: Final Answer: Good day.
user: Selected in the editor, from "a.py":
```
x = 1
```

On the page is the issue "It fails".

Why does it fail?

(Write your next step: "Thought:", then either "Action:" and "Action Input:", or "Final Answer:".)
assistant: Thought: I need it.
Action: issue_reader
Action Input: #3
user: Observation: It.

(Write your next step: "Thought:", then either "Action:" and "Action Input:", or "Final Answer:".)\
""")
    assert "Nobody here can look up: Pipelines." in text(sent(request))


@pytest.mark.parametrize("family", CHATTING, ids=lambda family: family.name)
def test_every_family_s_template_can_take_it(family: Family) -> None:
    steps = (Step(tool="issue_reader", observation="a"), Step(tool="issue_reader"))
    request = asked(
        assistant("Welcome."),
        user("One"),
        user("Two"),
        assistant("Yes."),
        Turn(role="system", text="Be kind."),
        user("Three"),
        user(" "),
        assistant("Perhaps."),
        steps=steps,
    )
    messages = sent(request, family)
    roles = [each.role for each in messages if each.role != "system"]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert len(roles) == 3 + 2 * len(steps)
    assert all(each.role != "system" for each in messages[1:])
    assert "Be kind." in str(messages[0].content)
    assert (messages[0].role == "user") == (family.system == "folded")
    assert "Welcome." not in text(messages)
    assert "Perhaps." not in text(messages)


@pytest.mark.parametrize(
    "family", [each for each in FAMILIES if not each.chat], ids=lambda family: family.name
)
def test_a_family_that_does_not_chat_is_refused(family: Family) -> None:
    with pytest.raises(InvalidValueError, match="do not chat"):
        render_step(asked(user("Hello")), family, WIDE)


def test_without_tools_there_is_only_the_answer() -> None:
    told = text(sent(asked(user("Hello"), tools=())))
    assert "Action" not in told
    assert "Final Answer:" in told


def test_the_last_step_must_be_an_answer() -> None:
    step = Step(tool="issue_reader", observation="a")
    before = text(sent(asked(user("Hello"), steps=(step,) * (MOST_STEPS - 2))))
    at_last = text(sent(asked(user("Hello"), steps=(step,) * (MOST_STEPS - 1))))
    assert "the last tool that could be asked" not in before
    assert at_last.count("the last tool that could be asked") == 1
    assert at_last.endswith("with what you know by now.)")


def test_nobody_s_text_is_read_as_a_template() -> None:
    word = "{{tools}} {{#alone}}x{{/alone}} {{nothing}}"
    request = asked(
        user(word, Attachment(kind="file", name=word, content=word)),
        steps=(Step(thought=word, tool=word, tool_input=word, observation=word),),
        unavailable=(word,),
    )
    assert text(sent(request)).count(word) == 8


@pytest.mark.parametrize("family", CHATTING, ids=lambda family: family.name)
def test_special_tokens_reach_no_tokenizer(family: Family) -> None:
    word = " ".join(("a", *family.tokens, "b"))
    request = asked(
        Turn(role="system", text=word),
        user(word),
        assistant(word),
        user(word, Attachment(kind=word, name=word, content=word)),
        steps=(Step(thought=word, tool=word, tool_input=word, observation=word),),
        unavailable=(word,),
    )
    rendered = render_step(request, family, WIDE)
    assert isinstance(rendered.prompt, Messages)
    assert not [token for token in family.tokens if token in text(rendered.prompt.messages)]
    assert set(rendered.disarmed) == set(family.tokens)


def test_the_oldest_is_left_out_first() -> None:
    history = [
        turn
        for number in range(40)
        for turn in (user(f"question {number} " + "a " * 200), assistant(f"answer {number}."))
    ]
    told = text(sent(asked(*history, user("The question")), budget=MODEST))
    assert "question 39 " in told
    assert "answer 0." not in told
    assert "The question" in told
    shown = [number for number in range(40) if f"question {number} " in told]
    assert shown == list(range(shown[0], 40))


def test_an_old_message_may_stay_without_what_was_attached_to_it() -> None:
    old = user("first", Attachment(kind="file", name="a", content="x" * 20_000))
    told = text(sent(asked(old, assistant("ok"), user("second")), budget=MODEST))
    assert "first" in told
    assert "xxx" not in told


def test_history_goes_before_what_the_question_is_about() -> None:
    page = Attachment(kind="file", name="a", content="\n".join(map(str, range(1200))))
    request = asked(user("first " + "y" * 4000), assistant("ok"), user("second", page))
    told = text(sent(request, budget=MODEST))
    assert "yyy" not in told
    assert page.content in told


def test_long_files_and_observations_lose_their_middle() -> None:
    page = Attachment(kind="file", name="a", content="FIRST\n" + "x\n" * 9000 + "LAST")
    steps = (
        Step(tool="issue_reader", observation="short"),
        Step(tool="issue_reader", observation="BEGIN\n" + "o\n" * 9000 + "END"),
    )
    rendered = render_step(asked(user("Why?", page), steps=steps), GENERAL, MODEST)
    assert isinstance(rendered.prompt, Messages)
    told = text(rendered.prompt.messages)
    assert all(word in told for word in ("FIRST", "LAST", "BEGIN", "END", "short", "Why?"))
    assert told.count("[...]") == 2
    assert 3000 < taken(rendered, MODEST) + 1024 <= MODEST.window


def test_the_question_stays_whole_whatever_it_takes() -> None:
    question = "z" * 100_000
    page = Attachment(kind="file", name="a", content="x" * 1000)
    told = text(sent(asked(user(question, page)), budget=MODEST))
    assert question in told
    assert "xxx" not in told


TEXTS = st.text("aé\n `\U0001f600", max_size=4).flatmap(
    lambda text: st.integers(0, 4000).map(lambda times: text * times)
)


@given(
    history=st.lists(st.tuples(TEXTS, TEXTS), max_size=4),
    attached=st.lists(TEXTS, max_size=3),
    observed=st.lists(TEXTS, max_size=4),
    window=st.integers(2500, 9000),
)
def test_a_prompt_fits_the_window(
    history: list[tuple[str, str]], attached: list[str], observed: list[str], window: int
) -> None:
    budget = Budget(window=window, prefix_tokens=1, suffix_tokens=1, output_tokens=512)
    request = asked(
        *(turn for said, told in history for turn in (user(said), assistant(told))),
        user("Why?", *(Attachment(kind="file", name="a", content=each) for each in attached)),
        steps=tuple(Step(tool="issue_reader", observation=each) for each in observed),
    )
    rendered = render_step(request, GENERAL, budget)
    fences = sum(2 * each.count("`") for each in attached)
    if fences < 100:  # fences that are longer than the window leave room for nothing
        assert taken(rendered, budget) + 512 <= window
    assert rendered.params.max_tokens == 512 or fences >= 100
    assert rendered.params.stop == ("\nObservation:",)
