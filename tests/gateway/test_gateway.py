"""A running gateway: changes hold at once, here and on other machines, and nothing is left over."""

import asyncio
from pathlib import Path

import anyio
import anyio.lowlevel
import msgspec
import pytest

from inhouse.core.catalog import Deployment, Role, Route
from inhouse.core.feature import Feature
from inhouse.errors import AuthenticationError, ConfigError
from inhouse.gateway import Gateway
from inhouse.store import Registry
from tests.server.serving import ADMIN, configuration, scripted


async def test_a_key_is_known_until_it_is_revoked(tmp_path: Path) -> None:
    async with Gateway.open(configuration(tmp_path)) as gateway:
        key = gateway.registry.create_key("new", Role.DEVELOPER, author="test")
        await gateway.refresh()
        assert gateway.authenticate(key.reveal()).name == "new"
        assert gateway.authenticate(ADMIN).role is Role.ADMIN
        gateway.registry.revoke_key("new", author="test")
        await gateway.refresh()
        with pytest.raises(AuthenticationError, match="inhouse keys create"):
            gateway.authenticate(key.reveal())


async def test_a_change_elsewhere_is_seen(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    async with Gateway.open(config) as here, Gateway.open(config) as there:
        there.registry.change_settings({"completion_max_tokens": 7}, author="test")
        with anyio.fail_after(30):
            while here.catalog.settings.completion_max_tokens != 7:
                await anyio.lowlevel.checkpoint()


async def test_an_unknown_provider_is_told_and_harms_no_other(tmp_path: Path) -> None:
    async with Gateway.open(configuration(tmp_path, scripted("good"))) as gateway:
        wrong = Deployment(name="wrong", family="general", identifier="nowhere/x", endpoint="x")
        gateway.registry.put_deployment(wrong, author="test")
        gateway.registry.set_route(
            Route(feature=Feature.CHAT, deployments=("wrong",)), author="test"
        )
        await gateway.refresh()
        assert list(gateway.not_ready()) == ["wrong"]
        assert "inhouse deployments test wrong" in gateway.not_ready()["wrong"]
        with pytest.raises(ConfigError, match="nowhere"):
            gateway.provider(wrong)
        # A feature that another deployment can answer is ready.
        gateway.registry.set_route(
            Route(feature=Feature.CHAT, deployments=("wrong", "good")), author="test"
        )
        await gateway.refresh()
        assert not gateway.not_ready()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('family = "codestrl"\nidentifier = "scripted/x"', "no model family 'codestrl'"),
        ('family = "general"\nidentifier = "nowhere/x"', "No provider is installed"),
        ('family = "general"\nidentifier = "repository/index"', "absolute path of the folder"),
        ('family = "general"\nidentifier = "scripted/x"\noptions = { typo = 1 }', "typo"),
        ('family = "general"\nidentifier = "custom_openai/x"', "endpoint: "),
    ],
)
async def test_a_declared_deployment_that_cannot_work_stops_the_start(
    tmp_path: Path, wrong: str, said: str
) -> None:
    config = configuration(tmp_path, f'[[deployments]]\nname = "wrong"\n{wrong}\n')
    with pytest.raises(ConfigError, match=r"inhouse\.toml: .*'wrong'") as refused:
        async with Gateway.open(config):
            pass
    assert said in str(refused.value)
    registry = Registry.open(config.store.url, secret=config.secret_key, key_file=config.key_file)
    assert registry.revision() == 0
    registry.close()


async def test_why_a_deployment_cannot_answer_is_logged_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Gateway.open(configuration(tmp_path)) as gateway:
        wrong = Deployment(name="wrong", family="general", identifier="nowhere/x")
        gateway.registry.put_deployment(wrong, author="test")
        for _ in range(3):
            await gateway.refresh()
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "cannot answer" in each]
    assert msgspec.json.decode(line)["deployment"] == "wrong"
    assert "custom_openai/…" in msgspec.json.decode(line)["why"]


async def test_closing_leaves_no_task_behind(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with Gateway.open(configuration(tmp_path, scripted("one"))):
        assert asyncio.all_tasks() > before
    assert asyncio.all_tasks() == before


async def test_a_declared_entry_follows_its_file(tmp_path: Path) -> None:
    async with Gateway.open(configuration(tmp_path, scripted("old"))) as gateway:
        assert gateway.catalog.deployments["old"].declared
    async with Gateway.open(configuration(tmp_path, scripted("new"))) as gateway:
        assert list(gateway.catalog.deployments) == ["new"]
        first = gateway.catalog.revision
    async with Gateway.open(configuration(tmp_path, scripted("new"))) as gateway:
        assert gateway.catalog.revision == first


def test_a_catalog_shows_no_secret(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    assert ADMIN not in repr(config)
    assert ADMIN not in repr(config.declared)
    assert msgspec.structs.asdict(config)["path"] == tmp_path / "inhouse.toml"
