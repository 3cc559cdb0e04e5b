"""Requests that can be parsed, and are refused for how they are written."""

from __future__ import annotations

MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 200
MAX_BARREN = 65_536
"""Bytes of chunk extensions or trailers with nothing of a body among them."""


class UnacceptableError(Exception):
    """A request that can be parsed, and is refused for what stands in its head."""

    def __init__(self, status: int, code: str, why: str) -> None:
        """Keep what is told: a status, a machine word, and a sentence."""
        super().__init__(status, code, why)
        self.told = status, code, why


MALFORMED = UnacceptableError(400, "malformed", "This is not a request as HTTP/1.1 has it.")
TOO_LARGE = UnacceptableError(
    431,
    "head_too_large",
    f"The head of this request has more than {MAX_HEAD_BYTES:,} bytes or {MAX_HEADERS} headers.",
)
BARREN = UnacceptableError(
    400, "malformed", f"More than {MAX_BARREN:,} bytes came with nothing of the body among them."
)
HOST = UnacceptableError(
    400, "malformed", "A request has one header Host, neither none nor several."
)
VERSION = UnacceptableError(505, "wrong_version", "This server speaks HTTP/1.1, and 1.0.")
CODING = UnacceptableError(
    501, "unknown_coding", "Of transfer codings, this server knows 'chunked' alone."
)
