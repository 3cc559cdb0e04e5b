"""Decode a caller's JSON, and say in words what is wrong with it."""

from __future__ import annotations

from typing import Any

import msgspec

from inhouse.errors import InvalidValueError, RequestError


def decode_json(raw: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """Return what `decoder` makes of a caller's body.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"The body is not JSON as RFC 8259 has it: {_reason(error)}.") from None


def _invalid(why: str) -> InvalidValueError:
    """Turn msgspec's "Expected `int`, got `str` - at `$.max_tokens`" to a sentence and a param."""
    sentence, _, path = why.partition(" - at `$")
    if path:
        param = path.rstrip("`").removeprefix(".")
        return InvalidValueError(f"'{param}' is wrong: {_lowered(sentence)}.", param=param)
    missing = why.partition("missing required field `")[2].rstrip("`")
    return InvalidValueError(f"The body is wrong: {_lowered(why)}.", param=missing or None)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return str(error).removeprefix("JSON is malformed: ") or "it is malformed"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
