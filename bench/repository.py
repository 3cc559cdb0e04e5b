"""How often the repository completer is right, and what it costs, on files that it never saw.

Of every folder, 40 files are held out by a seed and the rest is indexed. Which files they are
moves the figures by several points, so three seeds are run and averaged. Random cursors inside
random lines of the held-out files, neither blank nor a comment, are completed: right is exactly
the rest of the line. The text before the cursor and behind the line is given. The threshold is
calibrated on other held-out files of what is indexed, as in the product.

    python bench/repository.py                      # Django 5.2 and CPython's standard library
    python bench/repository.py --folder PATH --suffix .ts --cursors 500
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from inhouse.context import files
from inhouse.core.documents import Document
from inhouse.providers.repository import builder, calibration
from inhouse.providers.repository.index import load

HELD_OUT = 40
SHARES = (0.1, 0.2, 0.3, 0.5)
DJANGO = "django==5.2"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
NOT_CODE = ("test", "tests", "idlelib/idle_test", "encodings", "site-packages", "lib2to3/tests")


@dataclass(frozen=True)
class Result:
    """One repository's figures for one seed; shares are percentages of all cursors."""

    name: str
    seed: int
    files: int
    megabytes: float
    cursors: int
    exact_match: float
    correct_prefix: float
    precision_at_top: dict[str, float]
    threshold: float
    shown: float
    shown_precision: float
    query_ms_median: float
    query_ms_p95: float
    query_cpu_ms_median: float
    build_cpu_s: float
    index_bytes_per_source_byte: float


def measure(name: str, documents: Sequence[Document], *, cursors: int, seed: int) -> Result:
    """Index all but the held-out files, and complete in those."""
    choose = random.Random(seed)  # noqa: S311 -- the same cursors each time, no secret
    asked_of = set(choose.sample(range(len(documents)), HELD_OUT))
    kept = [each for number, each in enumerate(documents) if number not in asked_of]
    held = [documents[number] for number in sorted(asked_of)]
    size = sum(len(each.text.encode()) for each in kept)
    with TemporaryDirectory() as folder:
        path = Path(folder, "index")
        before = time.process_time()
        builder.calibrated(kept, lambda _: None).save(path, name)
        build_cpu = time.process_time() - before
        index_bytes = path.stat().st_size
        index = load(path, name)
    wall: list[float] = []
    cpu: list[float] = []
    made: list[tuple[float, bool, bool]] = []
    for cursor in calibration.cursors(held, cursors, choose):
        started, started_cpu = time.perf_counter(), time.process_time()
        found = index.query(cursor.prefix, cursor.suffix).suggestions()
        cpu.append(1000 * (time.process_time() - started_cpu))
        wall.append(1000 * (time.perf_counter() - started))
        text = found[0].text if found else ""
        made.append(
            (
                found[0].confidence if found else 0.0,
                text == cursor.target,
                bool(text) and cursor.target.startswith(text),
            )
        )
    made.sort(key=lambda each: -each[0])
    shown = [each for each in made if each[0] >= index.threshold]
    return Result(
        name=name,
        seed=seed,
        files=len(kept),
        megabytes=round(size / 1e6, 2),
        cursors=len(made),
        exact_match=_percent([right for _, right, _ in made]),
        correct_prefix=_percent([prefix for _, _, prefix in made]),
        precision_at_top={
            f"{share:.0%}": _percent([right for _, right, _ in made[: int(len(made) * share)]])
            for share in SHARES
        },
        threshold=round(index.threshold, 4),
        shown=round(100 * len(shown) / len(made), 1),
        shown_precision=_percent([right for _, right, _ in shown]),
        query_ms_median=round(statistics.median(wall), 2),
        query_ms_p95=round(statistics.quantiles(wall, n=20)[-1], 2),
        query_cpu_ms_median=round(statistics.median(cpu), 2),
        build_cpu_s=round(build_cpu, 2),
        index_bytes_per_source_byte=round(index_bytes / size, 2),
    )


def _percent(claims: Sequence[bool]) -> float:
    return round(100 * sum(claims) / max(1, len(claims)), 1)


def table(runs: dict[str, list[Result]]) -> str:
    """Return the figures as a Markdown table, one row a repository, averaged over its seeds."""
    head = [
        *("repository", "MB", "n", "exact match", "by seed", "correct prefix"),
        *(f"precision top {share:.0%}" for share in SHARES),
        *("shown", "precision of shown", "query ms median / p95 (CPU)", "build CPU-s", "index B/B"),
    ]
    rows = [_row(name, results) for name, results in runs.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _row(name: str, results: Sequence[Result]) -> list[str]:
    def mean(figure: Callable[[Result], float], digits: int = 1) -> str:
        return f"{statistics.fmean(map(figure, results)):.{digits}f}"

    return [
        name,
        mean(lambda each: each.megabytes),
        f"{sum(each.cursors for each in results)}",
        f"{mean(lambda each: each.exact_match)} %",
        " ".join(f"{each.exact_match}" for each in results),
        f"{mean(lambda each: each.correct_prefix)} %",
        *(f"{mean(_precision(f'{share:.0%}'))} %" for share in SHARES),
        f"{mean(lambda each: each.shown)} %",
        f"{mean(lambda each: each.shown_precision)} %",
        " ".join(
            [
                mean(lambda each: each.query_ms_median),
                "/",
                mean(lambda each: each.query_ms_p95),
                f"({mean(lambda each: each.query_cpu_ms_median)})",
            ]
        ),
        mean(lambda each: each.build_cpu_s),
        mean(lambda each: each.index_bytes_per_source_byte, 2),
    ]


def _precision(share: str) -> Callable[[Result], float]:
    return lambda each: each.precision_at_top[share]


def django() -> list[Document]:
    """Install Django into the bench's cache, once, and return its Python files."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"  # noqa: TID251 -- no package
    target = Path(caches, "inhouse", "bench", "django-5.2")
    if not (target / "django").is_dir():
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile")
        subprocess.run([*pip, "--target", str(target), DJANGO], check=True)
    return source(target / "django", ".py", ())


def standard_library() -> list[Document]:
    """Return this Python's own library without its tests and tables."""
    return source(Path(sysconfig.get_path("stdlib")), ".py", [f"**/{name}" for name in NOT_CODE])


def source(folder: Path, suffix: str, exclude: Sequence[str]) -> list[Document]:
    """Return a folder's files of one language."""
    return [each for each in files.read(folder, exclude) if each.path.endswith(suffix)]


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description="Quality and cost of the repository completer")
    parser.add_argument("--folder", type=Path, help="measure this folder instead")
    parser.add_argument("--suffix", default="", help="only its files that end so, such as .ts")
    parser.add_argument("--cursors", type=int, default=800)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", type=Path, help="write the figures there")
    chosen = parser.parse_args()
    sources = (
        {chosen.folder.name: source(chosen.folder, chosen.suffix, ())}
        if chosen.folder
        else {"Django 5.2": django(), f"CPython {_PYTHON} Lib": standard_library()}
    )
    runs = {
        name: [measure(name, documents, cursors=chosen.cursors, seed=seed) for seed in chosen.seeds]
        for name, documents in sources.items()
    }
    figures = json.dumps([asdict(each) for results in runs.values() for each in results], indent=2)
    if chosen.json:
        chosen.json.write_text(figures + "\n")
    print(figures)
    print(table(runs))


if __name__ == "__main__":
    main()
