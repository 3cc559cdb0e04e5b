"""What a prefix cache spares while somebody types: our prompts beside naive ones, by vLLM's count.

    python bench/prefixes.py URL [--model NAME] [--session FILE]

URL is a vLLM with --enable-prefix-caching whose window is at least 2,048 tokens. Every state of a
session that an editor without a debounce would ask in is asked for one token, in order; each way
with a cache of its own. Three files stand beside the code, and their order changes with every
fourth request, as a search by likeness would change it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from inhouse.core.prompt import Text
from inhouse.core.requests import CompletionRequest, Params, Snippet
from inhouse.families import Family, load
from inhouse.prompts import Budget, raw, render_completion, snippets
from inhouse.replay import read
from inhouse.replay.session import EDITS

FAMILIES = ("starcoder2", "codestral")
"""Suffix behind the prefix, and in front of it."""
BUDGET = Budget(
    window=2048, prefix_tokens=640, suffix_tokens=192, output_tokens=8, context_tokens=480
)
BESIDE = (
    "src/inhouse/core/deadlines.py",
    "src/inhouse/core/prompt.py",
    "src/inhouse/core/stops.py",
)
RESHUFFLED = 4
PATIENCE = 60.0
ROOT = Path(__file__).resolve().parent.parent


class Spared(NamedTuple):
    """What a way of rendering came to; tokens as vLLM counts them."""

    family: str
    way: str
    requests: int
    tokens: int
    hits: int

    @property
    def share(self) -> float:
        """How much of the prompts was read from the cache."""
        return self.hits / max(1, self.tokens)


class Vllm:
    """A vLLM, over plain HTTP."""

    def __init__(self, url: str, model: str = "") -> None:
        """Ask for `model`; else for the one that it serves."""
        self._address = urlsplit(url).netloc
        self._model = model or self._sent("GET", "/v1/models")["data"][0]["id"]

    def read(self, prompt: str, cache: str) -> None:
        """Have a prompt read, with what `cache` holds of it."""
        body = {"model": self._model, "prompt": prompt, "max_tokens": 1, "cache_salt": cache}
        self._sent("POST", "/v1/completions", body)

    def counted(self) -> tuple[int, int]:
        """Return the tokens of all prompts so far, and how many of them a cache knew."""
        lines = self._text("GET", "/metrics").splitlines()
        return (
            _sum(lines, "vllm:prefix_cache_queries_total"),
            _sum(lines, "vllm:prefix_cache_hits_total"),
        )

    def _sent(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return json.loads(self._text(method, path, body))

    def _text(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        connection = HTTPConnection(self._address, timeout=PATIENCE)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"content-type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: status {response.status}: {text[:200]}")
        return text


def measured(vllm: Vllm, session: Path, family: Family, *, every: int = 1) -> Iterator[Spared]:
    """Play a session in each way; `every` takes only each so many-th request."""
    requests = list(_requests(session))[::every]
    for way, render in WAYS.items():
        cache = uuid4().hex
        before = vllm.counted()
        for request in requests:
            vllm.read(render(request, family), cache)
        after = vllm.counted()
        yield Spared(family.name, way, len(requests), after[0] - before[0], after[1] - before[1])


def _requests(session: Path) -> Iterator[CompletionRequest]:
    """Yield what an editor would ask."""
    typed, choose = read(session), random.Random(1)  # noqa: S311 -- the same order each time
    files = [Snippet(name=name, content=(ROOT / name).read_text()[:400]) for name in BESIDE]
    for number, event in enumerate(typed.events):
        if number % RESHUFFLED == 0:
            choose.shuffle(files)
        if isinstance(event, EDITS):
            state = typed.states[number + 1]
            yield CompletionRequest(
                prefix=state.prefix,
                suffix=state.suffix,
                path=typed.head.file,
                context=tuple(files),
                params=Params(max_tokens=8),
            )


def _ours(request: CompletionRequest, family: Family) -> str:
    prompt = render_completion(request, family, BUDGET).prompt
    if not isinstance(prompt, Text):
        raise TypeError(f"The family '{family.name}' is not asked in text.")
    return prompt.text


def _naive(request: CompletionRequest, family: Family) -> str:
    """The last bytes before the cursor, and other files in the caller's order."""
    form = snippets.in_text(family, request.path, request.language)
    files = form.opening + "".join(map(form.shown, request.context)) + form.closing
    prefix = request.prefix[-BUDGET.bytes(BUDGET.prefix_tokens) :]
    suffix = request.suffix[: BUDGET.bytes(BUDGET.suffix_tokens)]
    return raw.with_header(family, files, prefix, suffix)


WAYS = {"naive": _naive, "inhouse": _ours}


def _sum(lines: list[str], name: str) -> int:
    samples = (line.rpartition(" ") for line in lines)
    return sum(int(float(value)) for key, _, value in samples if key.partition("{")[0] == name)


def main() -> int:
    """Print a table; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="where a vLLM listens, http://127.0.0.1:8000 say")
    parser.add_argument("--model", default="", help="the model to ask (the one that it serves)")
    parser.add_argument(
        "--session", type=Path, default=ROOT / "bench" / "typing" / "pool.jsonl", help="pool.jsonl"
    )
    given = parser.parse_args()
    vllm, families = Vllm(given.url, given.model), load()
    print(
        "| family | prompts | requests | tokens a request | of these from the cache | read anew |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name in FAMILIES:
        for each in measured(vllm, given.session, families.get(name)):
            tokens, anew = each.tokens / each.requests, (each.tokens - each.hits) / each.requests
            print(
                f"| {each.family} | {each.way} | {each.requests} | {tokens:.0f} |"
                f" {each.share:.1%} | {anew:.0f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
