"""A gateway connects to the upstreams that are configured, and to nothing else."""

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

from tests.fakes.openai import FakeOpenAI
from tests.server.serving import configuration, route, scripted, serving


@contextlib.contextmanager
def watched() -> Generator[list[object]]:
    """Collect every address that Python code of this process connects to or looks up."""
    attempted: list[object] = []
    watching = True

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if not watching:
            return
        if event == "socket.connect":
            attempted.append(arguments[1])
        elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
            attempted.append(arguments[0])

    # An audit hook cannot be removed, and sees what no monkeypatch of a client would.
    sys.addaudithook(note)
    try:
        yield attempted
    finally:
        watching = False


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


async def test_connects_to_its_upstreams_alone(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "area.py").write_text("def area(width, height):\n    return width * height\n")
    async with FakeOpenAI() as upstream:
        declared = f"""
            [[deployments]]
            name = "served"
            family = "qwen-coder"
            identifier = "custom_openai/tiny-coder"
            endpoint = "{upstream.endpoint}"
            [[deployments]]
            name = "index"
            family = "repository-index"
            identifier = "repository/index"
            endpoint = "{code}"
        """
        routes = [route(each, "served") for each in ("completion", "generation", "chat")]
        text = "\n".join([declared, scripted("script"), *routes])
        with watched() as attempted:
            async with serving(configuration(tmp_path, text)) as served:
                hole = {"prompt": "def area(width, height):\n    return ", "suffix": "\n"}
                said = {"messages": [{"role": "user", "content": "Hello"}]}
                for path, body in [
                    ("/v1/completions", {"model": "completion", **hole}),
                    ("/v1/completions", {"model": "generation", "instruction": "add", **hole}),
                    ("/v1/completions", {"model": "script", **hole}),
                    ("/v1/chat/completions", {"model": "chat", **said}),
                    ("/api/v1/deployments/served/test", None),
                ]:
                    reply = await served.ask("POST", path, content=body)
                    assert reply.status == 200, (path, reply.body)
                for path in ("/", "/ready", "/v1/models", "/api/openapi.json"):
                    await served.ask("GET", path)
                await served.traces()
        ours = {address(served.url), "127.0.0.1"}  # the test's own requests; where to listen
        assert set(attempted) - ours == {address(upstream.url)}
