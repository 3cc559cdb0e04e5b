"""What is asked at each door of a gateway, and whether its answer is what that door promises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Struct

TOKENS = 8
BUSY = "Too many requests. Please try again later. "
FAILED = "Inference failed: "
"""What GitLab is told first where a model server wants patience, and where it failed."""


class Judged(NamedTuple):
    """How an answer ended: ``ok``, ``error`` with its word, or ``broken`` with what came."""

    how: str
    what: str = ""


OK = Judged("ok")
Judge = Callable[[int, bytes], Judged]
"""Judges a status and a whole body; what it cannot even read it raises over."""


class Door(Struct, frozen=True, kw_only=True):
    """One way to ask; `feature` is the one whose deadlines hold.

    `gitlab` is whether only GitLab asks so, and `cut` whether its streams have no other way to say
    that something is missing than to break off.
    """

    path: str
    feature: str
    body: dict[str, Any]
    judge: Judge
    gitlab: bool = False
    cut: bool = False

    def judged(self, status: int, body: bytes) -> Judged:
        """Judge an answer that came to its end."""
        try:
            return self.judge(status, body)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return Judged("broken", f"{self.path}, status {status}: {body[-200:]!r}")


def _openai_whole(status: int, body: bytes) -> Judged:
    said = json.loads(body)
    if status != 200:
        return Judged("error", said["error"]["code"])
    return OK if said["choices"][0]["finish_reason"] else Judged("broken", str(said))


def _openai_stream(status: int, body: bytes) -> Judged:
    if status != 200:
        return _openai_whole(status, body)
    *events, end = body.decode().split("\n\n")
    datas = [each.removeprefix("data: ") for each in events]
    failed = [each for each in datas if each.startswith('{"error"')]
    if failed:
        return Judged("error", json.loads(failed[0])["error"]["code"])
    whole = not end and datas[-1] == "[DONE]" and '"finish_reason":"' in body.decode()
    return OK if whole else Judged("broken", f"a stream without an end: {body[-200:]!r}")


def _code(status: int, body: bytes) -> Judged:
    if status != 200:
        return _refused(status, body)
    return _something(json.loads(body)["choices"][0]["text"])


def _text(status: int, body: bytes) -> Judged:
    """Judge a stream without frames: its connection says that it is whole."""
    return _refused(status, body) if status != 200 else _something(body.decode())


def _events(status: int, body: bytes) -> Judged:
    if status != 200:
        return _refused(status, body)
    first, *chunks, last, end = body.decode().split("\r\n\r\n")
    datas = [each.removeprefix("event: content_chunk\r\ndata: ") for each in chunks]
    text = "".join(json.loads(each)["choices"][0]["delta"]["content"] for each in datas)
    framed = first.startswith("event: stream_start\r\n") and not end
    if not framed or last != "event: stream_end\r\ndata: null":
        return Judged("broken", f"frames without an end: {body[-200:]!r}")
    return _something(text)


def _step(status: int, body: bytes) -> Judged:
    """Judge lines of JSON; a model that fails is the last of them, and the status is 200."""
    *lines, end = body.split(b"\n")
    events = [json.loads(each) for each in lines]
    kinds = [each["type"] for each in events]
    if status == 200 and not end and "error" not in kinds[:-1]:
        if kinds[-1] == "error":
            told = events[-1]["data"]
            return Judged("error", "a step to retry" if told["retryable"] else told["message"])
        if kinds[-2:] == ["final_answer_delta", "usage"] and events[-2]["data"]["finish_reason"]:
            return _something("".join(each["data"]["text"] for each in events[:-1]))
    return Judged("broken", f"a step with status {status}: {body[-200:]!r}")


def _task(status: int, body: bytes) -> Judged:
    return _task_refused(status, body) if status != 200 else _something(json.loads(body))


def _task_stream(status: int, body: bytes) -> Judged:
    return _task_refused(status, body) if status != 200 else _something(body.decode())


def _something(text: str) -> Judged:
    return OK if text.strip() else Judged("broken", "an answer without text")


def _refused(status: int, body: bytes) -> Judged:
    """Judge an error as a list, of which GitLab shows the first message."""
    first = json.loads(body)["detail"][0]
    if not first["msg"].startswith({429: BUSY, 503: FAILED}[status]):
        return Judged("broken", f"status {status}: {first}")
    return Judged("error", first["type"])


def _task_refused(status: int, body: bytes) -> Judged:
    """Judge an error that the admin page quotes: status and phrase of the model's server."""
    detail = json.loads(body)["detail"]
    if status != 421 or not re.fullmatch(r"\d{3}: [A-Z][A-Za-z ]+ - .+", detail, re.DOTALL):
        return Judged("broken", f"status {status}: {detail}")
    return Judged("error", f"421 {detail.partition(':')[0]}")


_HOLE: dict[str, Any] = {"prompt": "def area(width, height):\n    return ", "suffix": "\n"}
_SAID: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
_FILE: dict[str, Any] = {
    "file_name": "area.py",
    "content_above_cursor": _HOLE["prompt"],
    "content_below_cursor": _HOLE["suffix"],
}
_TASK: dict[str, Any] = {"inputs": {"input": "Why?", "selected_text": "return 3 * r * r"}}

_OPENAI = tuple(
    Door(
        path=path,
        feature=feature,
        body={"model": feature, **asked, "max_tokens": TOKENS, "stream": stream},
        judge=_openai_stream if stream else _openai_whole,
    )
    for feature, path, asked in (
        ("completion", "/v1/completions", _HOLE),
        ("generation", "/v1/completions", {"instruction": "add", **_HOLE}),
        ("chat", "/v1/chat/completions", _SAID),
    )
    for stream in (False, True)
)
_CODE = tuple(
    Door(
        path=f"/v2/code/{feature}s",
        feature=feature,
        body={"current_file": _FILE, "stream": stream},
        judge=_text if stream else _code,
        gitlab=True,
        cut=stream,
    )
    for feature in ("completion", "generation")
    for stream in (False, True)
)
DOORS = (
    *_OPENAI,
    *_CODE,
    Door(
        path="/v4/code/suggestions",
        feature="completion",
        body={
            "prompt_components": [
                {"type": "code_editor_completion", "payload": {**_FILE, "stream": True}}
            ]
        },
        judge=_events,
        gitlab=True,
        cut=True,
    ),
    Door(path="/v2/chat/agent", feature="chat", body=_SAID, judge=_step, gitlab=True),
    Door(
        path="/v1/prompts/chat/explain_code",
        feature="chat",
        body={**_TASK, "stream": True},
        judge=_task_stream,
        gitlab=True,
        cut=True,
    ),
    Door(
        path="/v1/prompts/model_configuration/check",
        feature="chat",
        body={"inputs": {}},
        judge=_task,
        gitlab=True,
    ),
)
