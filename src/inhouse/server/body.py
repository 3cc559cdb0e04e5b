"""Read a request's body, up to a limit."""

from __future__ import annotations

from inhouse.errors import RequestError, TooLargeError
from inhouse.server.asgi import Receive


async def read_body(receive: Receive, *, declared: bytes | None, limit: int) -> bytes:
    """Return the body; `declared` is the header ``Content-Length``, which is not believed.

    Raises:
        TooLargeError: the body is longer than `limit` bytes, or says so.
        RequestError: the caller hung up before its end.

    """
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        return _within(message["body"], limit)
    parts: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        parts.append(message["body"])
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
    raise RequestError("The body ended early.")


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"The body is larger than {limit:,} bytes, the limit here. Send less, or have an"
        " administrator raise 'max_body_bytes' in [server]."
    )
