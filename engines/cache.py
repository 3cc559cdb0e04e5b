"""The folder outside the repository where engines are kept, and how things get into it.

Everything in it is an `Artefact`: a file or folder, beside it a stamp `NAME.made-from` that says
what it was made from. It is made as `NAME.part` and renamed when complete; the stamp comes last.
A run that is killed leaves no stamp, so nothing half done counts as done.
"""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import StepError

VARIABLE = "INHOUSE_ENGINES"


def root() -> Path:
    """Return the cache folder: `$INHOUSE_ENGINES`, or a folder in the user's cache."""
    environment = os.environ  # noqa: TID251 - a script beside the package, not a part of it
    if chosen := environment.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    caches = environment.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "inhouse" / "engines"


@dataclass(frozen=True)
class Artefact:
    """A file or folder in the cache that was, or is to be, made from `recipe`.

    `holds` is a file in the folder that the artefact is useless without.
    """

    path: Path
    recipe: str
    holds: str = ""

    @property
    def stamp(self) -> Path:
        """The file that holds the recipe of what is there."""
        return self.path.with_name(self.path.name + ".made-from")

    def ready(self) -> bool:
        """Say whether it is there, complete, and made from this recipe."""
        try:
            made_from = self.stamp.read_text("utf-8")
        except FileNotFoundError:
            return False
        return made_from == self.recipe and (self.path / self.holds).exists()

    @contextmanager
    def making(self) -> Generator[Path]:
        """Give a path to make it at; put it in its place if the block ends without an error."""
        part = self.path.with_name(self.path.name + ".part")
        _remove(part)
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            self.stamp.unlink(missing_ok=True)
            _remove(self.path)
            part.rename(self.path)
        finally:
            _remove(part)
        written = self.stamp.with_name(self.stamp.name + ".part")
        written.write_text(self.recipe, "utf-8")
        written.rename(self.stamp)


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Keep a second run out of the cache.

    Raises:
        StepError: another run is at work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepError(
                f"Another run is setting up engines in {folder}. Wait for it, then run this again."
            ) from None
        yield


def pinned(lock: Path, package: str) -> str:
    """Return the version that a requirements file pins.

    Raises:
        StepError: the file does not pin it.
    """
    for line in lock.read_text("utf-8").splitlines():
        name, _, version = line.removesuffix("\\").strip().partition("==")
        if name == package and version:
            return version
    raise StepError(f"{lock.name} pins no {package}.")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
