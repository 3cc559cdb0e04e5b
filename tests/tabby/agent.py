"""Tabby's own client, the program ``tabby-agent``, as editors run it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import shutil
import subprocess
import tarfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from msgspec import Struct

PACKAGE = "tabby-agent@1.5.0"
INTEGRITY = (
    "A502A5KUU8nO8T5J+Z6nq5hwXqG8/Yzh1dPcqwgm7W7Umm/f36OBUY5y22WQgySXOmTRyD0LKM59BdWXasxDEg=="
)
"""The SHA-512 of the package, as its registry tells it."""
PATIENCE = 60.0
"""Seconds that an answer may take before it counts as none."""
LONGEST_LINE = 1024 * 1024


class AbsentError(Exception):
    """The program cannot be had; the message says why."""


class Program(Struct, frozen=True):
    """Where Node.js and the program lie."""

    node: str
    script: Path


def installed(folder: Path) -> Program:
    """Fetch the program from the npm registry into `folder`; it needs nothing besides Node.js.

    Raises:
        AbsentError: npm, Node.js or the registry is not there.

    """
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise AbsentError("npm or Node.js is not installed")
    command = [npm, "pack", PACKAGE, "--silent", "--prefer-offline", f"--pack-destination={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)  # noqa: S603
    if done.returncode:
        raise AbsentError(f"npm cannot fetch {PACKAGE}: {done.stderr.strip()[-300:]}")
    (archive,) = folder.glob("*.tgz")
    assert base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() == INTEGRITY
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return Program(node, folder / "package" / "dist" / "cli.js")


class Agent:
    """The running program, spoken to over its standard streams."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Ask nothing yet."""
        assert process.stdin is not None
        assert process.stdout is not None
        self._writing, self._reading = process.stdin, process.stdout
        self._asked = 0

    async def request(self, method: str, params: Any) -> Any:
        """Ask as a language client does, and return the result."""
        self._asked += 1
        self.notify(method, params, id=self._asked)
        async with asyncio.timeout(PATIENCE):
            while True:
                said = await self._message()
                if "method" in said and "id" in said:
                    self._send({"id": said["id"], "result": None})
                elif said.get("id") == self._asked:
                    assert "error" not in said, said
                    return said["result"]

    def notify(self, method: str, params: Any, **members: Any) -> None:
        """Tell something as a language client does."""
        self._send({"method": method, "params": params, **members})

    async def call(self, function: str, *arguments: Any) -> Any:
        """Ask as Tabby's older plugins do, in lines of JSON, and return what comes back."""
        self._asked += 1
        line = json.dumps([self._asked, {"func": function, "args": arguments}])
        self._writing.write(line.encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            while True:
                number, said = json.loads(await self._reading.readline())
                if number == self._asked:
                    return said

    def _send(self, members: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **members}).encode()
        self._writing.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _message(self) -> dict[str, Any]:
        head = await self._reading.readuntil(b"\r\n\r\n")
        sizes = [
            line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        ]
        return json.loads(await self._reading.readexactly(int(sizes[0].partition(b":")[2])))


@contextlib.asynccontextmanager
async def running(
    program: Program, home: Path, configuration: str, *arguments: str
) -> AsyncGenerator[Agent]:
    """Run the program in a home of its own, configured so, until the block is left."""
    settings = home / ".tabby-client" / "agent" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(configuration)
    process = await asyncio.create_subprocess_exec(
        program.node,
        str(program.script),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"HOME": str(home)},
        limit=LONGEST_LINE,
    )
    try:
        yield Agent(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
