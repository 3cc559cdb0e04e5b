"""An upstream that writes what the files of some sessions say in the end, for replays.

    python bench/oracle.py PORT SESSION... [--unknown 0.15] [--first MS] [--between MS]

It serves /v1/completions as OpenAI's dialect has it, for prompts in any family's FIM form, and says
what stands between prefix and suffix when the session is over. Of the words it does not know
`--unknown`, the same ones each time: where one begins it writes another, and goes on. Behind a slip
it ends the word somehow. GET /counted tells what it was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from inhouse.core.prompt import Fim
from inhouse.families import load
from inhouse.prompts import split_fim
from inhouse.replay import read

CHARACTERS_PER_TOKEN = 3.2
TOKEN = re.compile(r" ?[^\W\d_]{1,6}|\d{1,3}|\n[^\S\n]*|[^\S\n]+|.", re.DOTALL)
WORD = re.compile(r"\b[^\W\d]\w*")
CLOSED = re.compile(r"[)\]}]+")
HEADS = (160, 80, 40, 20)
"""Characters of a suffix by which its place is found; farther on, something may be missing."""
WINDOW = 32_768
LARGEST = 1 << 22
ODD_END = "_it"
"""How a word ends that begins with a slip."""


class Author:
    """Knows how texts end, but for some words."""

    def __init__(self, texts: Sequence[str], unknown: float) -> None:
        """`unknown` is the share of words that are not known."""
        self._texts = texts
        self._unknown = unknown

    def middle(self, prefix: str, suffix: str) -> str:
        """Return what belongs between the two; nothing where no text has this prefix."""
        for text in self._texts:
            at = text.find(prefix)
            if at >= 0:
                start = at + len(prefix)
                return self._written(text, start, _end(text, start, suffix))
        begun = re.search(r"\w+$", prefix)
        if begun is None:
            return ""
        for text in self._texts:
            at = text.find(prefix[: begun.start()])
            if at >= 0:
                start = at + begun.start()
                behind = re.compile(r"\w*").match(text, start)
                start = start if behind is None else behind.end()
                return ODD_END + self._written(text, start, _end(text, start, suffix))
        return ""

    def _written(self, text: str, start: int, end: int) -> str:
        """Return a text from `start` to `end`, with other words in place of the unknown ones.

        Who stands behind the first character of a word knows it.
        """
        said, at = "", start
        for word in WORD.finditer(text, start, end):
            if self._surprising(text, word.start()):
                said += text[at : word.start()] + ("x" if word[0][0] != "x" else "y") + word[0]
                at = word.end()
        return said + text[at:end]

    def _surprising(self, text: str, at: int) -> bool:
        drawn = zlib.crc32(f"{at} {text[max(0, at - 40) : at + 40]}".encode())
        return drawn % 1000 < 1000 * self._unknown


def _end(text: str, start: int, suffix: str) -> int:
    """Return where the suffix begins in a text; the line's end where that is not to be found."""
    line = text.find("\n", start)
    line = len(text) if line < 0 else line
    closed = CLOSED.match(suffix)
    if closed is not None:
        # What an editor closed stands in this line, whatever is still missing below it.
        at = text.rfind(closed[0], start, line)
        if at >= 0:
            return at
    if not suffix:
        return len(text)
    found = (text.find(suffix[:count], start) for count in HEADS)
    return next((at for at in found if at >= 0), line)


class Asked(Struct):
    """What was asked for, and written."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Oracle:
    """Answers requests on a connection, one after the other."""

    def __init__(self, author: Author, first: float, between: float) -> None:
        """Wait so many seconds for the first token, and for each other one."""
        self._author = author
        self._first = first
        self._between = between
        self._families = load()
        self._asked = Asked()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection until it is closed; a hang-up ends what is written."""
        current: asyncio.Task[None] | None = None
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                if current is not None:
                    await current
                current = asyncio.create_task(self._answer(head, body, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if current is not None:
                current.cancel()
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if b" /v1/completions " in head:
            await self._complete(msgspec.json.decode(body), writer)
        elif b" /v1/models " in head:
            model = {"id": "oracle", "object": "model", "max_model_len": WINDOW}
            _whole(writer, {"object": "list", "data": [model]})
        elif b" /counted " in head:
            _whole(writer, self._asked)
        else:
            _whole(writer, {"error": {"message": "There is nothing here."}}, "404 Not Found")

    async def _complete(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        prompt: str = body["prompt"]
        hole = split_fim(prompt, self._families) or Fim(prefix=prompt)
        tokens = TOKEN.findall(self._author.middle(hole.prefix, hole.suffix))
        most = body.get("max_tokens") or len(tokens)
        read = math.ceil(len(prompt.encode()) / CHARACTERS_PER_TOKEN)
        self._asked.requests += 1
        self._asked.prompt_tokens += read
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for number, token in enumerate(tokens[:most]):
            if pause := self._between if number else self._first:
                await asyncio.sleep(pause)
            self._asked.completion_tokens += 1
            _event(writer, {"choices": [_choice(token)]})
        last = _choice("", "length" if len(tokens) > most else "stop")
        _event(writer, {"choices": [last]})
        usage = {"prompt_tokens": read, "completion_tokens": min(most, len(tokens))}
        _event(writer, {"choices": [], "usage": usage})
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()


def _choice(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "text": text, "finish_reason": finish}


def _event(writer: asyncio.StreamWriter, content: dict[str, Any]) -> None:
    whole = {"id": "1", "object": "text_completion", "created": 0, "model": "oracle"} | content
    data = b"data: %s\n\n" % msgspec.json.encode(whole)
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def _whole(writer: asyncio.StreamWriter, content: object, status: str = "200 OK") -> None:
    body = msgspec.json.encode(content)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    writer.write(head.encode() + b"\r\n\r\n" + body)


def author(sessions: Sequence[Path], unknown: float) -> Author:
    """Return who knows how these sessions end."""
    return Author([read(each).states[-1].text for each in sessions], unknown)


async def _run(given: argparse.Namespace) -> None:
    knows = author(given.sessions, given.unknown)
    oracle = Oracle(knows, given.first / 1000, given.between / 1000)
    server = await asyncio.start_server(oracle.serve, "127.0.0.1", given.port, limit=LARGEST)
    async with server:
        await server.serve_forever()


def main() -> int:
    """Serve until somebody ends it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("sessions", type=Path, nargs="+", metavar="SESSION")
    parser.add_argument("--unknown", type=float, default=0.15, help="words it does not know (0.15)")
    parser.add_argument("--first", type=float, default=0, help="ms before the first token (0)")
    parser.add_argument("--between", type=float, default=0, help="ms before each other one (0)")
    asyncio.run(_run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
