"""What a gateway makes of the environment of GitLab's own."""

import json
from pathlib import Path

from inhouse import config
from inhouse.gateway import Gateway
from tests.fakes.authority import Authority
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.http import Exchange, Server
from tests.server.serving import serving

GENERAL = "[server]\nport = 0\n[metrics]\nport = 0\n"


def configured(folder: Path, text: str = "", **environ: str) -> config.Config:
    path = folder / "inhouse.toml"
    path.write_text(GENERAL + text)
    return config.load(path, {"HOME": str(folder), **environ})


async def test_variables_without_an_equivalent_are_told_once(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    found = configured(
        tmp_path,
        AIGW_LOGGING__TO_FILE=str(log),
        AIGW_AUTH__BYPASS_EXTERNAL="true",
        AIGW_SNOWPLOW__ENDPOINT="https://x",
        AIGW_SNOWPLOW__ENABLED="true",
    )
    async with Gateway.open(found):
        pass
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [line["variables"] for line in lines if line["event"] == "environment"]
    assert told == [
        ["AIGW_AUTH__BYPASS_EXTERNAL"],
        ["AIGW_SNOWPLOW__ENABLED", "AIGW_SNOWPLOW__ENDPOINT"],
    ]
    assert "inhouse doctor --gitlab" in next(
        line["why"] for line in lines if line["event"] == "environment"
    )


async def test_authorities_of_the_environment_hold_for_models_and_gitlab(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, theirs = Authority(tmp_path / "a"), Authority(tmp_path / "b")

    async def model(exchange: Exchange) -> None:
        await exchange.answer(200, b'{"object":"list","data":[{"id":"m","object":"model"}]}')

    async with Server(model, ours.server()) as upstream, FakeGitLab(tls=theirs.server()) as gitlab:
        text = (
            f'[[deployments]]\nname = "m"\nfamily = "general"\nendpoint = "{upstream.url}/v1"\n'
            'identifier = "custom_openai/m"\n'
        )
        found = configured(
            tmp_path,
            text,
            SSL_CERT_FILE=ours.ca_file,
            REQUESTS_CA_BUNDLE=theirs.ca_file,
            AIGW_GITLAB_URL=gitlab.address,
        )
        async with serving(found) as served:
            deployment = served.gateway.catalog.deployments["m"]
            listed = await served.gateway.provider(deployment).served(deployment)
            (instance,) = served.gateway.identity.instances.values()
            await instance.learn()
    assert [each.name for each in listed] == ["m"]
    assert instance.keys
    assert instance.trouble == ""
