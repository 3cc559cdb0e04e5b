"""What earlier releases cost, kept in `bench/results/`, and the ratio of now to then.

Absolute figures of two days and machines do not compare. Each run has the reference stack beside
the gateway, so each gives a ratio to it; the ratio of those two is what has changed.

    python bench/results.py              how the youngest two releases that are kept compare
    python bench/results.py OLD.json NEW.json
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from loads import LOADS
from report import NOTHING, Figure, table

FOLDER = Path(__file__).with_name("results")
ROOT = FOLDER.parent.parent
BESIDE = {load.name: load.beside for load in LOADS if load.beside}


class Result(Struct, frozen=True):
    """What was measured of one commit: figures by stack and load, the gateway as ``inhouse``.

    `at` is the commit's own date, `subject` its first line.
    """

    commit: str
    at: str
    subject: str
    conditions: dict[str, str]
    figures: dict[str, dict[str, Figure]]


def of_commit(
    revision: str, conditions: dict[str, str], figures: dict[str, dict[str, Figure]]
) -> Result:
    """Return the result of a revision."""
    return Result(*described(revision), conditions, figures)


def described(revision: str) -> tuple[str, str, str]:
    """Return the short name, the date and the first line of a revision."""
    shown = git("show", "--no-patch", "--format=%h%n%cI%n%s", revision).splitlines()
    return shown[0], shown[1], shown[2]


def git(*what: str | Path) -> str:
    """Return what git says; raises `CalledProcessError`."""
    done = subprocess.run(["git", "-C", ROOT, *what], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def keep(result: Result) -> Path:
    """Write a result into its file, in place of an earlier one of the same commit."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{result.commit}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def kept(*, but: str = "") -> list[Result]:
    """Return the results that are kept, the youngest commit last, `but` for one."""
    found = [read(path) for path in FOLDER.glob("*.json")]
    return sorted((each for each in found if each.commit != but), key=lambda each: each.at)


def read(path: Path) -> Result:
    """Return the result that a file holds."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def ratio(load: str, now: Mapping[str, Mapping[str, Figure]], then: Result) -> float | None:
    """Return how many times the CPU of then a load takes now; None where one has none."""
    current, earlier = of_reference(load, now), of_reference(load, then.figures)
    return current / earlier if current and earlier else None


def of_reference(
    load: str,
    figures: Mapping[str, Mapping[str, Figure]],
    *,
    stack: str = "inhouse",
    reference: str = "reference",
) -> float | None:
    """Return how many times the reference's CPU a load takes.

    A door that the reference does not have is compared with what asks it for the same elsewhere.
    """
    ours = figures.get(stack, {}).get(load)
    theirs = figures.get(reference, {})
    beside = theirs.get(load) or theirs.get(BESIDE.get(load, ""))
    return ours.cpu_us / beside.cpu_us if ours and beside else None


def compared(then: Result, now: Result) -> str:
    """Return a table of what both have measured."""
    rows = [
        (
            load.title,
            *(_times(of_reference(load.name, each.figures)) for each in (then, now)),
            _times(ratio(load.name, now.figures, then)),
        )
        for load in LOADS
    ]
    head = ("CPU against the reference", then.commit, now.commit, "now / then")
    return table(head, [row for row in rows if NOTHING not in row])


def _times(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.2f}"


def main(arguments: Sequence[str]) -> int:
    """Print how two results compare; return the exit status."""
    both = [read(Path(each)) for each in arguments] if arguments else kept()[-2:]
    if len(both) != 2:
        print("Two results are needed: make bench ARGS=--keep makes one.", file=sys.stderr)
        return 2
    print(compared(*both))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
