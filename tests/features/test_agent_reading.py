"""What models write in a step, and what is made of it; however the stream was cut."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.agent import Action, AgentEvent, AnswerDelta, Failed, Unformatted
from inhouse.features.agent import SAID_NOTHING, Heard

TOOLS = ("issue_reader", "merge_request_reader", "gitlab_documentation")


def heard(*pieces: str, tools: Sequence[str] = TOOLS) -> tuple[str, AgentEvent]:
    """Return the answer as far as it was shown, and the last event."""
    listening = Heard()
    shaper = listening.anew()
    shown = ""
    for piece in pieces:
        shown += shaper.feed(piece)
        if shaper.done:
            break
    else:
        shown += shaper.finish()
    return shown, listening.concluded(tuple(tools), "stop")


def action(tool: str, tool_input: str, thought: str = "x") -> tuple[str, AgentEvent]:
    return "", Action(thought=thought, tool=tool, tool_input=tool_input)


def answer(text: str) -> tuple[str, AgentEvent]:
    return text, AnswerDelta(text="", finish_reason="stop")


def unknown(text: str) -> tuple[str, AgentEvent]:
    return "", Unformatted(text=text)


READER = action("issue_reader", "#3")

WRITTEN = {
    # The grammar as it was told.
    "Thought: x\nAction: issue_reader\nAction Input: #3": READER,
    "Thought: x\nAction: issue_reader\nAction Input: #3\nObservation: it is": READER,
    "Thought: x\nFinal Answer: 42": answer("42"),
    "Thought: x\n\nFinal Answer:\n\n- a\n- b\n": answer("- a\n- b"),
    "Final Answer: Thought: so\nAction: no\nit goes": answer("Thought: so\nAction: no\nit goes"),
    "Thought: x\ny\nAction: issue_reader\nAction Input: #3": action("issue_reader", "#3", "x\ny"),
    # Names and keywords as models decorate them.
    "Thought: x\nAction: issue\\_reader\nAction Input: #3": READER,
    "Thought: x\nAction: IssueReader\nAction Input: #3": READER,
    "Thought: x\nAction: `MergeRequestReader`\nAction Input: !9": (
        action("merge_request_reader", "!9")
    ),
    "Thought: x\nAction: GitLab Documentation\nAction Input: how": (
        action("gitlab_documentation", "how")
    ),
    "Thought: x\nAction: use the issue_reader tool\nAction Input: #3": READER,
    "Thought: x\nAction: issue_reader (reads one issue)\nAction Input: #3": READER,
    "Thought: x\nAction: issue_reader\n- Action Input: #3": READER,
    "Thought: x\nAction: issue_reader\n-Action Input: #3": READER,
    "Thought: x\nAction: issue_reader\nAction\\_Input: #3": READER,
    "**Thought:** x\n**Action:** issue_reader\n**Action Input:** #3": READER,
    "**Thought**: x\n**Action**: **issue_reader**\n**Action Input**: `#3`": READER,
    "### Thought: x\n### Action: issue_reader\n### Action Input: #3": READER,
    "* Thought: x\n* Action: issue_reader\n* Action Input: #3": READER,
    "thought: x\naction: issue_reader\naction input: #3": READER,
    "THOUGHT: x\nFINAL ANSWER: 42": answer("42"),
    "Thought: x. Action: issue_reader Action Input: #3": action("issue_reader", "#3", "x."),
    "Thought: x. Final Answer: 42": answer("42"),
    "Thought: the Final Answer: is near": unknown("the Final Answer: is near"),
    "**Final Answer:** 42": answer("42"),
    "**Final Answer:** **42** it is": answer("**42** it is"),
    "Final Answer: **42**": answer("**42**"),
    "Thought: x\n### Final Answer\n42": answer("42"),
    "```\nThought: x\nFinal Answer: 42\n```": answer("42"),
    "Thought: x\nFinal Answer: look:\n```\na\n```": answer("look:\n```\na\n```"),
    "```\nThought: x\nAction: issue_reader\nAction Input: #3\n```": READER,
    "Thought: x\nAction: issue_reader\nno merge_request_reader\nAction Input: #3": READER,
    "Thought: x\nAction: issue_reader\n  >  -   ***Action Input***   : #3": READER,
    # What they go on to invent.
    "Thought: x\nAction: issue_reader\nAction Input: #3\nThought: y\nFinal Answer: z": READER,
    "Thought: x\nAction: issue_reader\nAction Input: #3\nAction: issue_reader\n": READER,
    "Thought: x\nAction: issue_reader\nAction Input: #3\n**Observation**: z": READER,
    "Thought: x\nFinal Answer: 42\n\nObservation: z": answer("42"),
    "Thought: x\nFinal Answer: a\n**Observation:** z": answer("a"),
    "Thought: x\nFinal Answer: my Observation: z": answer("my Observation: z"),
    "Thought: x\nFinal Answer: a\nObservations: z": answer("a\nObservations: z"),
    "Thought: x\nAction: None\nFinal Answer: 42": answer("42"),
    "Thought: x\nAction: None\nAction Input: None\nFinal Answer: 42": answer("42"),
    "Thought: x\nAction: N/A": unknown("x"),
    "Thought: the best Action: ask.\nAction: issue_reader\nAction Input: #3": (
        action("issue_reader", "#3", "the best Action: ask.")
    ),
    "Thought: x\nAction: issue_reader\nAction Input: a\nb": action("issue_reader", "a\nb"),
    # Reasoning.
    "<think>Action: a\nAction Input: b</think>\nThought: x\nFinal Answer: 42": answer("42"),
    "I reason.\n</think>\n\nThought: x\nAction: issue_reader\nAction Input: #3": READER,
    "Thought: </think>x\nFinal Answer: 42": answer("42"),
    # No format.
    "It is 42.\n\nSurely.": unknown("It is 42.\n\nSurely."),
    "Thought: it is 42.": unknown("it is 42."),
    "<think>so</think>\nIt is 42.": unknown("It is 42."),
    "```py\nx\n```": unknown("```py\nx\n```"),
    "Plan:\nAction: Restart the runner": unknown("Plan:\nAction: Restart the runner"),
    "Thought: x\nAction Input: #3": unknown("x\n#3"),
    "Thought: x\nFinal Answer:": unknown("x"),
    "Thought: x\nAction: issue_reader": action("issue_reader", ""),
    "Plan:\nAction: Restart it\nAction: issue_reader\nAction Input: #3": (
        action("issue_reader", "#3", "Plan:\nRestart it")
    ),
    "Thought: x\nAction: None.": unknown("x"),
    "Thought: x\nAction: issue_reader\nThought: y": unknown("x\ny"),
    # Nothing that could be used.
    "Thought: x\nAction: issue_reader or merge_request_reader\nAction Input: #3": (
        "",
        Failed(message="tool not available: issue_reader_or_merge_request_reader", retryable=False),
    ),
    f"Thought: x\nAction: {'long' * 50}\nAction Input: #3": (
        "",
        Failed(message=f"tool not available: {'long' * 25}", retryable=False),
    ),
    "Thought: x\nAction: shell\nAction Input: ls": (
        "",
        Failed(message="tool not available: shell", retryable=False),
    ),
    "Thought: x\nAction: epic_reader\nAction Input: &1": (
        "",
        Failed(message="tool not available: epic_reader", retryable=False),
    ),
    "": ("", Failed(message=SAID_NOTHING, retryable=True)),
    " \n": ("", Failed(message=SAID_NOTHING, retryable=True)),
    "<think>so": ("", Failed(message=SAID_NOTHING, retryable=True)),
    "Observation: made up": ("", Failed(message=SAID_NOTHING, retryable=True)),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_what_models_write(written: str) -> None:
    assert heard(written) == WRITTEN[written]
    assert heard(*written) == WRITTEN[written]


def test_an_answer_is_shown_as_it_is_written() -> None:
    shaper = Heard().anew()
    pieces = ("Thought: x\nFinal", " Answer:", " It", " is", " 42", ".\n", "Obs", "cure")
    shown = [shaper.feed(piece) for piece in pieces]
    assert shown == ["", "", "It", " is", " 42", ".", "", "\nObscure"]
    assert not shaper.done


def test_the_upstream_is_left_where_the_model_begins_to_invent() -> None:
    shaper = Heard().anew()
    for piece in ("Thought: x\nAction: issue_reader\n", "Action Input: #3", "\nObservation"):
        shaper.feed(piece)
        assert not shaper.done
    shaper.feed(":")
    assert shaper.done


WORDS = st.sampled_from(
    [
        *("Thought:", "Action:", "Action Input:", "Final Answer:", "Observation:", "Observ"),
        *("\n", "\n", "\n\n", " ", "\t", "**", "*", "`", "```", "-", "- ", "# ", "_", ">", ":"),
        *("<think>", "</think>", "Thought", "Action", "Final Answer", "Observation", "thought:"),
        *("issue_reader", "IssueReader", "issue\\_reader", "none", "x", "I know.", "é", "。"),
    ]
)
TEXTS = st.lists(WORDS, max_size=24).map("".join)


@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_a_stream_says_the_same_however_it_was_cut(text: str, cuts: list[int]) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert heard(*pieces) == heard(text) == heard(*text)


@given(text=TEXTS)
def test_either_an_answer_is_shown_or_another_event_follows(text: str) -> None:
    shown, last = heard(*text)
    assert bool(shown) == isinstance(last, AnswerDelta)


@given(
    thought=st.text("abc .\n", max_size=20),
    text=st.text("ab \n\r\t`*:>-#é😀", min_size=1).filter(lambda text: text.strip(" \n\r\t")),
)
def test_an_answer_is_complete(thought: str, text: str) -> None:
    shown, _ = heard(*f"Thought: {thought}\nFinal Answer: {text}")
    assert shown == text.strip()
