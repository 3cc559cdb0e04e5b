"""Set up the project's own environment from its lock files; standard library only.

    python3 tools/setup.py serve     what the gateway needs        -> .venv
    python3 tools/setup.py dev       and what tests, checks and docs need

Does nothing when the lock has not changed since. Packages come from whatever index pip is
configured for, and each must have the hash in the lock.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MINIMUM = (3, 11)
WIDTH = 30
LIMIT = 1800
"""Seconds that pip may take in all."""


def main() -> int:
    """Run; return the exit status."""
    if len(sys.argv) != 2 or sys.argv[1] not in ("serve", "dev"):
        print(__doc__, file=sys.stderr)
        return 2
    if sys.version_info < MINIMUM:
        return fail(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    profile = sys.argv[1]
    lock = ROOT / "locks" / f"{profile}.txt"
    wanted = hashlib.sha256(lock.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    # The development environment holds all that serving needs.
    for stamp in {VENV / f"{profile}.stamp", VENV / "dev.stamp"}:
        if PYTHON.exists() and stamp.exists() and stamp.read_text() in (wanted, dev_wanted()):
            return 0
    began = time.monotonic()
    status = create() or install(lock)
    if status == 0:
        (VENV / f"{profile}.stamp").write_text(wanted)
        print(f"Environment ready in {time.monotonic() - began:.0f} s.", file=sys.stderr)
    return status


def dev_wanted() -> str:
    """Return the stamp of an up-to-date development environment."""
    parts = (ROOT / "locks" / "dev.txt", ROOT / "pyproject.toml")
    return hashlib.sha256(b"".join(each.read_bytes() for each in parts)).hexdigest()


def create() -> int:
    """Create the virtual environment."""
    if PYTHON.exists():
        return 0
    print(f"Creating {VENV.relative_to(ROOT)} …", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return fail(
            "Python could not create a virtual environment. On Debian and Ubuntu its module is a"
            f" package of its own:\n\n    apt-get install python3-venv\n\n{done.stdout[-500:]}"
        )
    return 0


def install(lock: Path) -> int:
    """Install the locked packages and the project itself, with a bar at a terminal."""
    total = len(re.findall(r"^[a-z0-9][^ =]*==", lock.read_text(), re.MULTILINE | re.IGNORECASE))
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install"]
    locked = [*pip, "--require-hashes", "--progress-bar", "off", "-r", str(lock)]
    if status := follow(locked, total):
        return status
    return follow([*pip, "--no-deps", "--editable", str(ROOT)], 1)


def follow(command: list[str], total: int) -> int:
    """Run pip and show how many packages it has seen; on failure print what it said."""
    said: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        deadline = time.monotonic() + LIMIT
        for line in pip.stdout or ():
            said.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied", "Obtaining ")):
                seen += 1
                bar(seen, total, line.split()[1].split("==")[0])
            elif line.startswith("Installing collected"):
                bar(total, total, "installing …")
            if time.monotonic() > deadline:
                pip.kill()
                return fail(f"pip took more than {LIMIT} s.")
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if pip.returncode:
        return fail("pip failed:\n" + "".join(said[-25:]))
    return 0


def bar(seen: int, total: int, name: str) -> None:
    """Draw progress at a terminal; elsewhere say nothing."""
    if not sys.stderr.isatty():
        return
    done = min(WIDTH, WIDTH * seen // max(total, 1))
    line = f"\r\033[KPackages {'█' * done}{'░' * (WIDTH - done)} {min(seen, total)}/{total} {name}"
    print(line, end="", file=sys.stderr, flush=True)


def fail(message: str) -> int:
    """Say what is wrong; return the exit status."""
    print(f"\nerror: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
