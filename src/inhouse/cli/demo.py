"""``inhouse demo``: a real suggestion from the repository that it is run in."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from inhouse.cli import output, showing, stage, trial
from inhouse.cli.command import Command, json_option
from inhouse.cli.progress import bar
from inhouse.client import Client
from inhouse.core.ports import Warming
from inhouse.core.secret import Secret
from inhouse.gateway import Gateway
from inhouse.server import listening, run

PORT = 5052


@click.command(
    "demo",
    cls=Command,
    examples=["inhouse demo", "inhouse demo --once", "inhouse demo --root ~/src/django --seed 7"],
)
@click.option("--once", is_flag=True, help="Stop after printing, instead of serving on.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder to index; else the git repository that this is run in.",
)
@click.option(
    "--samples",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=40,
    show_default=True,
    help="Places to ask.",
)
@click.option(
    "--seed", type=int, metavar="N", default=52, show_default=True, help="Chooses files and places."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    default=PORT,
    show_default=True,
    help="Port to listen on; the next free one if it is taken.",
)
@json_option
def command(
    once: bool, root: Path | None, samples: int, seed: int, port: int, as_json: bool
) -> None:
    """Index a repository, serve it, and ask for suggestions over HTTP as an editor does.

    Some files are left out of the index. In these, random places are asked about; the first one
    that gets an answer is shown, and then how many did. Needs no model, no account and no network.
    Nothing of the real gateway's configuration is used or changed.
    """
    folder = root.resolve() if root is not None else stage.top_level(Path.cwd())
    run(_Demo(once=once, samples=samples, seed=seed, as_json=as_json).run(folder, port))


class Connection(Struct, frozen=True):
    """How to reach the running demo."""

    url: str
    key: Secret


class _Demo:
    """One demo, from reading files to the last request."""

    def __init__(self, *, once: bool, samples: int, seed: int, as_json: bool) -> None:
        self._once = once
        self._samples = samples
        self._seed = seed
        self._as_json = as_json

    async def run(self, folder: Path, port: int) -> None:
        """Set up, ask, print, and serve on."""
        began = time.monotonic()
        with bar("reading files"):
            documents = await asyncio.to_thread(trial.read, folder)
        held = trial.held_out(documents, self._seed)
        cursors = trial.places(held, self._samples, self._seed)
        free = await asyncio.to_thread(stage.free_port, port)
        if free != port:
            output.note(f"Port {port} is taken; this is port {free}.")
        configured, key = stage.configured(folder, trial.excluded(held), free)
        hurry = asyncio.Event()
        async with Gateway.open(configured) as gateway:
            await self._index(gateway)
            seconds = time.monotonic() - began
            if not self._as_json:
                showing.indexed(folder, len(documents) - len(held), len(held), seconds)
            async with listening(gateway, hurry=hurry) as addresses:
                connection = Connection(addresses.url, key)
                made = await self._ask(connection, cursors)
                if self._as_json:
                    self._print_json(folder, connection, made)
                else:
                    async with Client(connection.url, connection.key) as client:
                        example = await trial.short_example(client, made)
                    showing.connect(addresses.url, key.reveal(), example, configured.path)
                if not self._once:
                    output.note("\nServing until Ctrl-C.")
                    await _interrupted(hurry)

    async def _index(self, gateway: Gateway) -> None:
        deployment = gateway.catalog.deployments[stage.DEPLOYMENT]
        provider = gateway.provider(deployment)
        if isinstance(provider, Warming):
            with bar("indexing") as report:
                await provider.warm(deployment, report)

    async def _ask(
        self, connection: Connection, cursors: Sequence[trial.Cursor]
    ) -> list[trial.Attempt]:
        """Ask everywhere; print the first answer as soon as it is there, then the figures."""
        made: list[trial.Attempt] = []
        example = False
        async with Client(connection.url, connection.key) as client:
            with bar("asking") as report:
                async with contextlib.aclosing(trial.attempts(client, cursors)) as answers:
                    async for attempt in answers:
                        made.append(attempt)
                        report(len(made) / len(cursors), "asking")
                        if attempt.answered and not example and not self._as_json:
                            example = True
                            showing.example(attempt, len(made), len(cursors))
        if not self._as_json:
            showing.figures(trial.figures(made), len({each.path for each in cursors}))
        return made

    def _print_json(
        self, root: Path, connection: Connection, made: Sequence[trial.Attempt]
    ) -> None:
        shown = next((each for each in made if each.answered), None)
        output.json(
            {
                "root": root,
                "url": connection.url,
                "key": connection.key.reveal(),
                "example": shown
                and {
                    "path": shown.cursor.path,
                    "line": shown.cursor.prefix.count("\n") + 1,
                    "suggestion": shown.text,
                    "target": shown.cursor.target,
                    "exact": shown.right,
                    "milliseconds": round(shown.milliseconds, 1),
                },
                "figures": msgspec.structs.asdict(trial.figures(made)),
            }
        )


async def _interrupted(hurry: asyncio.Event) -> None:
    """Wait for Ctrl-C; a second one lets nothing running end any more."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop() -> None:
        (hurry if stopping.is_set() else stopping).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await stopping.wait()
    output.note("Stopping.")
