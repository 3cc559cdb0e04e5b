"""What is measured: the whole gateway, the reference stack, and nginx where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from instance import Instance
from loads import CANCELLATIONS, CARRIED, CHAT, GITLAB, KEY, LOADS, TEXT, Load
from processes import free_port

HERE = Path(__file__).resolve().parent
SBIN = ("/usr/sbin", "/usr/local/sbin")
"""Debian puts nginx where the search path of a normal user does not look."""


class Stack(NamedTuple):
    """A server to measure; `version` is for the report.

    `folder` is its own: what it writes stays there. `gitlab` may ask it, None where no GitLab may:
    only a gateway of ours is asked at more than `paths`. `below` stands before each path, `before`
    before each model, and `headers` come along with each request. `variables` are its environment
    besides nothing of the user's, `patience` the seconds that its start may take. A server whose
    `port` is 0 takes one by itself, and says "listening on" which.
    """

    name: str
    version: str
    command: Sequence[str | Path]
    port: int
    folder: Path
    metrics_port: int = 0
    gitlab: Instance | None = None
    paths: tuple[str, ...] = (CHAT, TEXT)
    below: str = ""
    before: str = ""
    headers: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    patience: float = 30.0

    def answers(self, load: Load) -> bool:
        """Return whether it has the door that the load asks at."""
        return self.gitlab is not None or (load.path in self.paths and not load.ours)

    def asking(self, load: Load) -> list[str]:
        """Return what loadgen says besides the body."""
        said, key = self.headers, KEY
        if self.gitlab is not None and load.path == GITLAB:
            said = tuple(f"{name}: {value}" for name, value in self.gitlab.headers.items())
            key = self.gitlab.token
        lines = [word for line in said for word in ("-H", line)]
        return ["-p", str(self.port), "-u", self.below + load.path, "-k", key, *lines]

    @property
    def environment(self) -> dict[str, str]:
        """The environment it runs in: nothing of the user's."""
        own = {"HOME": str(self.folder), "PATH": os.defpath, "LANG": "C.UTF-8"}
        return own | dict(self.variables)


Builder = Callable[[Path, int], Stack | None]
"""From a stack's folder and the upstream's port; None where its server is not installed."""


def stacks(folder: Path, upstream_port: int, builders: Mapping[str, Builder]) -> list[Stack]:
    """Write each stack's configuration below `folder`; return those that are installed."""
    found: list[Stack] = []
    for name, builder in builders.items():
        own = folder / name
        own.mkdir(parents=True, exist_ok=True)
        stack = builder(own, upstream_port)
        if stack is not None:
            found.append(stack)
    return found


def earlier(name: str, source: Path) -> Builder:
    """Return what builds the gateway of another source tree, on the packages of this one."""

    def build(folder: Path, upstream_port: int) -> Stack:
        now = _inhouse(folder, upstream_port)
        return now._replace(
            name=name,
            version="its code, the packages of this environment",
            command=(sys.executable, "-m", "inhouse", *now.command[1:]),
            variables=(("PYTHONPATH", str(source)),),
        )

    return build


def _inhouse(folder: Path, upstream_port: int) -> Stack:
    port, metrics_port = free_port(), free_port()
    config, gitlab = folder / "inhouse.toml", Instance()
    # One deployment for each model that a load asks for: the fake upstream is steered by its name.
    models = {each.model: each for each in (*LOADS, CARRIED, *CANCELLATIONS)}
    deployments = "".join(
        f'[[deployments]]\nname = "{model}"\nfamily = "{asked.family}"\n'
        f'endpoint = "http://127.0.0.1:{upstream_port}/v1"\n'
        f'identifier = "custom_openai/{model}"\n'
        f"options.whole_answers = {str(asked.whole).lower()}\n\n"
        for model, asked in models.items()
    )
    # Whose requests name no model is led to the one of GitLab's loads and of Tabby's.
    routed = json.dumps(sorted({load.model for load in LOADS if load.ours}))
    # The loads ask one question again and again, and each is to reach the upstream.
    settings = "[settings]\ncompletion_memory = false\n\n"
    config.write_text(
        f'[server]\nport = {port}\n\n[metrics]\nport = {metrics_port}\n\n[log]\nformat = "json"\n\n'
        f'[store]\nurl = "sqlite:///inhouse.db"\n\n{settings}{deployments}'
        f'[[routes]]\nfeature = "completion"\ndeployments = {routed}\n\n{gitlab.configuration}\n'
        f'[[keys]]\nname = "bench"\nrole = "developer"\nkey = "{KEY}"\n'
    )
    return Stack(
        name="inhouse",
        version=_output(sys.executable, "-c", "import inhouse; print(inhouse.__version__)"),
        command=(
            Path(sysconfig.get_path("scripts")) / "inhouse",
            *("--config", config, "serve"),
        ),
        port=port,
        folder=folder,
        metrics_port=metrics_port,
        gitlab=gitlab,
    )


def _reference(folder: Path, upstream_port: int) -> Stack:
    port = free_port()
    return Stack(
        name="reference",
        version="raw server and client, " + sys.implementation.name + " " + sys.version.split()[0],
        command=(sys.executable, HERE / "reference.py", str(port), str(upstream_port)),
        port=port,
        folder=folder,
    )


def _nginx(folder: Path, upstream_port: int) -> Stack | None:
    search = os.pathsep.join((os.defpath, *SBIN))
    program = shutil.which("nginx") or shutil.which("nginx", path=search)
    if program is None:
        return None
    port = free_port()
    config = folder / "nginx.conf"
    temporary = "".join(
        f"  {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"worker_processes 1;\ndaemon off;\npid {folder}/pid;\nerror_log stderr;\n"
        "events { worker_connections 4096; }\n"
        f"http {{\n  access_log off;\n{temporary}"
        "  upstream fake {\n"
        f"    server 127.0.0.1:{upstream_port};\n"
        "    keepalive 256;\n    keepalive_requests 100000000;\n  }\n"
        f"  server {{\n    listen 127.0.0.1:{port} backlog=2048;\n"
        "    keepalive_requests 100000000;\n    client_body_buffer_size 128k;\n"
        "    location / {\n      proxy_pass http://fake;\n      proxy_http_version 1.1;\n"
        '      proxy_set_header Connection "";\n      proxy_buffering off;\n    }\n  }\n}\n'
    )
    version = subprocess.run([program, "-v"], check=True, capture_output=True, text=True).stderr
    return Stack(
        name="nginx",
        version=version.strip().rpartition("/")[2] + ", buffering and access log off",
        command=(program, "-c", config, "-e", "stderr"),
        port=port,
        folder=folder,
    )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


BUILDERS: dict[str, Builder] = {"inhouse": _inhouse, "reference": _reference, "nginx": _nginx}
"""The gateway first."""
