"""A gateway connects to what is registered, whatever names and upstreams try to make it do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.isolated import CANNOT, ENDPOINTS, GATEWAY, NAMES, REQUESTS

ROOT = Path(__file__).parents[2]


def test_nothing_but_what_is_registered_is_attempted_under_load(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-m", "tests.gateway.isolated", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    tcp = {(host, port) for protocol, host, port in found["attempts"] if protocol == "tcp"}
    others = {(protocol, port) for protocol, _, port in found["attempts"] if protocol != "tcp"}
    assert found["missed"] == 0
    assert tcp == {
        ("127.0.0.1", GATEWAY),  # the load itself
        ("10.7.0.1", 8000),
        ("10.7.0.2", 8000),
        ("10.7.0.3", 8000),
        ("10.7.0.4", 8000),
    }
    assert others == {("udp", 53)}
    assert set(found["asked"]) == {*NAMES, "unknown.test"}
    answers = found["answers"]
    assert sum(answers.values()) == REQUESTS + len(ENDPOINTS)
    for name in ("address", "name", "completion", "generation", "chat"):
        assert answers.pop(f"{name}: 200") > 0
