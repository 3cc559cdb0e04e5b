"""What the commands that ask a running gateway share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from inhouse import config
from inhouse.cli import output
from inhouse.client import Client
from inhouse.core.delta import Answer, Delta
from inhouse.features.joined import joined

Result = TypeVar("Result")


def asked(file: Path | None, ask: Callable[[Client], Awaitable[Result]]) -> Result:
    """Run `ask` with a client of the configured gateway."""
    gateway = config.load_client(file)

    async def run() -> Result:
        async with Client(
            gateway.url, gateway.api_key, gateway.proxies, authorities=gateway.authorities
        ) as client:
            return await ask(client)

    return asyncio.run(run())


async def whole(deltas: AsyncGenerator[Delta]) -> tuple[Answer, float]:
    """Return the whole answer, and the milliseconds it took."""
    began = time.perf_counter()
    async with contextlib.aclosing(deltas):
        answer = await joined(deltas)
    return answer, 1000 * (time.perf_counter() - began)


async def printed(deltas: AsyncGenerator[Delta]) -> str:
    """Print an answer as it comes, ended by a line break, and return it."""
    write = output.pieces()
    texts: list[str] = []
    async with contextlib.aclosing(deltas):
        async for delta in deltas:
            if delta.text:
                texts.append(delta.text)
                write(delta.text)
    text = "".join(texts)
    if text and not text.endswith("\n"):
        write("\n")
    return text


def print_answer(model: str, answer: Answer, milliseconds: float) -> None:
    """Print an answer as JSON, with all that is known of it."""
    output.json(
        {
            "model": model,
            "choices": [
                {
                    "index": choice.index,
                    "text": choice.text,
                    "finish_reason": choice.finish_reason,
                    "reasoning": choice.reasoning,
                }
                for choice in answer.choices
            ],
            "usage": answer.usage,
            "milliseconds": round(milliseconds, 1),
        }
    )


def read_text(path: Path) -> str:
    """Return a file's text as it stands; fails as a wrong call where it is none."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not UTF-8 text (byte {error.start}).") from None
