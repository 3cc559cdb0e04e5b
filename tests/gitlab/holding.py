"""Holds what came of a case against what it expects, and says in words what differs."""

import json
from typing import Any, cast

import jsonschema_rs
import msgspec
from msgspec import UNSET

from inhouse.core.trace import Trace
from inhouse.wire import sse
from tests.gitlab.case import Answer, Event, Expected, Refused, Seen


def differences(expected: Expected, answer: Answer, trace: Trace | None) -> list[str]:
    """Return what is other than it must be, in words."""
    found: list[str] = []
    if answer.status != expected.status:
        found.append(f"The status is {answer.status}, not {expected.status}.")
    if answer.cut != expected.cut:
        found.append("The answer is cut." if answer.cut else "The answer is not cut.")
    for name, value in expected.headers.items():
        if answer.headers.get(name) != value:
            found.append(f"The header {name} is {answer.headers.get(name)!r}, not {value!r}.")
    try:
        found.extend(_body(expected, answer.body))
    except ValueError as error:
        found.append(f"The body cannot be read: {error}")
    return found + _traced(expected.trace, trace)


def _body(expected: Expected, body: bytes) -> list[str]:
    found: list[str] = []
    if expected.text is not UNSET and body.decode() != expected.text:
        found.append(f"The text is {body.decode()!r}, not {expected.text!r}.")
    if expected.body is not UNSET and json.loads(body) != expected.body:
        found.append(f"The body is not {expected.body!r}.")
    if expected.schema is not UNSET:
        found.extend(_invalid(expected.schema, json.loads(body), "The body"))
    if expected.error is not UNSET:
        found.extend(_invalid(_refusal(expected.error), json.loads(body), "The body"))
    if expected.lines is not UNSET:
        lines = [json.loads(line) for line in body.splitlines()]
        if _joined(lines) != _joined(expected.lines) or not body.endswith(b"\n"):
            found.append(f"The lines are {lines!r}, not {expected.lines!r}, each with its end.")
    if expected.events is not UNSET:
        found.extend(_events(expected.events, body))
    return found


def _refusal(refused: Refused) -> dict[str, Any]:
    """Return the schema of an error."""
    entry: dict[str, Any] = {
        "type": {"type": "string"} if refused.type is UNSET else {"const": refused.type},
        "loc": {"const": ["body", *refused.loc]},
        "msg": {"type": "string", "pattern": refused.msg},
    }
    one = {"properties": entry, "required": list(entry), "additionalProperties": False}
    return {
        "properties": {
            "detail": {"type": "array", "items": one, "minItems": 1, "maxItems": 1},
            "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        },
        "required": ["detail", "trace_id"],
        "additionalProperties": False,
    }


def _joined(lines: list[Any]) -> list[Any]:
    """Join pieces of text that follow each other: those that come in one read are one."""
    found: list[Any] = []
    for line in lines:
        match found[-1:], line:
            case (
                [{"type": "final_answer_delta", "data": {"text": before, "finish_reason": None}}],
                {"type": "final_answer_delta", "data": {"text": text, "finish_reason": None}},
            ):
                data = {"text": before + text, "finish_reason": None}
                found[-1] = {"type": "final_answer_delta", "data": data}
            case _:
                found.append(line)
    return found


def _chunked(events: list[Event]) -> list[Event]:
    """Join chunks of the same choice that follow each other, likewise."""
    found: list[Event] = []
    for event in events:
        match [*found[-1:], event]:
            case [
                Event("content_chunk", {"choices": [{"delta": {"content": said}, "index": index}]}),
                Event("content_chunk", {"choices": [{"delta": {"content": text}, "index": same}]}),
            ] if index == same:
                choice = {"delta": {"content": said + text}, "index": index}
                found[-1] = Event("content_chunk", {"choices": [choice]})
            case _:
                found.append(event)
    return found


def _events(expected: list[Event], body: bytes) -> list[str]:
    expected = _chunked(expected)
    events = _chunked([Event(name, data) for name, data in frames(body)])
    names = [each.event for each in events]
    if names != [each.event for each in expected]:
        return [f"The events are {names}, not {[each.event for each in expected]}."]
    found: list[str] = []
    for wanted, came in zip(expected, events, strict=True):
        if wanted.data is not UNSET and came.data != wanted.data:
            found.append(f"The data of {came.event} is {came.data!r}, not {wanted.data!r}.")
        if wanted.schema is not UNSET:
            found.extend(_invalid(wanted.schema, came.data, f"The data of {came.event}"))
    return found


def frames(body: bytes) -> list[tuple[str, Any]]:
    """Return name and data of each event of a stream of SSE; comments count for nothing."""
    found: list[tuple[str, Any]] = []
    for frame in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        fields = [line.partition(b":") for line in frame.split(b"\n")]
        name = [value.strip().decode() for field, _, value in fields if field == b"event"]
        data = sse.Decoder().feed(frame + b"\n\n")
        if name or data:
            found.append((name[0] if name else "message", json.loads(data[0]) if data else None))
    return found


def _invalid(schema: object, value: object, what: str) -> list[str]:
    errors = jsonschema_rs.validator_for(_demanding(schema)).iter_errors(value)
    return [f"{what} at {'/'.join(map(str, e.instance_path)) or '.'}: {e.message}" for e in errors]


def _demanding(schema: Any) -> Any:
    """Return a schema by which whatever it tells of must be there.

    Otherwise each is met by an empty object, and by anything that is none.
    """
    if not isinstance(schema, dict):
        return schema
    found = dict(cast("dict[str, Any]", schema))
    if "properties" in found:
        members = {name: _demanding(each) for name, each in found["properties"].items()}
        there = [name for name, each in members.items() if each is not False]
        wanted = list(dict.fromkeys([*found.get("required", ()), *there]))
        found = {"type": "object", **found, "properties": members, "required": wanted}
    if "items" in found:
        found = {"type": "array", "minItems": 1, **found, "items": _demanding(found["items"])}
    return found


def _traced(expected: dict[str, Any], trace: Trace | None) -> list[str]:
    if not expected:
        return []
    if trace is None:
        return ["There is no trace."]
    found: list[str] = []
    for name, value in expected.items():
        actual = getattr(trace, name)
        if name == "warnings":
            fits = len(actual) == len(value) and all(map(str.__contains__, actual, value))
        else:
            fits = msgspec.to_builtins(actual) == value
        if not fits:
            found.append(f"The trace's {name} is {actual!r}, not {value!r}.")
    return found


def upstream_differences(expected: Expected, seen: list[dict[str, Any]], asked: int) -> list[str]:
    wanted = [Seen()] * asked if expected.upstream is UNSET else expected.upstream
    if len(seen) != len(wanted):
        return [f"The upstream was asked {len(seen)} times, not {len(wanted)}."]
    found: list[str] = []
    for each, request in zip(wanted, seen, strict=True):
        found.extend(_seen(each, request))
    return found


def _seen(expected: Seen, request: dict[str, Any]) -> list[str]:
    text = "\n".join(_texts(request["body"]))
    found = [
        f"The upstream did not see {part!r}." for part in expected.contains if part not in text
    ]
    found += [f"The upstream saw {part!r}." for part in expected.lacks if part in text]
    if expected.path is not UNSET and request["path"] != expected.path:
        found.append(f"The upstream was asked at {request['path']}, not {expected.path}.")
    for where, values in (("field", expected.fields), ("header", expected.headers)):
        actual = request["body"] if where == "field" else request["headers"]
        for name, value in values.items():
            if actual.get(name.lower() if where == "header" else name) != value:
                found.append(
                    f"The upstream's {where} {name} is {actual.get(name)!r}, not {value!r}."
                )
    return found


def _texts(value: object) -> list[str]:
    """Return all texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return [text for each in cast("list[object]", value) for text in _texts(each)]
    return []
