"""The two tiny models, for vLLM as a folder and for llama.cpp as one file."""

import hashlib
from pathlib import Path

import llama
import vllm_environment
from cache import Artefact
from commands import Journal

HERE = Path(__file__).parent
MAKE = HERE / "make_tiny_model.py"
CHAT_TEMPLATE = HERE / "chat_template.jinja"
CONVERT = HERE / "convert_gguf.py"
SIZES = {
    "tiny": ("--hidden", "128", "--layers", "2"),  # 1.4 million parameters: fast, for protocols
    "tiny-86m": ("--hidden", "768", "--layers", "12"),  # slow enough to be stopped half way
}
MAKE_SECONDS = 300


def folders(root: Path, vllm: Artefact) -> dict[str, Artefact]:
    """Describe the models as vLLM reads them."""
    made_by = f"{vllm.recipe}script {_digest(MAKE, CHAT_TEMPLATE)}\n"
    return {
        name: Artefact(
            root / "models" / name, f"{made_by}{' '.join(size)}\n", holds="model.safetensors"
        )
        for name, size in SIZES.items()
    }


def files(root: Path, models: dict[str, Artefact]) -> dict[str, Artefact]:
    """Describe the models as llama.cpp reads them."""
    made_by = f"llama.cpp {llama.version()}\nconverter {_digest(CONVERT)}\n"
    return {
        name: Artefact(root / "models" / f"{name}.gguf", model.recipe + made_by)
        for name, model in models.items()
    }


def make(name: str, model: Artefact, vllm: Artefact, journal: Journal) -> None:
    """Make a model with vLLM's Python, unless it is there.

    Raises:
        StepError: the script failed.
    """
    if model.ready():
        return
    journal.say("making the model")
    python = vllm_environment.python(vllm)
    with model.making() as part:
        # -P: modules beside the script are ours, and must not shadow what is installed.
        journal.run([python, "-P", MAKE, part, *SIZES[name]], seconds=MAKE_SECONDS)


def convert(
    model: Artefact, file: Artefact, vllm: Artefact, built: Artefact, journal: Journal
) -> None:
    """Convert a model to GGUF with llama.cpp's converter and vLLM's Python, unless it is there.

    Raises:
        StepError: the script failed.
    """
    if file.ready():
        return
    journal.say("converting the model")
    python, converter = vllm_environment.python(vllm), llama.converter(built)
    with file.making() as part:
        journal.run([python, "-P", CONVERT, converter, model.path, part], seconds=MAKE_SECONDS)


def _digest(*scripts: Path) -> str:
    return hashlib.sha256(b"".join(script.read_bytes() for script in scripts)).hexdigest()[:16]
