"""llama.cpp's server, compiled from the source that `llama-cpp-python` carries.

That Python package is the one place where a package index has llama.cpp's complete tree: the
server in C++, and the converter to GGUF. Only these are used, nothing of the Python binding.
The compiler is let loose on this machine's CPU (`GGML_NATIVE`), so the recipe names what it sees.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from cache import Artefact, pinned
from commands import Journal, StepError

HERE = Path(__file__).parent
LOCK = HERE / "requirements-llama.lock"
TOOLS_LOCK = HERE / "requirements-build.lock"
PACKAGE = "llama-cpp-python"
SOURCE = "vendor/llama.cpp/"
SERVER = "bin/llama-server"
CONVERTER = ("convert_hf_to_gguf.py", "conversion", "gguf-py")
OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_CXX_FLAGS_RELEASE=-O1",  # two thirds of the time of -O2; the models are tiny
    "-DBUILD_SHARED_LIBS=OFF",  # one file, which can be moved
    "-DGGML_NATIVE=ON",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
)
DOWNLOAD_SECONDS = 600
COMPILE_SECONDS = 3600


def version() -> str:
    """Return the version of the package whose source is compiled."""
    return pinned(LOCK, PACKAGE)


def artefact(root: Path) -> Artefact:
    """Describe the folder that holds `bin/llama-server` and `convert/`."""
    options = " ".join(OPTIONS)
    recipe = f"{PACKAGE} {version()}\ncompiler {_compiler()}\noptions {options}\n"
    return Artefact(root / "llama", recipe, holds=SERVER)


def command(llama: Artefact) -> list[str]:
    """Return the beginning of the command line that serves a model."""
    return [str(llama.path / SERVER)]


def converter(llama: Artefact) -> Path:
    """Return the folder with the converter to GGUF."""
    return llama.path / "convert"


def make(llama: Artefact, python: str, journal: Journal) -> None:
    """Download, compile and put the server in its place, unless it is there.

    Raises:
        StepError: no compiler, or a step failed.
    """
    if llama.ready():
        return
    if shutil.which("g++") is None:
        raise StepError(
            "llama.cpp: no C++ compiler. On Debian or Ubuntu: apt-get install g++, "
            "elsewhere the package that has `g++`; then run this again."
        )
    with llama.making() as part:
        work = part / "work"
        tools = work / "tools"
        journal.say("fetching the source")
        journal.run([python, "-m", "venv", tools], seconds=120)
        source = _source(work, tools / "bin" / "python", journal)
        _tools(tools / "bin" / "python", journal)
        _compile(source, work / "build", tools / "bin", journal)
        (part / "bin").mkdir()
        shutil.move(work / "build" / SERVER, part / SERVER)
        (part / "convert").mkdir()
        for name in CONVERTER:
            shutil.move(source / name, part / "convert")
        shutil.move(source / "LICENSE", part)
        shutil.rmtree(work)


def _compiler() -> str:
    """Name the compiler and, as a hash, what it may use of this machine's CPU."""
    try:
        version, target = (
            subprocess.run(["g++", *asked], capture_output=True, check=True, timeout=20).stdout
            for asked in (["-dumpfullversion"], ["-march=native", "-Q", "--help=target"])
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"g++ {version.decode().strip()} {hashlib.sha256(target).hexdigest()[:16]}"


def _source(work: Path, python: Path, journal: Journal) -> Path:
    """Download the pinned package and unpack llama.cpp's tree from it."""
    fetch = ["download", "--no-deps", "--no-binary", PACKAGE, "--require-hashes"]
    arguments = [*fetch, "-r", LOCK, "-d", work / "sdist"]
    journal.run([python, "-m", "pip", *arguments], seconds=DOWNLOAD_SECONDS)
    (archive,) = (work / "sdist").glob("*.tar.gz")
    out = work / "llama.cpp"
    with tarfile.open(archive) as package:
        for member in package:
            _, marker, name = member.name.partition(SOURCE)
            if marker and name:
                member.name = name
                package.extract(member, out, filter="data")
    return out


def _tools(python: Path, journal: Journal) -> None:
    """Install cmake and ninja beside `python` unless the machine has them."""
    if shutil.which("cmake") and shutil.which("ninja"):
        return
    journal.say("installing cmake and ninja")
    arguments = ["install", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    journal.run([python, "-m", "pip", *arguments, "-r", TOOLS_LOCK], seconds=DOWNLOAD_SECONDS)


def _compile(source: Path, build: Path, tools: Path, journal: Journal) -> None:
    jobs = len(os.sched_getaffinity(0))
    journal.say(f"compiling with {jobs} jobs, about 8 CPU-minutes; log: {journal.log}")
    configure = ["cmake", "-S", source, "-B", build, "-G", "Ninja", *OPTIONS]
    journal.run(configure, seconds=300, add_path=[tools])
    compile_server = ["cmake", "--build", build, "--target", "llama-server", f"-j{jobs}"]
    journal.run(compile_server, seconds=COMPILE_SECONDS, add_path=[tools])
