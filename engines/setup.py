"""Set up real inference engines for the tests, in a cache outside the repository.

llama.cpp's server is compiled and vLLM for CPUs is installed, each with two tiny models that are
made here: no weights are downloaded. What is complete already is left alone.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cache
import llama
import tiny_models
import vllm_environment
from cache import Artefact
from commands import Journal, StepError

EXAMPLES = f"""examples:
  make engines                            both engines, the first time in 5 to 15 minutes
  python engines/setup.py --only llama    one of them
  python engines/setup.py --check --json  what is there, and how to start it

environment:
  {cache.VARIABLE}   the cache folder (default: inhouse/engines in the user's cache)
"""


@dataclass(frozen=True)
class Plan:
    """Everything that can be in the cache."""

    llama: Artefact
    vllm: Artefact
    folders: dict[str, Artefact]
    files: dict[str, Artefact]

    @classmethod
    def of(cls, root: Path) -> "Plan":
        """Describe what belongs into the cache `root`."""
        vllm = vllm_environment.artefact(root)
        folders = tiny_models.folders(root, vllm)
        return cls(llama.artefact(root), vllm, folders, tiny_models.files(root, folders))


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


def main() -> int:
    """Set up or check what the command line asks for; return the exit status."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    root = cache.root()
    plan = Plan.of(root)
    wanted: list[str] = [arguments.only] if arguments.only else ["llama", "vllm"]
    failures: list[str] = []
    if not arguments.check and not all(_engines(plan)[name].ready for name in wanted):
        try:
            failures = _set_up(plan, wanted, root)
        except (StepError, OSError) as error:
            failures = [str(error)]
        except KeyboardInterrupt:
            failures = ["Stopped. Nothing half done was kept; run this again to go on."]
    engines = {name: engine for name, engine in _engines(plan).items() if name in wanted}
    if arguments.json:
        print(json.dumps({name: vars(engine) for name, engine in engines.items()}, indent=2))
    else:
        print("\n".join(engine.line() for engine in engines.values()))
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 0 if all(engine.ready for engine in engines.values()) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="engines/setup.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=["llama", "vllm"], help="just this engine")
    parser.add_argument("--check", action="store_true", help="only tell what is there")
    parser.add_argument("--json", action="store_true", help="tell it as JSON")
    return parser.parse_args()


def _engines(plan: Plan) -> dict[str, Engine]:
    def engine(title: str, version: str, command: list[str], needed: list[Artefact]) -> Engine:
        program, *models = needed
        ready = all(artefact.ready() for artefact in needed)
        paths = {model.path.name.removesuffix(".gguf"): str(model.path) for model in models}
        return Engine(title, version, command, ready, paths)

    return {
        "llama": engine(
            "llama.cpp",
            f"from {llama.PACKAGE} {llama.version()}",
            llama.command(plan.llama),
            [plan.llama, *plan.files.values()],
        ),
        "vllm": engine(
            "vLLM",
            vllm_environment.version(),
            vllm_environment.command(plan.vllm),
            [plan.vllm, *plan.folders.values()],
        ),
    }


def _set_up(plan: Plan, wanted: list[str], root: Path) -> list[str]:
    """Make what is missing, the two engines side by side; return what went wrong.

    llama.cpp's models are made with vLLM's environment, so this comes with it while they are
    missing.
    """
    os.nice(10)  # compilers take all cores for minutes
    started, stop = time.monotonic(), threading.Event()
    journals = {
        name: Journal(title, root / "logs" / f"{name}.log", started, stop)
        for name, title in (("llama", "llama.cpp"), ("vllm", "vLLM"), ("models", "models"))
    }
    files_missing = "llama" in wanted and _missing(plan.files.values())

    def set_up_llama() -> None:
        if "llama" in wanted and not plan.llama.ready():
            llama.make(plan.llama, sys.executable, journals["llama"])

    def set_up_vllm() -> None:
        if not plan.vllm.ready():
            vllm_environment.make(plan.vllm, sys.executable, journals["vllm"])
        for name, folder in plan.folders.items():
            if not folder.ready():
                tiny_models.make(name, folder, plan.vllm, journals["models"])

    def convert() -> None:
        for name, file in plan.files.items():
            if not file.ready():
                folder = plan.folders[name]
                tiny_models.convert(folder, file, plan.vllm, plan.llama, journals["models"])

    with cache.locked(root):
        steps = [set_up_llama] if "llama" in wanted else []
        if "vllm" in wanted or files_missing:
            steps.append(set_up_vllm)
        failures = _side_by_side(steps, stop)
        if files_missing and not failures:
            failures = _side_by_side([convert], stop)
    return failures


def _missing(artefacts: Iterable[Artefact]) -> bool:
    return not all(artefact.ready() for artefact in artefacts)


def _side_by_side(steps: list[Callable[[], None]], stop: threading.Event) -> list[str]:
    """Run steps in threads; one that fails lets the others finish, an interrupt ends them all."""
    failures: list[str] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [pool.submit(step) for step in steps]
        try:
            for step in running:
                error = step.exception()
                if isinstance(error, (StepError, OSError)):
                    failures.append(str(error))
                elif error is not None:
                    raise error
        except KeyboardInterrupt:
            stop.set()
            raise
    return failures


if __name__ == "__main__":
    sys.exit(main())
