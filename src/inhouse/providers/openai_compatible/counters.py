"""What model servers count of themselves, in the metrics that they publish for Prometheus.

The names are those of vLLM and llama.cpp (``--metrics``), read from running servers. SGLang and TGI
count a request's tokens only when it has ended, so they cannot tell what an abandoned one costs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from inhouse.core.delta import Generated
from inhouse.core.requests import Params
from inhouse.providers.openai_compatible.address import root
from inhouse.providers.openai_compatible.upstream import Upstream
from inhouse.transport import Transport

ROUTE = "/metrics"
LARGEST_METRICS = 8 * 1024 * 1024
_NAMES = (
    ("vllm:generation_tokens_total", "vllm:num_requests_running"),
    # `tokens_predicted_total` moves only when a request ends; steps move with each token.
    ("llamacpp:n_decode_total", "llamacpp:requests_processing"),
)
_SAMPLE = re.compile(
    r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>[^\n]*)\})?[ \t]+(?P<value>[^\s]+)", re.MULTILINE
)
_MODEL = re.compile(r'(?:^|,)\s*model_name="((?:[^"\\]|\\.)*)"')


async def read_counters(upstream: Upstream, transport: Transport) -> Generated | None:
    """Return what the upstream has counted, None where it publishes nothing; `UpstreamError`."""
    response = await upstream.connecting.request(
        transport,
        "GET",
        root(upstream.base) + ROUTE,
        headers=await upstream.site.authorization.header(Params().deadlines),
        params=Params(),
    )
    body = await response.read(LARGEST_METRICS)
    if response.status != 200:
        return None
    return counters(body.decode("utf-8", "replace"), upstream.deployment.model)


def counters(text: str, model: str) -> Generated | None:
    """Read Prometheus' text format; samples of other models than `model` do not count."""
    for tokens, running in _NAMES:
        counted, now = list(_samples(text, tokens, model)), list(_samples(text, running, model))
        if counted and now:
            return Generated(tokens=sum(counted), running=sum(now))
    return None


def _samples(text: str, name: str, model: str) -> Iterator[float]:
    for sample in _SAMPLE.finditer(text):
        if sample["name"] != name:
            continue
        labelled = _MODEL.search(sample["labels"] or "")
        if labelled is not None and labelled[1] != model:
            continue
        try:
            value = float(sample["value"])
        except ValueError:
            continue
        if math.isfinite(value):
            yield value
