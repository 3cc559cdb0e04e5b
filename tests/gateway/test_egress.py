"""A gateway connects to what is registered, whatever names and upstreams try to make it do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inhouse.cli.registering import providers
from inhouse.core.catalog import Deployment
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from tests.fakes.openai import FakeOpenAI
from tests.gateway.isolated import CANNOT, ENDPOINTS, GATEWAY, NAMES, REQUESTS
from tests.server.serving import configuration, serving

DEPLOYMENT = """
[[deployments]]
name = "gpu"
family = "qwen-coder"
identifier = "custom_openai/tiny-coder"
endpoint = "{}"
"""
ROOT = Path(__file__).parents[2]


async def test_a_deployment_at_a_metadata_service_is_refused(tmp_path: Path) -> None:
    text = DEPLOYMENT.format("http://169.254.169.254/v1")
    with pytest.raises(
        ConfigError, match="a cloud's metadata service; no model is served"
    ) as caught:
        async with serving(configuration(tmp_path, text)):
            pass
    assert caught.value.param == "endpoint"


async def test_only_the_deployment_under_test_is_connected_to(tmp_path: Path) -> None:
    async with FakeOpenAI() as tested, FakeOpenAI() as other:
        configured = configuration(tmp_path, DEPLOYMENT.format(other.endpoint))
        asked = Deployment(
            name="new",
            family="qwen-coder",
            identifier="custom_openai/tiny-coder",
            endpoint=tested.endpoint,
        )
        known = providers(configured, asked)
        assert await known["custom_openai"].served(asked)
        with pytest.raises(UpstreamError) as caught:
            await known["custom_openai"].served(configured.declared.deployments[0])
        assert caught.value.failure is UpstreamFailure.FORBIDDEN
        assert caught.value.deployment == "gpu"
        assert not other.connections
        await known.aclose()


async def test_a_deployment_that_is_removed_is_connected_to_no_more(tmp_path: Path) -> None:
    async with FakeOpenAI() as upstream, serving(configuration(tmp_path)) as served:
        path = "/api/v1/deployments/gpu"
        body = {
            "family": "qwen-coder",
            "identifier": "custom_openai/tiny-coder",
            "endpoint": upstream.endpoint,
        }
        assert (await served.ask("PUT", path, content=body)).status == 200
        gpu = served.gateway.catalog.deployments["gpu"]
        provider = served.gateway.provider(gpu)
        assert await provider.served(gpu)
        for peer in list(upstream.peers):
            peer.transport.abort()
        await upstream.until(lambda: not upstream.peers)
        assert (await served.ask("DELETE", path)).status == 204
        with pytest.raises(UpstreamError) as caught:
            await provider.served(gpu)
        assert caught.value.failure is UpstreamFailure.FORBIDDEN
        assert upstream.connections == 1


def test_nothing_but_what_is_registered_is_attempted_under_load(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-m", "tests.gateway.isolated", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    tcp = {(host, port) for protocol, host, port in found["attempts"] if protocol == "tcp"}
    others = {(protocol, port) for protocol, _, port in found["attempts"] if protocol != "tcp"}
    assert found["missed"] == 0
    assert tcp == {
        ("127.0.0.1", GATEWAY),  # the load itself
        ("10.7.0.1", 8000),
        ("10.7.0.2", 8000),
        ("10.7.0.3", 8000),
        ("10.7.0.4", 8000),
    }
    assert others == {("udp", 53)}
    assert set(found["asked"]) == {*NAMES, "unknown.test"}
    answers = found["answers"]
    assert sum(answers.values()) == REQUESTS + len(ENDPOINTS)
    for name in ("address", "name", "completion", "generation", "chat"):
        assert answers.pop(f"{name}: 200") > 0
