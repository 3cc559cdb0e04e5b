"""Install other gateways, each into an environment of its own in the user's cache.

`peers.toml` says which versions. What is there already is left alone; another version gets a folder
of its own, and nothing of this repository's environment is touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

PINS = Path(__file__).with_name("peers.toml")
PATIENCE = 900.0
DONE = "installed"
"""A file that says so, written last."""


class MissingError(Exception):
    """A peer could not be installed; says why."""


class Environment(Struct, frozen=True):
    """An environment that holds one peer; `version` as it is pinned."""

    folder: Path
    version: str

    def program(self, name: str) -> Path:
        """Return the path of a program of a Python environment."""
        return self.folder / "bin" / name

    @property
    def megabytes(self) -> float:
        """The disk that it takes, an empty environment's 26 MB of Python among it."""
        files = (each for each in self.folder.rglob("*") if each.is_file())
        return sum(each.lstat().st_size for each in files) / 1e6


def installed(name: str) -> Environment:
    """Return a peer's environment, installed now if it is not there; raises `MissingError`."""
    pin: dict[str, Any] = tomllib.loads(PINS.read_text())[name]
    packages: list[str] = pin.get("python", [])
    packages += [f"{package}=={version}" for package, version in pin.get("node", {}).items()]
    digest = hashlib.sha256(json.dumps(pin, sort_keys=True).encode()).hexdigest()[:12]
    folder = _cache() / f"{name.lower()}-{digest}"
    environment = Environment(folder, packages[0].rpartition("==")[2])
    if not (folder / DONE).exists():
        print(f"installing {', '.join(packages)}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if "node" in pin:
            _install_node(folder, pin)
        else:
            _run([sys.executable, "-m", "venv", folder], folder)
            _run([environment.program("python"), "-m", "pip", "install", "-q", *packages], folder)
        (folder / DONE).touch()
    return environment


def _install_node(folder: Path, pin: dict[str, Any]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not there: install Node.js")
    package = {"private": True, "dependencies": pin["node"], "overrides": pin.get("overrides", {})}
    (folder / "package.json").write_text(json.dumps(package))
    _run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder)


def _run(command: Sequence[str | Path], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"it could not be installed: {error}") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise MissingError(f"it could not be installed: {''.join(last)[:200]}")


def _cache() -> Path:
    """Return the folder of all peers."""
    home = os.environ.get("XDG_CACHE_HOME")  # noqa: TID251 - no part of the package
    return Path(home or Path.home() / ".cache") / "inhouse" / "peers"
