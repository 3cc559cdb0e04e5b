"""Other gateways, each started with the least configuration that serves the fake upstream."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from loads import CANCELLATIONS, CHAT, LOADS
from peer_installs import Environment, MissingError, installed
from processes import free_port
from stacks import Builder, Stack

PATIENCE = 90.0
"""Seconds for a start: the slowest took 30 on a busy machine."""
MODELS = sorted({each.model for each in (*LOADS, *CANCELLATIONS)})
"""Those that have to be declared: the fake upstream is steered by the name."""


def builders(missing: dict[str, str]) -> dict[str, Builder]:
    """Install the peers; return what starts each, and put into `missing` why another cannot be."""
    found: dict[str, Builder] = {}
    for name, start in STARTS.items():
        try:
            found[name] = partial(start, installed(name))
        except MissingError as error:
            missing[name] = str(error)
    return found


def _stack(
    name: str,
    environment: Environment,
    folder: Path,
    port: int,
    command: tuple[str | Path, ...],
    variables: Mapping[str, str] | None = None,
) -> Stack:
    return Stack(
        name=name,
        version=environment.version,
        command=command,
        port=port,
        folder=folder,
        paths=(CHAT,),
        variables=tuple((variables or {}).items()),
        patience=PATIENCE,
    )


def _litellm(environment: Environment, folder: Path, upstream_port: int) -> Stack:
    """Without a database and a master key: anybody may ask, and nothing is recorded."""
    port, config = free_port(), folder / "config.yaml"
    upstream = {"api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "none"}
    models = [
        {"model_name": model, "litellm_params": {"model": f"openai/{model}", **upstream}}
        for model in MODELS
    ]
    # YAML reads JSON.
    config.write_text(json.dumps({"model_list": models}))
    command = (environment.program("litellm"), "--config", config, "--port", str(port))
    variables = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    command = (*command, "--host", "127.0.0.1")
    return _stack("LiteLLM", environment, folder, port, command, variables)


def _tensorzero(environment: Environment, folder: Path, upstream_port: int) -> Stack:
    """By a private function of its client, which takes a port by itself: there is no program."""
    config = folder / "tensorzero.toml"
    models = "".join(
        f'[models.{model}]\nrouting = ["fake"]\n\n[models.{model}.providers.fake]\n'
        f'type = "openai"\nmodel_name = "{model}"\n'
        f'api_base = "http://127.0.0.1:{upstream_port}/v1/"\napi_key_location = "none"\n\n'
        for model in MODELS
    )
    config.write_text(f"[gateway]\nobservability.enabled = false\n\n{models}")
    program = (
        "import sys, threading, tensorzero\n"
        "running = tensorzero._start_http_gateway(config_file=sys.argv[1], clickhouse_url=None,"
        " postgres_url=None, valkey_url=None, async_setup=False)\n"
        "port = running.base_url.split(':')[2].split('/')[0]\n"
        "print('\\nlistening on', port, flush=True)\n"
        "threading.Event().wait()\n"
    )
    command = (environment.program("python"), "-c", program, config)
    stack = _stack("TensorZero", environment, folder, 0, command)
    return stack._replace(below="/openai", before="tensorzero::model_name::")


def _vllm_router(environment: Environment, folder: Path, upstream_port: int) -> Stack:
    port = free_port()
    command = (environment.program("vllm-router"), *_router_options(port, upstream_port))
    return _stack("vllm-router", environment, folder, port, command)


def _sglang_router(environment: Environment, folder: Path, upstream_port: int) -> Stack:
    port = free_port()
    launch = (environment.program("python"), "-m", "sglang_router.launch_router")
    command = (*launch, *_router_options(port, upstream_port))
    return _stack("sglang-router", environment, folder, port, command)


def _router_options(port: int, upstream_port: int) -> tuple[str, ...]:
    return (
        *("--host", "127.0.0.1", "--port", str(port), "--log-level", "error"),
        *("--worker-urls", f"http://127.0.0.1:{upstream_port}", "--policy", "round_robin"),
        *("--prometheus-port", str(free_port())),
    )


def _portkey(environment: Environment, folder: Path, upstream_port: int) -> Stack:
    port, node = free_port(), shutil.which("node") or "node"
    server = environment.folder / "node_modules/@portkey-ai/gateway/build/start-server.js"
    command = (node, server, f"--port={port}", "--headless")
    stack = _stack("Portkey", environment, folder, port, command, {"NODE_ENV": "production"})
    upstream = f"x-portkey-custom-host: http://127.0.0.1:{upstream_port}/v1"
    return stack._replace(headers=("x-portkey-provider: openai", upstream))


STARTS: dict[str, Callable[[Environment, Path, int], Stack]] = {
    "vllm-router": _vllm_router,
    "sglang-router": _sglang_router,
    "TensorZero": _tensorzero,
    "Portkey": _portkey,
    "LiteLLM": _litellm,
}
