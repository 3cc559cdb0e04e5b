"""Replay the typing sessions: with memory and superseding, and without.

    python bench/replay.py [--dialects openai gitlab] [--debounces 0 75 250] [--unknown 0.15]

The upstream is `oracle.py`, which writes what the files say in the end, but for some words. Each
answer is compared with what it says at that place. With --speed 0, the default, the editor waits
for each answer: nothing is hung up, and every figure but the milliseconds is the same in each run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import msgspec

from inhouse.client import Client
from inhouse.core.secret import Secret
from inhouse.replay import DIALECTS, Dialect, Figures, Pace, Player, Session, read
from inhouse.replay.figures import Tally
from inhouse.replay.session import EDITS
from oracle import Asked, author
from processes import SERVER_CORE, TOOL_CORE, free_port, running, wait_for_port

HERE = Path(__file__).resolve().parent
SESSIONS = tuple(sorted((HERE / "typing").glob("*.jsonl")))
DEBOUNCES = (0, 75, 250)
UNKNOWN = 0.15
PATIENCE = 60.0
KEY = "ihk_bench_{number}_0123456789abcdef"
REMEMBERED = "SELECT duration_ms FROM traces WHERE outcome = 'remembered'"
HEADER = (
    "| dialect | debounce | memory, superseding | asked | suggested | p50 ms | p95 | p99"
    " | characters accepted | upstream requests each | tokens each | read | written | wrong |"
)


class Gateway(NamedTuple):
    """One that runs; `url` is its own."""

    spares: bool
    url: str
    folder: Path


class Played(NamedTuple):
    """All sessions in one dialect at one debounce; `asked` is what that cost upstream."""

    dialect: Dialect
    debounce: int
    spares: bool
    figures: Figures
    asked: Asked

    @property
    def tokens(self) -> int:
        """What the upstream read and wrote."""
        return self.asked.prompt_tokens + self.asked.completion_tokens


def main() -> int:
    """Print a table; return the exit status: 1 where an answer was wrong or missing."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="inhouse-replay-") as name, ExitStack() as processes:
        upstream, gateways = _started(Path(name), given, processes)
        played = [
            asyncio.run(_played(gateway, upstream, dialect, debounce, number, given))
            for number, (dialect, debounce, gateway) in enumerate(
                (dialect, debounce, gateway)
                for dialect in given.dialects
                for debounce in given.debounces
                for gateway in gateways
            )
        ]
        processes.close()
        remembered = [_remembered(each.folder) for each in gateways if each.spares]
    print("\n".join(_table(played)))
    for each in remembered:
        print(f"\n{_told(each)}")
    return 0 if all(each.figures.good for each in played) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--dialects", nargs="+", type=Dialect, default=list(Dialect), metavar="NAME"
    )
    parser.add_argument("--debounces", nargs="+", type=int, default=DEBOUNCES, metavar="MS")
    parser.add_argument("--unknown", type=float, default=UNKNOWN, help="words it does not know")
    parser.add_argument("--speed", type=float, default=0, help="as inhouse replay has it (0)")
    parser.add_argument("--first", type=float, default=0, help="ms before the first token (0)")
    parser.add_argument("--between", type=float, default=0, help="ms before each other one (0)")
    return parser.parse_args()


def _started(
    folder: Path, given: argparse.Namespace, processes: ExitStack
) -> tuple[str, list[Gateway]]:
    """Start the oracle, and a gateway of each kind; return their addresses."""
    port = free_port()
    oracle = [sys.executable, HERE / "oracle.py", str(port), *SESSIONS]
    oracle += ["--unknown", str(given.unknown)]
    oracle += ["--first", str(given.first), "--between", str(given.between)]
    environment = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"}
    processes.enter_context(running(TOOL_CORE, oracle, env=environment, log=folder / "oracle.log"))
    wait_for_port(port, seconds=PATIENCE)
    gateways = [_gateway(folder, port, given, spares=spares) for spares in (False, True)]
    for each in gateways:
        program = Path(sysconfig.get_path("scripts")) / "inhouse"
        serve = [program, "--config", each.folder / "inhouse.toml", "serve"]
        log = each.folder / "log"
        processes.enter_context(running(SERVER_CORE, serve, env=environment, log=log))
        wait_for_port(int(each.url.rpartition(":")[2]), seconds=PATIENCE)
    return f"http://127.0.0.1:{port}", gateways


def _gateway(folder: Path, upstream: int, given: argparse.Namespace, *, spares: bool) -> Gateway:
    """Write the configuration of a gateway that spares its upstream, or not."""
    own, port, metrics = folder / f"spares-{spares}", free_port(), free_port()
    own.mkdir()
    # A key for each run: what one has learned is not told to another.
    runs = 2 * len(given.dialects) * len(given.debounces)
    keys = "".join(
        f'[[keys]]\nname = "bench-{number}"\nrole = "developer"\nkey = "{_key(number)}"\n'
        for number in range(runs)
    )
    said = str(spares).lower()
    (own / "inhouse.toml").write_text(
        f"[server]\nport = {port}\n[metrics]\nport = {metrics}\n"
        f'[store]\nurl = "sqlite:///{own}/inhouse.db"\n'
        f"[settings]\ncompletion_memory = {said}\ncompletion_superseding = {said}\n"
        '[[deployments]]\nname = "oracle"\nfamily = "codestral"\n'
        f'endpoint = "http://127.0.0.1:{upstream}/v1"\nidentifier = "custom_openai/oracle"\n'
        f'[[routes]]\nfeature = "completion"\ndeployments = ["oracle"]\n{keys}'
    )
    return Gateway(spares, f"http://127.0.0.1:{port}", own)


def _key(number: int) -> str:
    return KEY.format(number=number)


async def _played(
    gateway: Gateway,
    upstream: str,
    dialect: Dialect,
    debounce: int,
    number: int,
    given: argparse.Namespace,
) -> Played:
    """Play every session, one after the other."""
    before = _asked(upstream)
    tally = Tally()
    async with Client(gateway.url, Secret(_key(number))) as client:
        for path in SESSIONS:
            pace = Pace(debounce=debounce / 1000, speed=given.speed)
            session = _marked(path, given.unknown)
            player = Player(session, DIALECTS[dialect](client), pace, lambda _: None)
            player.tally = tally
            await player.play()
    print(f"{dialect} {debounce} ms, spares: {gateway.spares}", file=sys.stderr)
    after = _asked(upstream)
    asked = Asked(
        requests=after.requests - before.requests,
        prompt_tokens=after.prompt_tokens - before.prompt_tokens,
        completion_tokens=after.completion_tokens - before.completion_tokens,
    )
    return Played(dialect, debounce, gateway.spares, tally.figures(None), asked)


def _marked(path: Path, unknown: float) -> Session:
    """Return a session that says of each place what the oracle says there."""
    session, knows = read(path), author([path], unknown)
    events = tuple(
        msgspec.structs.replace(event, right=knows.middle(state.prefix, state.suffix))
        if isinstance(event, EDITS)
        else event
        for event, state in zip(session.events, session.states[1:], strict=True)
    )
    return msgspec.structs.replace(session, events=events)


def _asked(upstream: str) -> Asked:
    with closing(urlopen(f"{upstream}/counted")) as answer:  # noqa: S310 -- our own, on loopback
        return msgspec.json.decode(answer.read(), type=Asked)


def _remembered(folder: Path) -> Sequence[float]:
    """Return the milliseconds in the server of each answer from memory."""
    with closing(sqlite3.connect(folder / "inhouse.db")) as store:
        return [milliseconds for (milliseconds,) in store.execute(REMEMBERED)]


def _told(milliseconds: Sequence[float]) -> str:
    if len(milliseconds) < 2:
        return "Nothing was answered from memory."
    ranks = statistics.quantiles(milliseconds, n=100)
    return (
        f"From memory, in the server: {len(milliseconds)} answers,"
        f" p50 {ranks[49]:.2f} ms, p95 {ranks[94]:.2f} ms, p99 {ranks[98]:.2f} ms."
    )


def _table(played: Sequence[Played]) -> Iterator[str]:
    yield HEADER
    yield "| --- | ---: | --- |" + " ---: |" * 11
    for number, each in enumerate(played):
        found, took = each.figures, each.figures.milliseconds
        characters = max(1, found.accepted_characters)
        waits = "" if took is None else f"{took.p50:.1f} | {took.p95:.1f} | {took.p99:.1f}"
        wrong = found.wrong.contradicted + found.wrong.changed + found.failed
        read, written = str(each.asked.prompt_tokens), str(each.asked.completion_tokens)
        if each.spares:
            without = played[number - 1]
            read = f"{each.asked.prompt_tokens / without.asked.prompt_tokens - 1:+.1%}"
            written = f"{each.asked.completion_tokens / without.asked.completion_tokens - 1:+.1%}"
        yield (
            f"| {each.dialect} | {each.debounce} ms | {'on' if each.spares else 'off'}"
            f" | {found.asked} | {found.answered - found.empty} | {waits}"
            f" | {found.accepted_characters} | {each.asked.requests / characters:.2f}"
            f" | {each.tokens / characters:.0f} | {read} | {written} | {wrong} |"
        )


if __name__ == "__main__":
    sys.exit(main())
