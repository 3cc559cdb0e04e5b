"""What an upstream's refusal means: error bodies of many servers, read into one shape.

Known shapes: OpenAI and vLLM ``{"error": {"message", "type", "param", "code"}}``, llama.cpp (its
code is a number), TGI ``{"error": "…", "error_type"}``, older vLLM ``{"object": "error",
"message"}``, FastAPI ``{"detail": "…" | [{"loc", "msg"}]}``, Azure, which says in
``error.innererror`` what its content filter found, a proxy's HTML, plain text.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, cast

import msgspec
from msgspec import Struct

from inhouse.errors import UpstreamFailure
from inhouse.wire.decoding import UNREADABLE

QUOTED = 300
"""Characters of an upstream's own words that a message may quote."""
_OVERLAP = 24
"""A run of so many characters that the prompt holds too is a quotation of the prompt."""

_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_CONTEXT = re.compile(
    r"context (?:length|size|window)|max_model_len|prompt is too long|too many (?:input )?tokens"
    r"|must have less than \d+ tokens|tokens` must be <=",
    re.IGNORECASE,
)
_MODEL = re.compile(r"\b(?:model|deployment|lora|adapter)", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"(?:invalid|unknown|no such) model|model\b.{0,200}(?:does not exist|not found|not exist)",
    re.IGNORECASE,
)
_CHAT_ONLY = re.compile(
    r"\bis a chat model|not supported in the v1/completions|(?<![a-z])completion operation does not"
    r"|does not support (?:the )?(?:text |legacy )?completions?\b",
    re.IGNORECASE,
)
_PLAIN = {
    401: UpstreamFailure.AUTHENTICATION,
    403: UpstreamFailure.AUTHENTICATION,
    429: UpstreamFailure.RATE_LIMITED,
}
_FILTER_CODES = {"content_filter", "ResponsibleAIPolicyViolation"}
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_ECHO = re.compile(r"""['"]input['"]\s*:.*""", re.DOTALL)


class Refusal(Struct, frozen=True, kw_only=True):
    """An upstream's answer that is none.

    `said` are its own words, one line, which may hold anything; `kind` is its word for programs.
    `no_route` claims that the address is wrong, not the model. `filtered` names what a content
    filter found.
    """

    failure: UpstreamFailure
    said: str = ""
    kind: str = ""
    param: str | None = None
    status: int
    no_route: bool = False
    filtered: tuple[str, ...] = ()


def refusal(status: int, body: bytes) -> Refusal:
    """Read a refusal; `status` is HTTP's, or 200 for an error inside of an answer."""
    said, kind, param, code, filtered = _words(body)
    if status < 300:
        status = code or 500
    no_route = status in {404, 405} and not _MODEL.search(f"{kind} {said}")
    failure = _failure(status, said, kind, param)
    return Refusal(
        failure=failure,
        said=said,
        kind=kind,
        param=param,
        status=status,
        no_route=no_route,
        filtered=filtered,
    )


def _failure(status: int, said: str, kind: str, param: str | None) -> UpstreamFailure:
    if status in _PLAIN:
        return _PLAIN[status]
    if (meant := _meant(said, kind, param)) is not None:
        return meant
    if status == 404:
        return UpstreamFailure.UNKNOWN_MODEL
    if status == 503 and "loading" in said.lower():
        return UpstreamFailure.NOT_READY
    if status == 408:
        return UpstreamFailure.TIMEOUT
    if status >= 500:
        return UpstreamFailure.SERVER
    if status < 400:
        return UpstreamFailure.PROTOCOL
    if kind == "model_not_found" or _NO_MODEL.search(said):
        return UpstreamFailure.UNKNOWN_MODEL
    return UpstreamFailure.BAD_REQUEST


def _meant(said: str, kind: str, param: str | None) -> UpstreamFailure | None:
    """Return what the words alone tell, whatever the status."""
    if kind in _FILTER_CODES:
        return UpstreamFailure.CONTENT_FILTER
    if kind in _CONTEXT_CODES or param == "input_tokens" or _CONTEXT.search(said):
        return UpstreamFailure.CONTEXT_LENGTH
    if _CHAT_ONLY.search(said):
        return UpstreamFailure.MESSAGES_ONLY
    return None


class _Words(NamedTuple):
    """What an error body says: message, machine word, parameter, numeric code, filter's finds."""

    said: str
    kind: str = ""
    param: str | None = None
    code: int | None = None
    filtered: tuple[str, ...] = ()


def _words(body: bytes) -> _Words:
    try:
        found: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return _Words(_one_line(_plain(body)))
    if isinstance(found, list) and found:
        found = cast(list[Any], found)[0]
    if not isinstance(found, dict):
        return _Words(_one_line(str(cast(object, found))))
    outer = cast(dict[str, Any], found)
    inner = outer.get("error")
    error = cast(dict[str, Any], inner) if isinstance(inner, dict) else outer
    message = error.get("message") or (inner if isinstance(inner, str) else _detail(outer))
    code = error.get("code")
    words = (code, error.get("type"), outer.get("error_type"))
    kind = next((word for word in words if isinstance(word, str) and word), "")
    if _CONTEXT_CODES.intersection(word for word in words if isinstance(word, str)):
        kind = "context_length_exceeded"
    param = error.get("param")
    return _Words(
        _one_line(_ECHO.sub("…", str(message or ""))),
        kind,
        param if isinstance(param, str) else None,
        code if isinstance(code, int) and 400 <= code < 600 else None,
        _filtered(error.get("innererror")),
    )


def _filtered(found: Any) -> tuple[str, ...]:
    """Return the categories for which Azure's filter refused a prompt."""
    if not isinstance(found, dict):
        return ()
    inner = cast(dict[str, Any], found)
    results = inner.get("content_filter_result") or inner.get("content_filter_results")
    if not isinstance(results, dict):
        return ()
    judged = cast(dict[str, Any], results)
    return tuple(
        _one_line(name)[:40]
        for name, result in judged.items()
        if isinstance(result, dict) and cast(dict[str, Any], result).get("filtered") is True
    )


def _detail(outer: dict[str, Any]) -> str:
    """Read FastAPI's detail; its `input` member echoes the request and is left out."""
    detail = outer.get("detail")
    if not isinstance(detail, list):
        return str(detail or "")
    faults: list[str] = []
    for each in cast(list[Any], detail):
        if isinstance(each, dict):
            fault = cast(dict[str, Any], each)
            loc = fault.get("loc")
            steps = cast(list[Any], loc) if isinstance(loc, list) else ()
            path = ".".join(map(str, steps))
            faults.append(f"{path}: {fault.get('msg', '')}")
    return "; ".join(faults)


def _plain(body: bytes) -> str:
    text = body[:20_000].decode("utf-8", "replace")
    if is_html(body):
        title = _TITLE.search(text)
        return title.group(1) if title else ""
    return text


def is_html(body: bytes) -> bool:
    """Tell whether a body is a web page."""
    return body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head"))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[:20_000]).split())


def quote(said: str, secrets: list[str], prompt: str) -> str:
    """Return what an upstream said, fit for a message: short, without secrets or prompt text."""
    for secret in secrets:
        if secret:
            said = said.replace(secret, "***")
    said = said if len(said) <= QUOTED else said[: QUOTED - 1] + "…"
    start = 0
    shown: list[str] = []
    while start < len(said):
        length = _overlap(said, start, prompt)
        shown.append("…" if length else said[start])
        start += length or 1
    return "".join(shown)


def _overlap(said: str, start: int, prompt: str) -> int:
    """Return how many characters from `start` on the prompt holds too, 0 where they are few."""
    end = start + _OVERLAP
    if end > len(said) or said[start:end] not in prompt:
        return 0
    while end < len(said) and said[start : end + 1] in prompt:
        end += 1
    return end - start


def retry_after(header: Callable[[str], str]) -> float | None:
    """Return the seconds of patience that ``Retry-After-Ms`` or ``Retry-After`` ask for."""
    try:
        if milliseconds := header("retry-after-ms"):
            return _patience(float(milliseconds) / 1000)
        after = header("retry-after")
        if not after:
            return None
        if after.replace(".", "", 1).isdecimal():
            return _patience(float(after))
        return _patience(parsedate_to_datetime(after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _patience(seconds: float) -> float | None:
    return max(0.0, seconds) if math.isfinite(seconds) else None
