"""What GitLab's chat sends, the tools that it can run, and the lines that it reads."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.agent import Action, AgentEvent, AnswerDelta, Failed, Unformatted, tool_name
from inhouse.core.delta import Usage
from inhouse.errors import InvalidValueError, RequestError
from inhouse.wire.gitlab import agent
from inhouse.wire.gitlab.agent_events import encode, encode_usage
from inhouse.wire.gitlab.tools import TOOLS, Tool, offered

OLDEST = ("issue_reader", "epic_reader", "work_item_reader", "gitlab_documentation")
EVERY = tuple(tool.name for tool in TOOLS)


def anything(_: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("version", "tools"),
    [
        ("17.4.9", OLDEST),
        ("17.4.0-ee", OLDEST),
        ("9.5", OLDEST),
        ("", OLDEST),
        ("null", OLDEST),
        ("17", OLDEST),
        ("17.5.0-pre", EVERY),
        ("17.5.0", EVERY),
        ("17.10.1-ee", EVERY),
        ("18.5.0", EVERY),
        ("18", EVERY),
        (" v18.6.0-pre", EVERY),
    ],
)
def test_a_version_brings_its_tools(version: str, tools: tuple[str, ...]) -> None:
    assert offered(version, anything, ()) == tools


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_each_tool_has_its_scope(tool: Tool) -> None:
    assert offered("18.0.0", lambda scope: scope == tool.scope, ()) == (tool.name,)


@pytest.mark.parametrize(
    ("unavailable", "missing"),
    [
        (["Pipelines", "Vulnerabilities"], set[str]()),
        (["Merge Requests"], {"merge_request_reader"}),
        (["merge_request", "work-items"], {"merge_request_reader", "work_item_reader"}),
        (["Jobs", "Commits"], {"build_reader", "commit_reader"}),
        (["GitLab documentation", "Issue"], {"gitlab_documentation", "issue_reader"}),
        (["builds", "EPICS"], {"build_reader", "epic_reader"}),
    ],
)
def test_what_is_unavailable_is_not_offered(unavailable: list[str], missing: set[str]) -> None:
    assert set(EVERY) - set(offered("18.0.0", anything, unavailable)) == missing


@pytest.mark.parametrize(
    "written",
    [
        "merge_request_reader",
        "MergeRequestReader",
        "`merge\\_request\\_reader`.",
        "Merge Request-Reader",
    ],
)
def test_a_tool_s_name_as_models_and_rails_write_it(written: str) -> None:
    assert tool_name(written) == "merge_request_reader"


def test_a_scratchpad_without_an_action_is_a_step_all_the_same() -> None:
    body = agent.decode(
        b'{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant",'
        b' "agent_scratchpad": [{"action": null, "observation": "It."}]}]}'
    )
    (step,) = agent.agent_request(body, (), "Monday", "id").steps
    assert (step.tool, step.observation) == ("", "It.")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["messages", "role", "content", "context", "options", "steps",
                         "agent_scratchpad", "current_file", "additional_context", "category"]),
        inner, max_size=4), max_leaves=20))  # fmt: skip
def test_whatever_comes_is_read_or_refused(sent: object) -> None:
    raw = json.dumps(sent).encode()
    with contextlib.suppress(RequestError):
        assert agent.agent_request(agent.decode(raw), (), "Monday", "id").question >= 0


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(InvalidValueError, match="messages") as caught:
        agent.decode(b'{"messages": [{"role": "robot", "content": "Why?"}]}')
    assert "role" in str(caught.value.param)


def events() -> st.SearchStrategy[AgentEvent]:
    text = st.text() | st.text("\x0b\x0c\x1c\x85\u2028\u2029\r\n a")
    return st.one_of(
        st.builds(Action, thought=text, tool=text, tool_input=text),
        st.builds(AnswerDelta, text=text, finish_reason=st.none() | st.just("stop")),
        st.builds(Unformatted, text=text),
        st.builds(Failed, message=text, retryable=st.booleans()),
    )


@given(events())
def test_an_event_is_one_line_for_whoever_reads_it(event: AgentEvent) -> None:
    line = encode(event)
    assert line.endswith(b"\n")
    assert len(line.decode().splitlines()) == 1
    data = json.loads(line)["data"]
    assert set(data.values()) == {getattr(event, name) for name in data}


def test_usage_is_told_under_the_model_s_name() -> None:
    line = encode_usage("org/model", Usage(prompt_tokens=3, completion_tokens=4))
    assert json.loads(line) == {
        "type": "usage",
        "data": {"usage": {"org/model": {"input_tokens": 3, "output_tokens": 4}}},
    }
