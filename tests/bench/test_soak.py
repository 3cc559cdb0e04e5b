"""A short soak: the chaos that `make soak` lets reign for minutes, for a few seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the soak reads /proc")


def test_nothing_is_lost_in_a_few_seconds_of_chaos() -> None:
    done = subprocess.run(
        [sys.executable, "bench/soak.py", "--seconds", "8", "--tolerance", "20"],
        cwd=ROOT,
        env={"PYTHONPATH": ".", "PATH": os.defpath, "HOME": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "| illnesses |" in done.stdout
    assert "| of them at GitLab's doors | {" in done.stdout
