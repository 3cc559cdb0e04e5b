"""A gateway on free ports of this machine, and what tests need to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
from openai import AsyncOpenAI

from inhouse import config
from inhouse.core.trace import Trace
from inhouse.gateway import Gateway
from inhouse.providers.scripted import Scripted
from inhouse.server import Addresses, listening

ADMIN = "ihk_admin_0123456789abcdef"
DEVELOPER = "ihk_developer_0123456789abcdef"
AUDITOR = "ihk_auditor_0123456789abcdef"
CHAT_ONLY = "ihk_chat_only_0123456789abcdef"

KEYS = f"""
[[keys]]
name = "root"
role = "admin"
key = "{ADMIN}"
[[keys]]
name = "ada"
role = "developer"
key = "{DEVELOPER}"
[[keys]]
name = "eve"
role = "auditor"
key = "{AUDITOR}"
[[keys]]
name = "bob"
role = "developer"
key = "{CHAT_ONLY}"
models = ["chat"]
"""


def scripted(name: str, *, family: str = "general", **options: object) -> str:
    """Return TOML that declares a deployment which plays a script; see `Scripted`."""
    lines = [f"{option} = {_toml(value)}" for option, value in options.items()]
    return "\n".join(
        [
            "[[deployments]]",
            f"name = {json.dumps(name)}",
            f'family = "{family}"',
            'identifier = "scripted/script"',
            "[deployments.options]",
            *lines,
            "",
        ]
    )


def _toml(value: object) -> str:
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return "{" + ", ".join(f"{name} = {_toml(each)}" for name, each in fields.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, cast("list[object]", value))) + "]"
    return json.dumps(value)


def route(feature: str, *deployments: str) -> str:
    """Return TOML that declares a route."""
    return f'[[routes]]\nfeature = "{feature}"\ndeployments = {json.dumps(deployments)}\n'


class Reply:
    """An answer, read to its end."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]


class Served:
    """A running gateway and its addresses."""

    def __init__(self, gateway: Gateway, addresses: Addresses) -> None:
        self.gateway = gateway
        self.url = addresses.url
        self.metrics = addresses.metrics
        self.port = int(addresses.url.rpartition(":")[2])

    @property
    def scripted(self) -> Scripted:
        """The provider that plays scripts, with its memory."""
        found = self.gateway.providers["scripted"]
        assert isinstance(found, Scripted)
        return found

    @contextlib.asynccontextmanager
    async def client(self, key: str = DEVELOPER) -> AsyncGenerator[AsyncOpenAI]:
        """Yield OpenAI's own client, which asks once and reports what it got."""
        base_url = f"{self.url}/v1"
        async with AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0) as client:
            yield client

    async def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = ADMIN,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
        content: object = None,
    ) -> Reply:
        """Send one request and read the whole answer."""
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        body = raw if raw is not None else None if content is None else msgspec.json.encode(content)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, headers=sent, data=body) as answer,
        ):
            return Reply(answer.status, answer.headers, await answer.read())

    async def traces(self) -> Sequence[Trace]:
        """Return every trace so far, newest first."""
        await self.gateway.records.flush()
        return await asyncio.to_thread(self.gateway.registry.traces.list_traces, 1000)


def configuration(folder: Path, text: str = "", *, server: str = "") -> config.Config:
    """Return a configuration with four keys, free ports, a new store, and `text` besides."""
    path = folder / "inhouse.toml"
    path.write_text(
        f'[server]\nport = 0\n{server}\n[metrics]\nport = 0\n[store]\nurl = "sqlite:///x.db"\n'
        f'[log]\nformat = "json"\n{KEYS}{text}'
    )
    return config.load(path, {"HOME": str(folder)})


@contextlib.asynccontextmanager
async def serving(configured: config.Config) -> AsyncGenerator[Served]:
    """Serve as configured until the block is left."""
    async with Gateway.open(configured) as gateway, listening(gateway) as addresses:
        yield Served(gateway, addresses)
