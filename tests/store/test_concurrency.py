"""Several processes on one store."""

import subprocess
import sys
from pathlib import Path

from inhouse.store import Registry

ROUNDS = 20

WRITER = """
import sys
from pathlib import Path
from inhouse.core.catalog import Deployment
from inhouse.core.secret import Secret
from inhouse.store import Registry

url, key_file, who, rounds = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
registry = Registry.open(url, secret=None, key_file=Path(key_file))
for number in range(int(rounds)):
    deployment = Deployment(
        name=f"{who} {number}", family="f", identifier="x/y", api_key=Secret(f"key {number}")
    )
    registry.put_deployment(deployment, author=who)
    registry.change_settings({"trace_days": number + 1}, author=who)
registry.close()
"""


def writers(url: str, key_file: Path, names: list[str], rounds: int) -> None:
    """Let several processes open the store at one time and write."""
    started = [
        subprocess.Popen(  # noqa: S603 - this Python, and the code above
            [sys.executable, "-c", WRITER, url, str(key_file), name, str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")


def test_writers_wait_for_each_other(url: str, key_file: Path) -> None:
    writers(url, key_file, ["ada", "grace"], ROUNDS)

    registry = Registry.open(url, secret=None, key_file=key_file)
    catalog = registry.snapshot()
    revisions = registry.revisions(1000)
    registry.close()
    assert len(catalog.deployments) == 2 * ROUNDS
    assert catalog.deployments["ada 3"].api_key.reveal() == "key 3"
    numbers = [revision.number for revision in revisions]
    assert numbers == list(range(len(numbers), 0, -1))
    for who in ("ada", "grace"):
        summaries = [each.summary for each in revisions if each.author == who]
        assert sum("deployment" in each for each in summaries) == ROUNDS


def test_new_store_may_be_opened_by_several_at_once(url: str, key_file: Path) -> None:
    writers(url, key_file, ["a", "b", "c", "d"], 1)

    registry = Registry.open(url, secret=None, key_file=key_file)
    assert set(registry.snapshot().deployments) == {"a 0", "b 0", "c 0", "d 0"}
    registry.close()
