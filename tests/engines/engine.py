"""Real inference engines for tests: what `make engines` set up, started on a loopback port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import msgspec

SETUP = Path(__file__).parents[2] / "engines" / "setup.py"
MODEL = "tiny-coder"
CONTEXT_TOKENS = 2048  # of one request, prompt and answer together
SMALL = "tiny"  # 1.4 million parameters: answers at once
SLOW = "tiny-86m"  # slow enough that a test can stop it half way

START_SECONDS = 180
STOP_SECONDS = 20
ANSWER_SECONDS = 30
SETTLE_SECONDS = 10
POLL_SECONDS = 0.1
LOG_TAIL_CHARACTERS = 2000


class Installed(msgspec.Struct, frozen=True):
    """What `engines/setup.py --check --json` tells of one engine."""

    title: str
    command: tuple[str, ...]
    ready: bool
    models: dict[str, str]


class Dialect(NamedTuple):
    """Where the engines differ, as far as tests look into them."""

    options: Callable[[str], list[str]]
    environment: Mapping[str, str]
    generated: str
    running: str
    tokenize: Callable[[str], dict[str, Any]]


def _llama_options(model: str) -> list[str]:
    # The context is shared by the two slots.
    sizes = ["-c", str(2 * CONTEXT_TOKENS), "-np", "2"]
    # One thread: several wait for each other in busy loops, which on a busy machine takes ten times
    # as long.
    one = ["--threads", "1"]
    return ["-m", model, "--alias", MODEL, *sizes, *one, "--metrics", "--slots", "--jinja"]


def _vllm_options(model: str) -> list[str]:
    sizes = ["--max-model-len", str(CONTEXT_TOKENS), "--max-num-seqs", "16"]
    tools = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    quick = ["--dtype", "bfloat16", "--enforce-eager", "--enable-prefix-caching"]
    return [model, "--served-model-name", MODEL, *sizes, *tools, *quick]


def _llama_tokenize(text: str) -> dict[str, Any]:
    return {"content": text, "add_special": False, "parse_special": True}


def _vllm_tokenize(text: str) -> dict[str, Any]:
    return {"model": MODEL, "prompt": text, "add_special_tokens": False}


DIALECTS: Mapping[str, Dialect] = {
    "llama": Dialect(
        options=_llama_options,
        environment={},
        # `tokens_predicted_total` moves only when a request ends. This counts decoding steps: one a
        # token while a single request runs, fewer while several share a step.
        generated="llamacpp:n_decode_total",
        running="llamacpp:requests_processing",
        tokenize=_llama_tokenize,
    ),
    "vllm": Dialect(
        options=_vllm_options,
        environment={
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
        },
        generated="vllm:generation_tokens_total",
        running="vllm:num_requests_running",
        tokenize=_vllm_tokenize,
    ),
}


class Engine:
    """A running engine. `base_url` has no path: the API is at `{base_url}/v1`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.name = name
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"
        self.model = MODEL
        self.log = log
        self._process = process
        self._dialect = DIALECTS[name]

    async def tokens_generated(self) -> int:
        """Count the tokens generated since the start, also those of answers not yet complete."""
        return await self._metric(self._dialect.generated)

    async def busy(self) -> int:
        """Count the requests that the engine works on now."""
        return await self._metric(self._dialect.running)

    async def settled(self) -> int:
        """Wait until no request runs; return the tokens generated until then.

        Raises:
            TimeoutError: a request still runs after `SETTLE_SECONDS`.
        """
        with anyio.fail_after(SETTLE_SECONDS):
            while await self.busy():  # noqa: ASYNC110 - the engine is another process
                await anyio.sleep(POLL_SECONDS)
        return await self.tokens_generated()

    async def count_tokens(self, text: str) -> int:
        """Count the tokens of a prompt, where `<fim_prefix>` and its like are one each."""
        return len(await self.token_ids(text))

    async def token_ids(self, text: str) -> list[int]:
        """Return the tokens of a prompt."""
        answer = await self.post("/tokenize", self._dialect.tokenize(text))
        return answer["tokens"]

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON and return the JSON that comes back.

        Raises:
            OSError: no connection, or a status that is not 200.
        """
        answer = await anyio.to_thread.run_sync(self._ask, "POST", path, json.dumps(body).encode())
        return json.loads(answer)

    def alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it the hard way, as a crash would."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """End it with all its children."""
        if self.alive():
            os.killpg(self._process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def wait_until_healthy(self) -> None:
        """Wait for the first 200 from `/health`, at most `START_SECONDS`.

        Raises:
            RuntimeError: it ended or took too long; the message has the end of its log.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.alive() and time.monotonic() < deadline:
            with suppress(OSError):
                self._ask("GET", "/health")
                return
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(POLL_SECONDS)
        state = "did not answer in time" if self.alive() else "ended"
        tail = self.log.read_text("utf-8", "replace")[-LOG_TAIL_CHARACTERS:]
        raise RuntimeError(f"{self.name} {state} while it started. {self.log} ends:\n{tail}")

    async def _metric(self, name: str) -> int:
        text = (await anyio.to_thread.run_sync(self._ask, "GET", "/metrics")).decode()
        samples = (line.rpartition(" ") for line in text.splitlines())
        return sum(int(float(value)) for key, _, value in samples if key.partition("{")[0] == name)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request(method, path, body, {"content-type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        if response.status != HTTPStatus.OK:
            raise OSError(f"{method} {path}: status {response.status}: {answer[:500]!r}")
        return answer


def installed() -> dict[str, Installed]:
    """Ask which engines there are, by name: `llama`, `vllm`."""
    asked = [sys.executable, str(SETUP), "--check", "--json"]
    answer = subprocess.run(  # noqa: S603 - our own script
        asked, stdout=subprocess.PIPE, check=False, timeout=60
    ).stdout
    return msgspec.json.decode(answer, type=dict[str, Installed])


@contextmanager
def serving(name: str, engine: Installed, size: str, folder: Path) -> Generator[Engine]:
    """Run an engine with one of its models, in its own process group; its log is in `folder`.

    Raises:
        RuntimeError: it did not start.
    """
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    log = folder / f"{name}-{size}.log"
    dialect = DIALECTS[name]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - a program that `make engines` made
            [*engine.command, *dialect.options(engine.models[size]), *address],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(Path.home()), **dialect.environment},
            start_new_session=True,
        )
    running = Engine(name, process, port, log)
    try:
        running.wait_until_healthy()
        yield running
    finally:
        running.stop()
