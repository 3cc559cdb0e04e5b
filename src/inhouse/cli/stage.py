"""What the demo sets up: a folder with a configuration of its own, beside nobody's real one."""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from inhouse import config
from inhouse.config.environment import environment, state_folder
from inhouse.core.secret import KEY_PREFIX, Secret
from inhouse.errors import ConfigError
from inhouse.providers.repository.indexing import Folder

DEPLOYMENT = "this repository"
PORTS_TRIED = 100
GIT_SECONDS = 10

_CONFIGURATION = """\
# Written by 'inhouse demo', anew each time. To start it again: inhouse --config THIS-FILE serve
[server]
host = "127.0.0.1"
port = {port}
[metrics]
enabled = false
[store]
url = "sqlite:///demo.db"
[log]
level = "warning"
[[deployments]]
name = "{deployment}"
family = "repository-index"
identifier = "repository/index"
endpoint = {root}
options = {{ exclude = {exclude} }}
[[routes]]
feature = "completion"
deployments = ["{deployment}"]
[[keys]]
name = "demo"
role = "developer"
key = "file:demo.key"
"""


def top_level(folder: Path) -> Path:
    """Return the top of the git repository that a folder is in, else the folder itself."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"],  # noqa: S607 -- whichever git people use
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_SECONDS,
        )
    except (OSError, UnicodeDecodeError, subprocess.SubprocessError):
        return folder.resolve()
    return Path(answer.stdout.removesuffix("\n"))


def free_port(wanted: int) -> int:
    """Return the first free port from `wanted` on; raises `ConfigError` where there is none."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ConfigError(f"No port from {wanted} on is free; choose another with --port.")


def configured(root: Path, exclude: Sequence[str], port: int) -> tuple[config.Config, Secret]:
    """Write the demo's configuration and return it, with the key that it declares.

    Raises:
        ConfigError: the user's state folder cannot be written.

    """
    # The demo is the same whatever is configured for the real gateway.
    environ = {
        name: value for name, value in environment().items() if not name.startswith("INHOUSE_")
    }
    base = state_folder(environ) / "demo"
    digest = hashlib.sha256(str(root).encode(errors="surrogateescape")).hexdigest()[:8]
    folder = base / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', root.name)}-{digest}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key = _key(folder / "demo.key")
        file = folder / "inhouse.toml"
        text = _CONFIGURATION.format(
            port=port,
            deployment=DEPLOYMENT,
            root=_toml(str(root)),
            exclude=_toml(list(exclude)),
        )
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}.") from None
    except UnicodeEncodeError:
        raise ConfigError("The path of the folder to index is not UTF-8.") from None
    loaded = config.load(file, environ)
    cache = loaded.cache_folder / "demo" / folder.name
    _forget_others(cache, Folder(root, tuple(exclude)).file)
    return msgspec.structs.replace(loaded, cache_folder=cache), key


def _key(file: Path) -> Secret:
    """Return the demo's key; it stays the same, so that an editor once connected works again."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(KEY_PREFIX + secrets.token_urlsafe(32) + "\n")
    return Secret(file.read_text().strip())


def _forget_others(cache: Path, name: str) -> None:
    """Remove the indexes of earlier demos: each change of the repository makes a new one."""
    for file in (cache / "repository").glob("*.index"):
        if file.name != name:
            file.unlink(missing_ok=True)


def _toml(value: str | list[str]) -> str:
    """Write a string or a list of them; JSON's escapes are TOML's, but for one."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
