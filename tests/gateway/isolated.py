"""A gateway in a process and a network of its own, under load; prints what was connected to.

    python isolated.py FOLDER

Prints one JSON object; ends with status 77 where the kernel gives no network of one's own.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from tests.fakes.http import Exchange, Server
from tests.fakes.network import NameServer, Sniffer, isolate
from tests.fakes.openai import FakeOpenAI

CANNOT = 77
GATEWAY, METRICS, PORT = 5052, 8082, 8000
KEY = "ihk_admin_0123456789abcdef"
ENDPOINTS = {
    "address": "http://10.7.0.1:8000/v1",
    "name": "http://gpu.test:8000/v1",
    "moving": "http://moving.test:8000/v1",
    "redirecting": "http://10.7.0.3:8000/v1",
    "down": "http://10.7.0.4:8000/v1",
    "link-local": "http://169.254.7.7/v1",
    "metadata by name": "http://metadata.test/v1",
    "this machine by name": f"http://local.test:{METRICS}/v1",
    "unknown": "http://unknown.test:8000/v1",
}
NAMES = {
    "gpu.test": ["10.7.0.2"],
    # A name server that is against us: it is sane when asked first, and not afterwards.
    "moving.test": ["10.7.0.1", "169.254.169.254"],
    "metadata.test": ["169.254.169.254"],
    "local.test": ["127.0.0.1"],
}
REQUESTS = 480
AT_ONCE = 16


def configuration() -> str:
    parts = [
        f'[server]\nport = {GATEWAY}\n[metrics]\nport = {METRICS}\n[store]\nurl = "sqlite:///x.db"',
        f'[[keys]]\nname = "root"\nrole = "admin"\nkey = "{KEY}"',
    ]
    for name, endpoint in ENDPOINTS.items():
        parts.append(
            f'[[deployments]]\nname = "{name}"\nfamily = "qwen-coder"\n'
            f'identifier = "custom_openai/tiny-coder"\nendpoint = "{endpoint}"'
        )
    routes = [
        f'[[routes]]\nfeature = "{feature}"\ndeployments = {json.dumps(list(ENDPOINTS))}'
        for feature in ("completion", "generation", "chat")
    ]
    return "\n".join([*parts, *routes])


async def redirecting(exchange: Exchange) -> None:
    await exchange.send(
        b"HTTP/1.1 307 X\r\nlocation: http://10.9.9.9:8000/v1\r\ncontent-length: 0\r\n\r\n"
    )


async def load(session: aiohttp.ClientSession) -> Counter[str]:
    """Ask every deployment and feature in every way; return the answers by status."""
    hole = {"prompt": "def area(width, height):\n    return ", "suffix": "\n", "max_tokens": 4}
    said = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    asked = [
        *(("/v1/completions", {"model": name, **hole}) for name in (*ENDPOINTS, "completion")),
        ("/v1/completions", {"model": "generation", "instruction": "add", **hole}),
        *(("/v1/chat/completions", {"model": name, **said}) for name in (*ENDPOINTS, "chat")),
    ]
    answers: Counter[str] = Counter()
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(number: int) -> None:
        turn, which = divmod(number, len(asked))
        path, body = asked[which]
        async with gate, session.post(path, json={**body, "stream": turn % 2 == 0}) as answer:
            await answer.read()
            answers[f"{body['model']}: {answer.status}"] += 1

    await asyncio.gather(*map(ask, range(REQUESTS)))
    for name in ENDPOINTS:
        async with session.post(f"/api/v1/deployments/{name}/test") as answer:
            answers[f"test: {answer.status}"] += 1
    return answers


async def main(folder: Path) -> dict[str, Any]:
    (folder / "inhouse.toml").write_text(configuration())
    sniffer, names = Sniffer(), NameServer(NAMES)
    async with AsyncExitStack() as stack:
        upstreams = {
            "10.7.0.1": FakeOpenAI(),
            "10.7.0.2": FakeOpenAI(),
            "10.7.0.3": Server(redirecting),
        }
        for host, upstream in upstreams.items():
            upstream.host, upstream.port = host, PORT
            await stack.enter_async_context(upstream)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "inhouse", "serve"),
            cwd=folder,
            env={"HOME": str(folder), "PATH": os.defpath},
        )
        try:
            base = f"http://127.0.0.1:{GATEWAY}"
            session = await stack.enter_async_context(
                aiohttp.ClientSession(base, headers={"Authorization": f"Bearer {KEY}"})
            )
            await ready(session)
            answers = await load(session)
        finally:
            process.terminate()
            await process.wait()
    return {
        "attempts": sorted(sniffer.attempts),
        "missed": sniffer.missed(),
        "asked": sorted(names.asked),
        "answers": dict(sorted(answers.items())),
    }


async def ready(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get("/health") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    try:
        isolate()
    except OSError as error:
        sys.stderr.write(f"This kernel gives no network of one's own: {error}")
        sys.exit(CANNOT)
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
