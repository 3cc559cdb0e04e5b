"""Results of earlier releases are compared by the reference of each run, so machines cancel out."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parents[2] / "bench"


def figure(cpu_us: float) -> dict[str, Any]:
    named = ("core", "per_second", "p50_us", "p99_us")
    delays = ("delay_p50_us", "delay_p99_us", "first_p50_us")
    least = {"runs": 3, "cpu_us": cpu_us, "spread": 1.0} | dict.fromkeys(named, 1.0)
    return least | dict.fromkeys(delays)


def result(path: Path, commit: str, **stacks: dict[str, float]) -> str:
    figures = {
        stack: {load: figure(cpu) for load, cpu in loads.items()} for stack, loads in stacks.items()
    }
    said: dict[str, Any] = {"commit": commit, "at": "2026-11-21", "subject": "", "conditions": {}}
    path.write_text(json.dumps(said | {"figures": figures}))
    return str(path)


def printed(*arguments: str) -> list[list[str]]:
    command = [sys.executable, str(BENCH / "results.py"), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603, ours
    lines = done.stdout.splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_machine_twice_as_slow_changes_no_ratio(tmp_path: Path):
    then = result(
        tmp_path / "then.json", "then", inhouse={"chat c32": 200}, reference={"chat c32": 20}
    )
    now = result(
        tmp_path / "now.json", "now", inhouse={"chat c32": 200}, reference={"chat c32": 40}
    )
    head, _, *rows = printed(then, now)
    assert head == ["CPU against the reference", "then", "now", "now / then"]
    assert rows == [["chat, 32 connections", "10.00", "5.00", "0.50"]]


def test_a_door_of_ours_alone_is_compared_with_what_asks_for_the_same(tmp_path: Path):
    ours = {"GitLab completion c32": 300.0, "chat c1": 100.0}
    then = result(tmp_path / "1", "1", inhouse=ours, reference={"completion c32": 30.0})
    now = result(tmp_path / "2", "2", inhouse=ours, reference={"completion c32": 10.0})
    _, _, *rows = printed(then, now)
    assert rows == [["completion by GitLab, 32 connections", "10.00", "30.00", "3.00"]]


def test_what_is_kept_can_be_read():
    for path in (BENCH / "results").glob("*.json"):
        assert printed(str(path), str(path))[2:], path.name
