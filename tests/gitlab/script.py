"""What a case's upstream does, one entry a request that it gets."""

import json
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from tests.fakes.http import Exchange, Handler
from tests.fakes.openai import FakeOpenAI

ASKED = ("/completions", "/embeddings")
"""How the paths end that ask for an answer; the others list models or count tokens."""


class Entry(Struct, forbid_unknown_fields=True):
    """One answer: text in pieces, of one choice or several; a broken stream; silence; or a body.

    `usage` is what the upstream counts, null where it does not count.
    """

    pieces: list[str] | UnsetType = UNSET
    choices: list[list[str]] | UnsetType = UNSET
    finish_reason: str = "stop"
    usage: dict[str, int] | None = field(
        default_factory=lambda: {"prompt_tokens": 12, "completion_tokens": 7}
    )
    cut_after: list[str] | UnsetType = UNSET
    silent: bool = False
    status: int | UnsetType = UNSET
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: Any = UNSET

    def handler(self, fake: FakeOpenAI) -> Handler:
        """Return what does it."""
        if self.silent:
            return Exchange.hang
        if self.pieces is not UNSET:
            return fake.saying([self.pieces], self.finish_reason, self.usage)
        if self.choices is not UNSET:
            return fake.saying(self.choices, self.finish_reason, self.usage)
        if self.cut_after is not UNSET:
            return fake.saying([self.cut_after], None)
        if self.status is UNSET:
            raise AssertionError("An entry has pieces, choices, cut_after, silent or a status.")
        return self._refusing(self.status)

    def _refusing(self, status: int) -> Handler:
        body = b"" if self.body is UNSET else json.dumps(self.body).encode()
        headers = {"content-type": "application/json", **self.headers}
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = f"HTTP/1.1 {status} X\r\n{''.join(lines)}content-length: {len(body)}\r\n\r\n"

        async def refuse(exchange: Exchange) -> None:
            await exchange.send(head.encode() + body)

        return refuse


class Scripted(FakeOpenAI):
    """An upstream that plays a script, and refuses whatever is asked behind its end."""

    def __init__(self) -> None:
        """Serve any model: which one is asked is the case's business."""
        super().__init__()
        self.routes |= {"/embeddings"}

    def script(self, entries: list[Entry]) -> None:
        """Play this from now on, and forget what was seen before."""
        self.requests.clear()
        self.faults.clear()
        self.faults.extend(entry.handler(self) for entry in entries)

    async def _answer(self, exchange: Exchange, *, chat: bool) -> None:
        del chat
        await self.reply(exchange, {"error": {"message": "The script has ended."}}, 500)

    def seen(self) -> list[dict[str, Any]]:
        """Return what asked for an answer, oldest first."""
        return [
            {"path": each.target, "headers": each.headers, "body": each.json}
            for each in self.requests
            if each.target.endswith(ASKED)
        ]
