"""Measure inhouse: what `make bench` and `make bench-peers` run.

    python bench/run.py                      under five minutes: one table
    python bench/run.py --against v0.1.0     an earlier release of ours in the same run
    python bench/run.py --all                all loads, the long tables, the repository completer
    python bench/run.py --peers              other gateways on the same work
    python bench/run.py --stacks inhouse reference --loads "chat c32"

The whole gateway beside the reference stack and nginx, under the loads of `loads.py`. Progress goes
to standard error, the report to standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

import budget
import ctools
import headline
import peer_installs
import peer_report
import peers
import report
import results
from carrying import Carried, carried
from documenting import DOCS, document
from installed import installed_bytes
from loads import LOADS
from machine import busy, machine
from measure import Measured, UnansweredError, measure, note, started
from processes import TOOL_CORE, free_port, running, wait_for_port
from stacks import BUILDERS, Builder, Stack, earlier, stacks

REPETITIONS = 3
FEWER = 2
"""Repetitions beside peers, of whom some take long."""
SHORTER = 1.5
"""How much shorter loads are where only the headline is wanted, or peers are measured."""
QUICKER = 3.0
QUICK_CURSORS = 100


class Found(Struct, frozen=True):
    """What one run has found out."""

    measured: list[Measured]
    figures: dict[str, dict[str, report.Figure]]
    carried: dict[str, Carried]
    conditions: dict[str, str]
    missing: dict[str, str]


def main() -> int:
    """Run; return the exit status."""
    asked = _arguments()
    with contextlib.ExitStack() as stack:
        builders = {
            name: builder
            for name, builder in BUILDERS.items()
            if not asked.stacks or name in asked.stacks
        }
        if asked.against:
            source = stack.enter_context(_checked_out(asked.against))
            builders[_earlier(asked)] = earlier(_earlier(asked), source)
        found = _measured(builders, asked)
    _tell(found, asked)
    failures = {each.name: each.failures for each in found.measured if each.name in BUILDERS}
    for name, failed in failures.items():
        for why in failed.values():
            print(f"{name}: {why}", file=sys.stderr)
    replayed = 0 if asked.peers or asked.stacks or asked.loads else _replay(asked)
    repository = _repository(asked) if asked.all else 0
    return 1 if any(failures.values()) else replayed or repository


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="all loads and tables: twelve minutes")
    parser.add_argument("--peers", action="store_true", help="beside other gateways")
    parser.add_argument("--against", metavar="REVISION", help="beside an earlier release of ours")
    parser.add_argument(
        "--keep", action="store_true", help="write bench/results/, for later releases to compare"
    )
    parser.add_argument("--quick", action="store_true", help="one short repetition: a first look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs there")
    parser.add_argument("--docs", action="store_true", help=f"write the report into {DOCS.name}")
    parser.add_argument("--stacks", nargs="+", default=[], choices=BUILDERS, metavar="NAME")
    parser.add_argument(
        "--loads", nargs="+", default=[], choices=[load.name for load in LOADS], metavar="NAME"
    )
    asked = parser.parse_args()
    asked.busy = busy()
    return asked


def _earlier(asked: argparse.Namespace) -> str:
    return results.described(asked.against)[0] if asked.against else ""


@contextlib.contextmanager
def _checked_out(revision: str) -> Generator[Path]:
    """Yield the source folder of a revision, in a work tree of its own."""
    with tempfile.TemporaryDirectory(prefix="inhouse-earlier-") as name:
        tree = Path(name) / "tree"
        results.git("worktree", "add", "--quiet", "--detach", tree, revision)
        try:
            yield tree / "src"
        finally:
            results.git("worktree", "remove", "--force", tree)


def _measured(builders: Mapping[str, Builder], asked: argparse.Namespace) -> Found:
    tools, missing = ctools.build(), dict[str, str]()
    if asked.peers:
        builders = {**builders, **peers.builders(missing)}
    names = asked.loads or [load.name for load in LOADS if asked.all or load.headline]
    if asked.peers:
        names = asked.loads or list(peer_report.LOADS)
    repetitions, shorter = (FEWER if asked.peers else REPETITIONS), (1 if asked.all else SHORTER)
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as name:
        folder, port = Path(name), free_port()
        upstream = [tools.fake_openai, str(port)]
        with running(TOOL_CORE, upstream, env={}, log=folder / "upstream.log"):
            wait_for_port(port)
            measurable = stacks(folder, port, builders)
            measured = measure(
                measurable,
                tools,
                port,
                repetitions=1 if asked.quick else repetitions,
                shorter=QUICKER if asked.quick else shorter,
                loads=[load for load in LOADS if load.name in names],
            )
            streams = {} if asked.loads or asked.peers else _carried(measurable, tools, asked)
    conditions = machine() | {
        "commit": results.described("HEAD")[0],
        "processes that wanted a core when it began": f"{asked.busy:.1f}",
    }
    return Found(measured, report.figures(measured), streams, conditions, missing)


def _carried(
    measurable: Sequence[Stack], tools: ctools.Tools, asked: argparse.Namespace
) -> dict[str, Carried]:
    """Return how many streams each stack carries; only the gateway itself where time is short."""
    found: dict[str, Carried] = {}
    for stack in measurable:
        if asked.quick or (stack.name != "inhouse" and not asked.all):
            continue
        with contextlib.suppress(UnansweredError), started(stack) as live:
            found[stack.name] = carried(live, tools)
    return found


def _tell(found: Found, asked: argparse.Namespace) -> None:
    conditions = report.conditions(found.measured, found.conditions)
    parts: dict[str, str] = {}
    if asked.peers:
        parts["peers"] = _beside_peers(found)
    elif "inhouse" in found.figures:
        *_, kept = [None, *results.kept(but=found.conditions["commit"])]
        parts["headline"] = headline.markdown(
            found.measured,
            found.figures,
            earlier=_earlier(asked),
            kept=kept,
            carried=found.carried,
        )
    if asked.all:
        size, _ = installed_bytes("inhouse")
        kept_to = budget.markdown(budget.lines(found.measured, found.figures, size))
        parts["gateway"] = f"{report.markdown(found.measured)}\n### The budget\n\n{kept_to}\n"
    elif asked.loads:
        parts["gateway"] = report.markdown(found.measured)
    print("\n\n".join((conditions, *parts.values())))
    if asked.docs:
        for part, text in parts.items():
            document(part, f"{conditions}\n\n{text}")
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    if asked.keep:
        _keep(found, asked)


def _beside_peers(found: Found) -> str:
    there = [name for name in peers.STARTS if name not in found.missing]
    disk = {name: peer_installs.installed(name).megabytes for name in there}
    return peer_report.markdown(found.measured, found.figures, found.missing, disk)


def _keep(found: Found, asked: argparse.Namespace) -> None:
    """Keep what was measured of this tree, and of the earlier release that ran beside it."""
    for revision, stack in {"HEAD": "inhouse", asked.against: _earlier(asked)}.items():
        if stack:
            own = {name: found.figures[name] for name in BUILDERS if name in found.figures}
            own["inhouse"] = found.figures[stack]
            path = results.keep(results.of_commit(revision, found.conditions, own))
            note(f"kept in {path.name}")


def _replay(asked: argparse.Namespace) -> int:
    note("the typing sessions")
    few = [] if asked.all else ["--debounces", "250"]
    command = [sys.executable, str(Path(__file__).with_name("replay.py")), *few]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    print(f"\n{done.stdout}")
    if asked.docs and asked.all:
        document("replay", done.stdout)
    return done.returncode


def _repository(asked: argparse.Namespace) -> int:
    note("the repository completer")
    command = [sys.executable, str(Path(__file__).with_name("repository.py"))]
    few = ["--cursors", str(QUICK_CURSORS), "--seeds", "1"] if asked.quick else []
    done = subprocess.run(command + few, check=False, stdout=subprocess.PIPE, text=True)
    # Behind its figures as JSON it prints a table of them.
    table = "".join(line for line in done.stdout.splitlines(True) if line.startswith("|"))
    print(table)
    if asked.docs and table:
        document("repository", table)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
