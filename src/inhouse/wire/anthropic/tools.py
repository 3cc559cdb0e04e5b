"""Tools, their choice and the form of the answer, from OpenAI's fields to Anthropic's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from inhouse.wire.anthropic.conversation import UnsayableError

HANDED_ON = ("cache_control", "metadata", "service_tier", "thinking", "top_k")
"""Fields of the Messages API itself that a caller may send."""
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def extra_fields(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the Messages API that stand for those in `extra`.

    What has no counterpart there (penalties, `logit_bias`, `seed` …) is left out. Raises
    `UnsayableError`.
    """
    fields = {name: extra[name] for name in HANDED_ON if extra.get(name) is not None}
    user = extra.get("user")
    if isinstance(user, str) and user:
        fields.setdefault("metadata", {"user_id": user})
    tools = extra.get("tools")
    if tools:
        fields["tools"] = _tools(tools)
        if (choice := _choice(extra)) is not None:
            fields["tool_choice"] = choice
    if config := _output(extra):
        fields["output_config"] = config
    return fields


def _tools(tools: Any) -> list[dict[str, Any]]:
    if not isinstance(tools, list):
        raise UnsayableError("tools", "is no list")
    return [_tool(each, f"tools.{at}") for at, each in enumerate(cast("list[Any]", tools))]


def _tool(tool: Any, path: str) -> dict[str, Any]:
    match tool:
        case {"type": "function", "function": {"name": str() as name}}:
            said = cast("dict[str, Any]", tool["function"])
            found: dict[str, Any] = {
                "name": name,
                "input_schema": said.get("parameters") or {"type": "object", "properties": {}},
            }
            if said.get("description"):
                found["description"] = said["description"]
            if said.get("strict") is not None:
                found["strict"] = said["strict"]
            return found
        case _:
            raise UnsayableError(path, "is no tool of the type 'function' with a name")


def _choice(extra: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the choice of tools; whether several may be called at once belongs to it."""
    match extra.get("tool_choice"):
        case None:
            found = None
        case str() as word if word in _CHOICES:
            found = {"type": _CHOICES[word]}
        case {"type": "function", "function": {"name": str() as name}}:
            found = {"type": "tool", "name": name}
        case _:
            raise UnsayableError("tool_choice", "is none of auto, none, required, or a function")
    if extra.get("parallel_tool_calls") is False and found != {"type": "none"}:
        return (found or {"type": "auto"}) | {"disable_parallel_tool_use": True}
    return found


def _output(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return form and effort of the answer; a mere ``json_object`` is left to the prompt."""
    config: dict[str, Any] = {}
    match extra.get("response_format"):
        case {"type": "json_schema", "json_schema": {"schema": dict()}}:
            schema: Any = extra["response_format"]["json_schema"]["schema"]
            config["format"] = {"type": "json_schema", "schema": schema}
        case None | {"type": "text" | "json_object"}:
            pass
        case _:
            raise UnsayableError("response_format", "is none of text, json_object, json_schema")
    effort = extra.get("reasoning_effort")
    if isinstance(effort, str) and effort not in {"none", "minimal"}:
        config["effort"] = effort
    return config
