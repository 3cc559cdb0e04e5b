"""What we ask Converse and ConverseStream, which take the same body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct, field

from inhouse.core.requests import Message, Params
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.wire.bedrock.conversation import Block, Turn, conversation, used_tools

_AS_JSON = "Answer with one JSON object and nothing else."
_encode = msgspec.json.Encoder().encode


class Habits(Struct, frozen=True, kw_only=True):
    """What a model takes; learned from its refusals.

    `without` are fields of ``inferenceConfig``, or ``toolChoice``, that it does not take.
    """

    streams: bool = True
    streams_tools: bool = True
    system: bool = True
    without: frozenset[str] = frozenset()


DEFAULT_HABITS = Habits()


class Extras(Struct, frozen=True, kw_only=True):
    """What a deployment adds to each request; an empty guardrail is none."""

    guardrail_id: str = ""
    guardrail_version: str = ""
    additional: dict[str, Any] = field(default_factory=dict[str, Any])


NO_EXTRAS = Extras()


def stops(params: Params, habits: Habits, vendor: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stop sequences to send, and those that the model does not take.

    Claude refuses blank ones.
    """
    given = tuple(filter(None, params.stop))
    if "stopSequences" in habits.without:
        return (), given
    if vendor != "anthropic":
        return given, ()
    blank = tuple(stop for stop in given if not stop.strip())
    return tuple(stop for stop in given if stop.strip()), blank


def converse_body(
    messages: Sequence[Message],
    params: Params,
    habits: Habits = DEFAULT_HABITS,
    extras: Extras = NO_EXTRAS,
    *,
    stop: tuple[str, ...] = (),
    streamed: bool = True,
) -> bytes:
    """Return the JSON of a request; raises UpstreamError where a message cannot be said so."""
    _check(params)
    system, turns = conversation(messages)
    fields: dict[str, Any] = {"messages": turns}
    if config := _inference(params, habits, stop):
        fields["inferenceConfig"] = config
    if tools := _tools(params.extra, habits, turns):
        fields["toolConfig"] = tools
    _format(params.extra.get("response_format"), fields, system)
    if system and habits.system:
        fields["system"] = system
    elif system:
        _fold(system, turns)
    if extras.guardrail_id:
        guardrail = {
            "guardrailIdentifier": extras.guardrail_id,
            "guardrailVersion": extras.guardrail_version,
        }
        # Synchronous, so that text is filtered before anybody has seen it.
        fields["guardrailConfig"] = guardrail | (
            {"streamProcessingMode": "sync"} if streamed else {}
        )
    if extras.additional:
        fields["additionalModelRequestFields"] = extras.additional
    return _encode(fields)


def count_body(text: str) -> bytes:
    """Return the JSON for CountTokens about one message of the user's."""
    turn = {"role": "user", "content": [{"text": text}]}
    return _encode({"input": {"converse": {"messages": [turn]}}})


class _Counted(Struct, rename="camel"):
    input_tokens: int


def counted(body: bytes) -> int:
    """Read CountTokens' answer; raises `UNREADABLE`."""
    return msgspec.json.decode(body, type=_Counted).input_tokens


def _check(params: Params) -> None:
    for name in ("logprobs", "top_logprobs"):
        if params.extra.get(name):
            raise UpstreamError(
                UpstreamFailure.BAD_REQUEST, f"{name}: Bedrock tells none.", param=name
            )


def _inference(params: Params, habits: Habits, stop: tuple[str, ...]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if params.max_tokens is not None:
        config["maxTokens"] = params.max_tokens
    if params.temperature is not None:
        # OpenAI's scale ends at 2, Bedrock's at 1.
        config["temperature"] = min(1.0, max(0.0, params.temperature))
    if params.top_p is not None:
        config["topP"] = params.top_p
    if stop:
        config["stopSequences"] = stop
    return {name: value for name, value in config.items() if name not in habits.without}


def _tools(extra: dict[str, Any], habits: Habits, turns: list[Turn]) -> dict[str, Any]:
    """Return ``toolConfig``; Converse wants one wherever the conversation has used tools."""
    used = used_tools(turns)
    offered = cast(list[Any], extra.get("tools") or [])
    choice = extra.get("tool_choice")
    if choice == "none" and not used:
        return {}
    specs = [_spec(tool, f"tools[{at}]") for at, tool in enumerate(offered)]
    names = {spec["toolSpec"]["name"] for spec in specs}
    specs += [_forgotten(name) for name in used if name not in names]
    if not specs:
        return {}
    wanted = None if "toolChoice" in habits.without else _choice(choice)
    return {"tools": specs} | ({} if wanted is None else {"toolChoice": wanted})


def _choice(choice: Any) -> dict[str, Any] | None:
    if choice == "required":
        return {"any": {}}
    if isinstance(choice, dict):
        function: Any = cast(dict[str, Any], choice).get("function") or {}
        return {"tool": {"name": function.get("name")}}
    return None


def _spec(tool: Any, where: str) -> dict[str, Any]:
    function: Any = cast(dict[str, Any], tool).get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        raise UpstreamError(
            UpstreamFailure.BAD_REQUEST, f"{where}: Bedrock takes functions only.", param=where
        )
    said = cast(dict[str, Any], function)
    spec: dict[str, Any] = {
        "name": said.get("name"),
        "inputSchema": {"json": said.get("parameters") or {"type": "object"}},
    }
    if said.get("description"):
        spec["description"] = said["description"]
    return {"toolSpec": spec}


def _forgotten(name: str) -> dict[str, Any]:
    return {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}


def _format(wanted: Any, fields: dict[str, Any], system: list[Block]) -> None:
    said = cast(dict[str, Any], wanted) if isinstance(wanted, dict) else {}
    if said.get("type") == "json_object":
        system.append({"text": _AS_JSON})
    if said.get("type") != "json_schema":
        return
    described = cast(dict[str, Any], said.get("json_schema") or {})
    schema: dict[str, Any] = {"schema": _encode(described.get("schema") or {}).decode()}
    schema |= {key: described[key] for key in ("name", "description") if described.get(key)}
    structure = {"jsonSchema": schema}
    fields["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}


def _fold(system: list[Block], turns: list[Turn]) -> None:
    turns[0]["content"] = [*system, *turns[0]["content"]]
