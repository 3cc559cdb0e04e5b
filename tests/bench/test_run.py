"""The bench measures what it says, and the profile names who is called; how fast is not asked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
PATIENCE = 300

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the bench's tools need gcc"),
    pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc"),
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the bench needs two cores"),
    # They share one build folder.
    pytest.mark.xdist_group("bench"),
]


def printed(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCH / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)  # noqa: S603, ours
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_the_gateway_is_measured_beside_the_reference():
    loads = ("chat short c32", "GitLab completion c32", "Tabby completion c32")
    said = printed("run.py", "--quick", "--stacks", "inhouse", "reference", "--loads", *loads)
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| c")]
    measured = {row[0].removeprefix("| ").partition(":")[0] for row in rows}
    assert {
        "chat, one token, 32 connections",
        "completion by GitLab, 32 connections",
        "completion by Tabby, 32 connections",
    } <= measured
    assert "| inhouse | 10/10 in" in said
    assert "and lost 0" in said


def test_the_profile_counts_calls_by_room():
    said = printed("profiling.py", "--loads", "chat short c32", "--functions", "3")
    assert "#### chat, one token, 32 connections: " in said
    rooms = {line.split(" | ")[0] for line in said.splitlines()}
    assert {f"| inhouse: {room}" for room in ("server", "routing", "transport")} <= rooms
