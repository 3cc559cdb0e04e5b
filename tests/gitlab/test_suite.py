"""The runner of the contract suite fails where a case is not met, and ignores nothing in one."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.gitlab.case import Case
from tests.gitlab.suite import cases, load, run

MET: dict[str, Any] = {
    "name": "met",
    "as": "key",
    "request": {
        "path": "/v1/completions",
        "headers": {"X-Request-ID": "mine"},
        "body": {"model": "completion", "prompt": "def f(", "suffix": ")", "stream": False},
    },
    "upstream": [{"pieces": ["a, ", "b"]}],
    "expect": {
        "status": 200,
        "headers": {"X-Request-ID": "mine", "X-Streaming-Format": None},
        "schema": {"properties": {"object": {"const": "text_completion"}}},
        "upstream": [
            {
                "path": "/v1/completions",
                "contains": ["def f("],
                "lacks": ["secret"],
                "fields": {"model": "fill-model", "suffix": None},
                "headers": {"X-Request-ID": "mine"},
            }
        ],
        "trace": {"feature": "completion", "outcome": "ok", "warnings": []},
    },
}


def case(**members: Any) -> Case:
    return msgspec.convert(MET | members, Case)


def expecting(**members: Any) -> Case:
    return case(expect=MET["expect"] | members)


async def test_a_case_that_is_met_passes(tmp_path: Path) -> None:
    await run(case(), tmp_path)


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"status": 201}, "The status is 200, not 201."),
        ({"headers": {"X-Request-ID": None}}, "The header X-Request-ID is 'mine', not None."),
        ({"headers": {"X-None": "x"}}, "The header X-None is None, not 'x'."),
        ({"body": {}}, "The body is not {}."),
        ({"schema": {"properties": {"object": {"const": "x"}}}}, "The body at object: "),
        ({"schema": {"properties": {"none": {}}}}, "The body at .: "),
        ({"schema": {"properties": {"object": {"properties": {}}}}}, "The body at object: "),
        ({"schema": {"properties": {"object": {"items": {}}}}}, "The body at object: "),
        ({"schema": {"properties": {"object": False}}}, "The body at object: "),
        ({"error": {"msg": "x"}}, 'The body at .: "detail" is a required property'),
        ({"text": "x"}, "not 'x'."),
        ({"lines": []}, "The lines are "),
        ({"events": [{"event": "x"}]}, "The events are "),
        ({"cut": True}, "The answer is not cut."),
        ({"upstream": []}, "The upstream was asked 1 times, not 0."),
        ({"upstream": [{"path": "/x"}]}, "The upstream was asked at /v1/completions, not /x."),
        ({"upstream": [{"contains": ["x="]}]}, "The upstream did not see 'x='."),
        ({"upstream": [{"lacks": ["def"]}]}, "The upstream saw 'def'."),
        ({"upstream": [{"fields": {"model": "x"}}]}, "The upstream's field model is 'fill-model'"),
        ({"upstream": [{"headers": {"X-Request-ID": None}}]}, "The upstream's header X-Request-ID"),
        ({"trace": {"outcome": "failed"}}, "The trace's outcome is "),
        ({"trace": {"warnings": ["x"]}}, "The trace's warnings is (), not ['x']."),
    ],
)
async def test_each_difference_is_told(tmp_path: Path, expect: dict[str, Any], told: str) -> None:
    with pytest.raises(AssertionError) as caught:
        await run(expecting(**expect), tmp_path)
    assert told in str(caught.value)
    assert "Upstream saw: [" in str(caught.value)


async def test_a_script_that_is_not_played_to_its_end_is_told(tmp_path: Path) -> None:
    expect = {name: value for name, value in MET["expect"].items() if name != "upstream"}
    with pytest.raises(AssertionError, match="asked 1 times, not 2"):
        await run(case(upstream=[{"pieces": ["a"]}] * 2, expect=expect), tmp_path)


@pytest.mark.parametrize("where", ["", "request", "expect"])
def test_an_unknown_member_is_an_error(tmp_path: Path, where: str) -> None:
    broken = json.loads(json.dumps(MET))
    (broken[where] if where else broken)["exepct"] = {}
    path = tmp_path / "x.json"
    path.write_text(json.dumps([broken]))
    with pytest.raises(msgspec.ValidationError, match="exepct"):
        load(path, "x: met")


def test_every_case_can_be_read() -> None:
    assert all(load(path, name) for name, path in cases().items())
