"""What can be in the cache, and the order in which it is made."""

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import cache
import llama
import tiny_models
import vllm_environment
from cache import Artefact
from commands import Journal, StepError

NAMES = ("llama", "vllm")


@dataclass(frozen=True)
class Engine:
    """One engine as the tests and `--json` see it; `command` still lacks the model and options."""

    title: str
    version: str
    command: list[str]
    ready: bool
    models: dict[str, str]

    def line(self) -> str:
        """Say in one line how it stands."""
        if not self.ready:
            return f"{self.title} {self.version}: not set up (run `make engines`)"
        return f"{self.title} {self.version}: ready, with {' and '.join(self.models)}"


@dataclass(frozen=True)
class Plan:
    """Everything that can be in the cache `root`."""

    root: Path
    llama: Artefact
    vllm: Artefact
    folders: dict[str, Artefact]
    files: dict[str, Artefact]

    @classmethod
    def of(cls, root: Path) -> "Plan":
        """Describe what belongs into the cache `root`."""
        vllm = vllm_environment.artefact(root)
        folders = tiny_models.folders(root, vllm)
        files = tiny_models.files(root, folders)
        return cls(root, llama.artefact(root), vllm, folders, files)

    def engines(self) -> dict[str, Engine]:
        """Tell which engines are ready, under the names in `NAMES`."""
        return {
            "llama": Engine(
                title="llama.cpp",
                version=f"(from {llama.PACKAGE} {llama.version()})",
                command=llama.command(self.llama),
                ready=self.llama.ready() and _ready(self.files),
                models={name: str(file.path) for name, file in self.files.items()},
            ),
            "vllm": Engine(
                title="vLLM",
                version=vllm_environment.version(),
                command=vllm_environment.command(self.vllm),
                ready=self.vllm.ready() and _ready(self.folders),
                models={name: str(folder.path) for name, folder in self.folders.items()},
            ),
        }


def set_up(plan: Plan, wanted: list[str]) -> None:
    """Make what is missing for the wanted engines, side by side; tell errors as they happen.

    llama.cpp's models are made with vLLM's environment, so this comes with it while they are
    missing.

    Raises:
        StepError: another run is at work.
    """
    os.nice(10)  # compilers take all cores for minutes
    started, stop = time.monotonic(), threading.Event()

    def journal(title: str, log: str) -> Journal:
        return Journal(title, plan.root / "logs" / log, started, stop)

    def set_up_llama() -> None:
        llama.make(plan.llama, sys.executable, journal("llama.cpp", "llama.log"))

    def set_up_vllm() -> None:
        vllm_environment.make(plan.vllm, sys.executable, journal("vLLM", "vllm.log"))
        for name, folder in plan.folders.items():
            tiny_models.make(name, folder, plan.vllm, journal(name, f"{name}.log"))

    def convert() -> None:
        for name, file in plan.files.items():
            log = journal(f"{name}.gguf", f"{name}.gguf.log")
            tiny_models.convert(plan.folders[name], file, plan.vllm, plan.llama, log)

    files_missing = "llama" in wanted and not _ready(plan.files)
    steps = [set_up_llama] if "llama" in wanted else []
    if "vllm" in wanted or files_missing:
        steps.append(set_up_vllm)
    with cache.locked(plan.root):
        done = _side_by_side(steps, stop)
        if done and files_missing:
            _side_by_side([convert], stop)


def _ready(artefacts: dict[str, Artefact]) -> bool:
    return all(artefact.ready() for artefact in artefacts.values())


def _side_by_side(steps: list[Callable[[], None]], stop: threading.Event) -> bool:
    """Run steps in threads and say whether all went well.

    One that fails lets the others finish; an interrupt ends them all.
    """
    failures = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            for step in as_completed([pool.submit(step) for step in steps]):
                try:
                    step.result()
                except (StepError, OSError) as error:
                    failures += 1
                    print(f"error: {error}", file=sys.stderr, flush=True)
        except BaseException:
            stop.set()
            raise
    return not failures
