"""Decode a caller's JSON, and say in words what is wrong with it."""

from __future__ import annotations

from typing import Any

import msgspec

from inhouse.errors import InvalidValueError, RequestError

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Whatever msgspec raises for bytes that are no JSON, not of the type, or nested too deeply."""


def decode_json(raw: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """Return what `decoder` makes of a caller's body.

    Raises:
        InvalidValueError: a field is missing, or has a wrong type or value.
        RequestError: the body is not JSON.

    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except UNREADABLE as error:
        raise RequestError(f"The body is not JSON: {_reason(error)}.") from None


def invalid(error: msgspec.ValidationError) -> InvalidValueError:
    """Turn msgspec's "Expected `int`, got `str` - at `$.limit`" to a sentence about ``limit``."""
    fault, _, path = str(error).partition(" - at `$")
    fault = fault[:1].lower() + fault[1:]
    param = path.rstrip("`").removeprefix(".")
    if param:
        return InvalidValueError(f"'{param}' is wrong: {fault}.", param=param)
    missing = fault.partition("missing required field `")[2].rstrip("`")
    return InvalidValueError(f"The request is wrong: {fault}.", param=missing or None)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return str(error).removeprefix("JSON is malformed: ")
