"""Chaos: upstreams die and return under load, and nothing is lost; what `make soak` runs.

    python bench/soak.py [--seconds 300] [--seed 1]

Exit status 1 where something was lost, late, left behind, or did not recover.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import uvloop

from callers import Callers, Ended
from chaos import Chaos
from instance import Instance
from processes import free_port, resident_bytes, wait_for_port
from traces import lost, traced

KEY = "ihk_soak_0123456789abcdef"
TOTALS = {"completion": 2.0, "generation": 3.0, "chat": 4.0}
"""Deadlines of a whole request in seconds."""
RECOVERY = 60.0
IDLE = 8.0
"""Seconds after which idle connections are closed on both sides."""
FEW_FILES = 12
GROWTH = 24 * 2**20
"""Bytes that memory may grow by between the first third of a run and the last."""
MIB = 2**20
LOG = "gateway.log"
STORE = "soak.db"

CONFIGURATION = """
[server]
port = {port}
[metrics]
port = {metrics}
[store]
url = "sqlite:///{store}"
[log]
level = "error"
[settings]
completion_superseding = false
completion_memory = false
{settings}
[[keys]]
name = "soak"
role = "developer"
key = "{key}"
{gitlab}
"""


class Sample(NamedTuple):
    """The gateway's process at a moment; `resting` names deployments that are left alone."""

    at: float
    memory: int
    files: int
    threads: int
    running: int
    resting: frozenset[str]


class Watched:
    """What was seen of the gateway's process."""

    def __init__(self, pid: int, metrics: int) -> None:
        """Look at a process and its metrics."""
        self.samples: list[Sample] = []
        self._pid = pid
        self._url = f"http://127.0.0.1:{metrics}/metrics"

    async def watch(self) -> None:
        """Take a sample a second, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(1)

    async def look(self) -> Sample:
        """Take a sample."""
        values = await asyncio.to_thread(self.metrics)
        resting = frozenset(
            line.partition('"')[2].partition('"')[0]
            for line, value in values.items()
            if line.startswith("inhouse_deployment_resting{") and value
        )
        sample = Sample(
            time.monotonic(),
            resident_bytes(self._pid),
            len(os.listdir(f"/proc/{self._pid}/fd")),  # noqa: PTH208 - only counted
            len(os.listdir(f"/proc/{self._pid}/task")),  # noqa: PTH208 - only counted
            int(values.get("inhouse_requests_running", -1)),
            resting,
        )
        self.samples.append(sample)
        return sample

    def metrics(self) -> dict[str, float]:
        """Return every metric's value by its name with labels."""
        with urlopen(self._url, timeout=30) as answer:  # noqa: S310 - our own, on loopback
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


def main() -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="how long chaos reigns")
    parser.add_argument("--seed", type=int, default=1, help="another order of events")
    parser.add_argument(
        "--tolerance", type=float, default=1.0, help="seconds that an answer may be late"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inhouse-soak-") as folder:
        faults = uvloop.run(_soak(Path(folder), asked))
    for each in faults:
        print(f"VIOLATED: {each}")
    return 1 if faults else 0


async def _soak(folder: Path, asked: argparse.Namespace) -> list[str]:
    chaos, gitlab = Chaos(asked.seed), Instance()
    async with chaos.running():
        port, metrics = free_port(), free_port()
        (folder / "inhouse.toml").write_text(_configuration(chaos, gitlab, port, metrics))
        with _gateway(folder) as process:
            await asyncio.to_thread(wait_for_port, port)
            watched = Watched(process.pid, metrics)
            callers = Callers(f"http://127.0.0.1:{port}", KEY, gitlab, asked.seed)
            asking = asyncio.create_task(callers.ask())
            watching = asyncio.create_task(watched.watch())
            await chaos.rage(asked.seconds)
            recovered = await _recovered(watched)
            callers.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(TOTALS.values()) + asked.tolerance):
                    await asking
            await asyncio.sleep(IDLE)
            watching.cancel()
            last, values = await watched.look(), watched.metrics()
        return _judged(chaos, callers, watched, folder, recovered, last, values, asked.tolerance)


def _configuration(chaos: Chaos, gitlab: Instance, port: int, metrics: int) -> str:
    settings = "\n".join(
        f"{feature}_{name} = {value}"
        for feature, total in TOTALS.items()
        for name, value in {
            "connect_timeout": 0.5,
            "first_token_timeout": 1.0,
            "between_tokens_timeout": 1.0,
            "total_timeout": total,
        }.items()
    )
    parts = [
        CONFIGURATION.format(
            store=STORE,
            port=port,
            metrics=metrics,
            key=KEY,
            settings=settings,
            gitlab=gitlab.configuration,
        )
    ]
    parts += [
        f'[[deployments]]\nname = "{name}"\nfamily = "qwen-coder"\n'
        f'identifier = "custom_openai/tiny-coder"\nendpoint = "{proxy.endpoint}"\n'
        for name, proxy in chaos.proxies.items()
    ]
    first, second, third = chaos.proxies
    everybody, few = f'["{first}", "{second}", "{third}"]', f'["{third}", "{first}"]'
    for feature, names in {
        "completion": everybody,
        "generation": f"{everybody}\nweights = [2, 1, 1]",
        "chat": few,
    }.items():
        parts.append(f'[[routes]]\nfeature = "{feature}"\ndeployments = {names}\n')
    return "\n".join(parts)


@contextlib.contextmanager
def _gateway(folder: Path) -> Generator[subprocess.Popen[bytes]]:
    with (
        (folder / LOG).open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "inhouse", "serve"],
            cwd=folder,
            env={"HOME": str(folder), "PATH": os.defpath, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


async def _recovered(watched: Watched) -> bool:
    """Wait until no deployment rests any more; requests go on meanwhile."""
    until = time.monotonic() + RECOVERY
    while time.monotonic() < until:
        if not (await watched.look()).resting:
            return True
        await asyncio.sleep(0.2)
    return False


def _judged(
    chaos: Chaos,
    callers: Callers,
    watched: Watched,
    folder: Path,
    recovered: bool,
    last: Sample,
    values: dict[str, float],
    tolerance: float,
) -> list[str]:
    """Print the table; return what is wrong."""
    rested = Counter(name for each in watched.samples for name in each.resting)
    late = [each for each in callers.ended if each.seconds > TOTALS[each.door.feature] + tolerance]
    broken = [each for each in callers.ended if each.how == "broken"]
    traces = traced(folder / STORE)
    recorded = sum(map(len, traces.values()))
    differing = lost(callers.ended, traces)
    counted = sum(
        value for name, value in values.items() if name.startswith("inhouse_requests_total{")
    )
    first, final = _thirds(watched.samples)
    table = {
        "requests": len(callers.ended),
        "ended": _ends(callers.ended),
        "of them at GitLab's doors": _ends(each for each in callers.ended if each.door.gitlab),
        "errors": dict(Counter(each.what for each in callers.ended if each.how == "error")),
        "slowest, s": _slowest(callers.ended),
        "illnesses": sum(chaos.illnesses.values()),
        "fallbacks": int(
            sum(value for name, value in values.items() if name.startswith("inhouse_fallbacks_t"))
        ),
        "seconds seen resting": dict(sorted(rested.items())),
        "memory, MiB": f"{first / MIB:.1f} in the first third, {final / MIB:.1f} in the last",
        "files": f"{watched.samples[0].files} at first, {last.files} at last",
        "threads": f"{watched.samples[0].threads} at first, {last.threads} at last",
    }
    print("| | |\n|---|---|")
    for name, value in table.items():
        print(f"| {name} | {value} |")
    log = (folder / LOG).read_text()
    checks = {
        f"the gateway met with a defect: {log[-2000:]}": "Traceback" not in log,
        f"{len(callers.running)} requests are unanswered: {list(callers.running)[:5]}": (
            not callers.running
        ),
        f"{len(broken)} answers are neither whole nor an error: {broken[:3]}": not broken,
        f"{len(late)} answers came behind their deadline: {late[:3]}": not late,
        f"traces and requests differ: {differing}": not differing,
        f"{counted:.0f} requests are counted, {recorded} have a trace": counted == recorded,
        f"no circuit ever opened, in {sum(chaos.illnesses.values())} illnesses": bool(rested),
        f"circuits did not close again within {RECOVERY:g} s: {sorted(last.resting)}": recovered,
        f"{last.running} requests still run at the gateway": last.running == 0,
        f"files grew from {watched.samples[0].files} to {last.files}": (
            last.files <= watched.samples[0].files + FEW_FILES
        ),
        f"memory grew from {first / MIB:.0f} to {final / MIB:.0f} MiB": final - first < GROWTH,
    }
    return [what for what, kept in checks.items() if not kept]


def _ends(ended: Iterable[Ended]) -> dict[str, int]:
    return dict(sorted(Counter(each.how for each in ended).items()))


def _slowest(ended: list[Ended]) -> dict[str, float]:
    return {
        feature: round(max((e.seconds for e in ended if e.door.feature == feature), default=0.0), 2)
        for feature in TOTALS
    }


def _thirds(samples: list[Sample]) -> tuple[float, float]:
    """Return the median memory in the first third of a run, without its start, and in the last."""
    third = max(1, len(samples) // 3)
    memory = [each.memory for each in samples]
    return statistics.median(memory[third // 3 : third]), statistics.median(memory[-third:])


if __name__ == "__main__":
    sys.exit(main())
