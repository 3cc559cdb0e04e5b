"""Tools and JSON schemas: does what comes back have the form that was asked for?"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inhouse.core.requests import Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.features.probing.evidence import Evidence, Skipped, Structured
from inhouse.features.probing.subject import Heard, Subject, question

MAX_TOKENS = 200
TOOL = "read_weather"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 40},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
ASKED = "What will the weather be in Oslo for the next 3 days?"
ASKED_AS_JSON = (
    'Take city and number of days out of this question, as JSON like {"city": "Rome", "days": 1}: '
    + ASKED
)
_REFUSED = frozenset({UpstreamFailure.BAD_REQUEST, UpstreamFailure.PROTOCOL})


class _Weather(Struct, forbid_unknown_fields=True):
    """The same as `SCHEMA`, to check what comes back."""

    city: Annotated[str, Meta(max_length=40)]
    days: Annotated[int, Meta(ge=1, le=7)]


class _Called(Struct):
    name: str
    arguments: str = ""


_decode = msgspec.json.Decoder(_Weather).decode


async def tools(subject: Subject, evidence: Evidence) -> Structured | Skipped:
    """Name a tool that must be called, and read the call."""
    function = {"name": TOOL, "description": "Read a forecast.", "parameters": SCHEMA}
    extra = {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": TOOL}},
    }
    heard = await _asked(subject, evidence, ASKED, extra)
    if not isinstance(heard, Heard):
        return heard
    if not heard.tool_calls:
        return Structured(framed=False, why="It answered in words instead of calling the tool.")
    try:
        called = msgspec.convert(heard.tool_calls[0].get("function"), _Called)
    except msgspec.ValidationError:
        return Structured(framed=False, why="The call is not of the dialect.")
    if called.name != TOOL:
        return Structured(framed=False, why="It called a tool of another name.")
    return _judged(called.arguments, heard)


async def schema(subject: Subject, evidence: Evidence) -> Structured | Skipped:
    """Ask for JSON of a schema, and read it."""
    wanted = {"name": "weather", "schema": SCHEMA, "strict": True}
    extra = {"response_format": {"type": "json_schema", "json_schema": wanted}}
    heard = await _asked(subject, evidence, ASKED_AS_JSON, extra)
    return _judged(heard.text, heard) if isinstance(heard, Heard) else heard


async def _asked(
    subject: Subject, evidence: Evidence, text: str, extra: dict[str, Any]
) -> Heard | Structured | Skipped:
    if evidence.chat is None or evidence.chat.error:
        return Skipped("It does not chat.")
    try:
        params = Params(max_tokens=MAX_TOKENS, temperature=0.0, extra=extra)
        return await subject.ask(question(text), params)
    except UpstreamError as error:
        if error.failure not in _REFUSED:
            raise
        return Structured(framed=False, why=str(error))


def _judged(said: str, heard: Heard) -> Structured:
    """Return whether the JSON in `said` is of the schema; the form around it was right."""
    try:
        _decode(said)
    except msgspec.ValidationError:
        return Structured(framed=True, valid=False, why="What came is JSON of another form.")
    except (msgspec.DecodeError, UnicodeEncodeError):
        if heard.finish_reason == "length":
            why = f"The JSON was not complete after {MAX_TOKENS} tokens."
        else:
            why = "What came is no JSON."
        return Structured(framed=True, valid=False, why=why)
    return Structured(framed=True, valid=True)
