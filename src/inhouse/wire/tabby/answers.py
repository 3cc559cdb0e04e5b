"""What Tabby's clients get: suggestions, errors, and what a server says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from inhouse.core.delta import Answer

PROTOCOL = "v0.31.2"
"""The version of Tabby that we answer like: clients ask nothing of one before 0.9."""
SETTINGS = msgspec.json.encode({"disable_client_side_telemetry": True})
"""Without it, clients tell their maker how they are used."""

_encode = msgspec.json.Encoder().encode


def completion_answer(completion_id: str, answer: Answer) -> bytes:
    """Return a suggestion as JSON; one that suggests nothing has an empty text."""
    choices = [{"index": each.index, "text": each.text} for each in answer.choices]
    return _encode({"id": completion_id, "choices": choices, "mode": "standard"})


def error(message: str, trace_id: str) -> bytes:
    """Return an error as JSON.

    Tabby's own have no body, and its clients read the status alone: this is for whoever looks.
    """
    return _encode({"error": message, "trace_id": trace_id})


def health(serving: Mapping[str, str], *, machine: str, cores: int, server: str) -> bytes:
    """Return what a server says of itself, in full: clients take a part of it for a failure.

    `serving` names the model of ``completion`` and of ``chat``, where there is one; its absence
    makes clients leave the feature out. `server` is our own name and version.
    """
    told = {"model": "completion", "chat_model": "chat"}
    named = {member: serving[kind] for member, kind in told.items() if kind in serving}
    models = {
        kind: {"remote": {"kind": "inhouse", "model_name": name, "api_endpoint": ""}}
        for kind, name in serving.items()
    }
    return _encode(
        {
            **named,
            "device": "remote",
            "arch": machine,
            "cpu_info": machine,
            "cpu_count": cores,
            "cuda_devices": [],
            "models": models,
            "version": {
                "build_date": "",
                "build_timestamp": "",
                "git_sha": server,
                "git_describe": PROTOCOL,
            },
            "webserver": False,
        }
    )


def models(serving: Mapping[str, Sequence[str]]) -> bytes:
    """Return the names that may be asked for; null where nothing serves."""
    return _encode({kind: serving.get(kind) or None for kind in ("completion", "chat")})
