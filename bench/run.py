"""Measure inhouse: what `make bench` runs.

    python bench/run.py [--quick] [--json FILE] [--markdown FILE] [--docs]
    python bench/run.py --part gateway --stacks inhouse reference --loads "chat c32"

The whole gateway beside the reference stack and nginx, under the loads of `loads.py`, then the
repository completer. Progress goes to standard error, the report to standard output.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

import budget
import ctools
from installed import installed_bytes
from loads import LOADS
from machine import busy, machine
from measure import Measured, measure, note
from processes import TOOL_CORE, free_port, running, wait_for_port
from report import figures, markdown
from stacks import BUILDERS, stacks

REPETITIONS = 3
QUICKER = 3.0
QUICK_CURSORS = 100
DOCS = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def main() -> int:
    """Run; return the exit status."""
    asked = _arguments()
    if asked.part != "repository":
        _report(_gateway(asked), asked)
    return 0 if asked.part == "gateway" else _repository(asked)


def _report(measured: list[Measured], asked: argparse.Namespace) -> None:
    size, packages = installed_bytes("inhouse")
    conditions = machine() | {
        "installed": f"{size / 1e6:.0f} MB in {packages} packages besides inhouse",
        "processes that wanted a core when it began": f"{asked.busy:.1f}",
    }
    found = figures(measured)
    report = markdown(measured, conditions)
    if not asked.loads and {"inhouse", "reference"} <= found.keys():
        kept = budget.lines(measured, found, size)
        report = f"{report}\n### The budget\n\n{budget.markdown(kept)}\n"
    print(report)
    if asked.markdown:
        asked.markdown.write_text(report)
    if asked.docs:
        _document("gateway", report)
    if asked.json:
        runs = {"conditions": conditions, "figures": found, "measured": measured}
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(runs)) + b"\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short repetition: a first look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report there")
    parser.add_argument("--docs", action="store_true", help=f"write the report into {DOCS.name}")
    parser.add_argument("--part", choices=("all", "gateway", "repository"), default="all")
    parser.add_argument("--stacks", nargs="+", default=[], choices=BUILDERS, metavar="NAME")
    parser.add_argument(
        "--loads", nargs="+", default=[], choices=[load.name for load in LOADS], metavar="NAME"
    )
    asked = parser.parse_args()
    asked.busy = busy()
    return asked


def _gateway(asked: argparse.Namespace) -> list[Measured]:
    tools = ctools.build()
    loads = [load for load in LOADS if not asked.loads or load.name in asked.loads]
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as name:
        folder, port = Path(name), free_port()
        upstream = [tools.fake_openai, str(port)]
        with running(TOOL_CORE, upstream, env={}, log=folder / "upstream.log"):
            wait_for_port(port)
            return measure(
                stacks(folder, port, asked.stacks),
                tools,
                port,
                repetitions=1 if asked.quick else REPETITIONS,
                shorter=QUICKER if asked.quick else 1.0,
                loads=loads,
            )


def _repository(asked: argparse.Namespace) -> int:
    note("the repository completer")
    command = [sys.executable, str(Path(__file__).with_name("repository.py"))]
    few = ["--cursors", str(QUICK_CURSORS), "--seeds", "1"] if asked.quick else []
    done = subprocess.run(command + few, check=False, stdout=subprocess.PIPE, text=True)
    # Behind its figures as JSON it prints a table of them.
    report = "".join(line for line in done.stdout.splitlines(True) if line.startswith("|"))
    print(report)
    if asked.docs and report:
        _document("repository", report)
    return done.returncode


def _document(part: str, report: str) -> None:
    """Put a report into the documentation, in place of the one before it."""
    begin, end = f"<!-- {part}: make bench writes this -->", f"<!-- {part}: end -->"
    text = DOCS.read_text()
    before, after = text.partition(begin)[0], text.partition(end)[2]
    DOCS.write_text(f"{before}{begin}\n\n{report}\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
