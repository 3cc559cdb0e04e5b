"""``inhouse doctor --gitlab``, with a fake GitLab and a gateway that runs."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from inhouse.cli import main
from inhouse.cli.gitlab import gateway as examining
from tests.fakes.authority import Authority
from tests.fakes.gitlab import FakeGitLab, public_pem, rsa_key
from tests.fakes.http import Exchange, Handler, Server
from tests.server.serving import ADMIN, AUDITOR, DEVELOPER, configuration, route, scripted, serving

TOY = scripted("toy", tokens=["Final Answer:", " hello"])
ROUTES = "".join(route(each, "toy") for each in ("completion", "generation", "chat"))

Checks = dict[str, dict[str, str]]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHOUSE_API_KEY", ADMIN)


async def output(*args: str, status: int) -> str:
    """Return what the command prints; it runs in a thread, so that we can answer it."""
    result = await asyncio.to_thread(CliRunner().invoke, main, ["doctor", *args])
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    assert ADMIN not in result.output
    assert "inhouse has a defect" not in result.output
    return result.stdout


async def examined(url: str | None = None, *, status: int = 0) -> Checks:
    args = ["--gitlab", "--json"] if url is None else ["--gitlab", url, "--json"]
    found = json.loads(await output(*args, status=status))
    assert found["works"] is (status == 0)
    return {each["name"]: each for each in found["checks"]}


@pytest.fixture
async def gitlab() -> AsyncGenerator[FakeGitLab]:
    async with FakeGitLab("/gitlab") as fake:
        yield fake


@contextlib.asynccontextmanager
async def running(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> AsyncGenerator[None]:
    """Serve as `text` says, the command line knowing where."""
    async with serving(configuration(folder, text)) as served:
        monkeypatch.setenv("INHOUSE_URL", served.url)
        yield


async def test_everything_works(
    home: Path, monkeypatch: pytest.MonkeyPatch, gitlab: FakeGitLab
) -> None:
    text = f'{TOY}{ROUTES}[gitlab]\ndocs = "docs.db"\n{gitlab.toml()}'
    async with running(home, monkeypatch, text):
        (home / "docs.db").touch()
        found = await examined()
        said = await output("--gitlab", gitlab.address + "/", status=0)
    # The fake's answers have no date.
    assert {name for name, each in found.items() if each["status"] != "ok"} == {"clock"}
    assert list(found) == [
        "version",
        "configuration",
        "configured",
        f"GitLab {gitlab.address}",
        "issuer",
        "clock",
        "models",
        "documentation",
        "gateway",
        "ready",
        "authentication",
        "routes",
        "health check",
        "generation",
        "model check",
        "chat",
        "direct access",
    ]
    assert "leads to one RSA key" in found[f"GitLab {gitlab.address}"]["sentence"]
    assert "Everything works." in said


async def test_a_gitlab_that_is_not_there_is_told_with_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, gitlab: FakeGitLab
) -> None:
    name = f"GitLab {gitlab.address}"
    async with running(home, monkeypatch, f"{TOY}{ROUTES}{gitlab.toml()}"):
        wrong = await examined(gitlab.url, status=1)
        gitlab.down = True
        down = await examined(status=1)
    assert "is not among the instances" in wrong["configured"]["sentence"]
    assert "answered 404" in wrong[f"GitLab {gitlab.url}"]["sentence"]
    assert "relative URL" in wrong[f"GitLab {gitlab.url}"]["sentence"]
    assert down[name]["status"] == "failed"
    assert "https://" in down[name]["remedy"]
    assert "clock" not in down
    assert down["chat"]["status"] == "ok"  # the rest is examined all the same


async def test_what_is_no_url_is_never_recommended() -> None:
    found = (await examined("gitlab.example", status=1))["configured"]
    assert "'gitlab.example' cannot be asked" in found["sentence"]
    assert "https://gitlab.example" in found["remedy"]


@pytest.mark.parametrize(
    ("status", "said"), [(502, "is not well"), (403, "Let this path"), (302, "redirects")]
)
async def test_whoever_stands_before_gitlab_is_told(
    home: Path, gitlab: FakeGitLab, status: int, said: str
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.answer(status, b"")

    (home / "inhouse.toml").write_text(gitlab.toml())
    gitlab.faults = [answer]
    found = (await examined(status=1))[f"GitLab {gitlab.address}"]
    assert (said in found["sentence"], found["remedy"]) == (True, "")


async def test_it_cannot_look_without_asking() -> None:
    result = CliRunner().invoke(main, ["doctor", "--gitlab", "--offline"])
    assert (result.exit_code, "--offline" in result.stderr) == (2, True)


async def test_an_unknown_authority_is_told_and_trusted_where_named(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    async with FakeGitLab(tls=authority.server()) as gitlab:
        name = f"GitLab {gitlab.address}"
        file = home / "inhouse.toml"
        file.write_text(gitlab.toml())
        refused = await examined(status=1)
        monkeypatch.setenv("SSL_CERT_FILE", authority.ca_file)
        trusted = await examined(status=1)
        monkeypatch.delenv("SSL_CERT_FILE")
        file.write_text(gitlab.toml(ca_file=f'"{authority.ca_file}"'))
        named = await examined(status=1)
        file.write_text(gitlab.toml(ca_file='"absent.pem"'))
        absent = await examined(status=1)
    assert "SSL_CERT_FILE" in refused[name]["remedy"]
    assert (trusted[name]["status"], named[name]["status"]) == ("ok", "ok")
    assert "absent.pem" in absent[name]["sentence"]


def dated(gitlab: FakeGitLab, seconds: float) -> Handler:
    """Return what answers as this GitLab does whose clock is ahead by so much."""

    async def answer(exchange: Exchange) -> None:
        body = json.dumps(gitlab.documents()[exchange.request.target]).encode()
        date = formatdate(time.time() + seconds, usegmt=True)
        head = f"HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: {len(body)}\r\n\r\n"
        await exchange.send(head.encode() + body)

    return answer


@pytest.mark.parametrize(
    ("seconds", "status", "said"),
    [(-300, "failed", "behind ours"), (300, "failed", "ahead of ours"), (2, "ok", "ours")],
)
async def test_clocks_that_differ_are_told(
    home: Path, gitlab: FakeGitLab, seconds: float, status: str, said: str
) -> None:
    (home / "inhouse.toml").write_text(gitlab.toml())
    gitlab.faults = [dated(gitlab, seconds)] * 3
    found = (await examined(status=1))["clock"]
    assert (found["status"], said in found["sentence"]) == (status, True)


async def test_what_the_configuration_says_of_an_instance(home: Path, gitlab: FakeGitLab) -> None:
    file = home / "inhouse.toml"
    assert (await examined(status=1))["configured"]["status"] == "failed"
    file.write_text(gitlab.toml(issuer='"https://other.example"'))
    assert "https://other.example" in (await examined(status=1))["issuer"]["sentence"]
    (home / "gitlab.pem").write_text(public_pem(rsa_key("first-1")))
    file.write_text(gitlab.toml(keys='["file:gitlab.pem"]'))
    asked = gitlab.fetches
    offline = await examined(status=1)
    assert offline[f"GitLab {gitlab.address}"]["status"] == "skipped"
    (home / "gitlab.pem").write_text("something else")
    wrong = (await examined(status=1))[f"GitLab {gitlab.address}"]
    assert (wrong["status"], "no public key as PEM" in wrong["sentence"]) == ("failed", True)
    assert gitlab.fetches == asked


async def test_a_team_that_there_is_not(
    home: Path, monkeypatch: pytest.MonkeyPatch, gitlab: FakeGitLab
) -> None:
    team = '[[teams]]\nname = "payments"\n'
    async with running(home, monkeypatch, TOY + ROUTES + team + gitlab.toml(team='"payments"')):
        assert "team 'payments'" not in await examined()
        (home / "inhouse.toml").write_text(gitlab.toml(team='"my friends"'))
        found = (await examined())["team 'my friends'"]
    assert found["status"] == "warning"
    assert found["remedy"] == "inhouse teams create 'my friends'"


async def test_models_of_the_admin_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[gitlab]\nmodels = "request"\n'
    async with running(home, monkeypatch, text):
        forbidden = await examined(status=1)
        monkeypatch.setenv("INHOUSE_GITLAB_ALLOWED_ENDPOINTS", "http://vllm.internal/*")
        allowed = await examined(status=1)
    assert "INHOUSE_GITLAB_ALLOWED_ENDPOINTS" in forbidden["models"]["remedy"]
    assert "http://vllm.internal/*" in allowed["models"]["sentence"]
    for name in ("health check", "generation", "model check", "chat"):
        assert (name, allowed[name]["status"]) == (name, "skipped")


async def test_features_without_a_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(home, monkeypatch, TOY + route("completion", "toy")):
        found = await examined(status=1)
    assert "Nothing serves code_generations, duo_chat," in found["routes"]["sentence"]
    assert found["health check"]["status"] == "ok"
    assert found["generation"]["sentence"] == "No route serves it."
    assert found["chat"]["remedy"] == "inhouse routes set chat DEPLOYMENT"


async def test_models_that_fail(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = scripted("silent", tokens=[])
    broken = (
        '[[deployments]]\nname = "broken one"\nfamily = "general"\nidentifier = "custom_openai/x"\n'
        'endpoint = "http://127.0.0.1:1/v1"\n'
    )
    text = silent + broken + route("completion", "silent") + route("generation", "broken one")
    async with running(home, monkeypatch, text + route("chat", "broken one")):
        found = await examined(status=1)
    assert "'def hello_world' is empty" in found["health check"]["sentence"]
    assert "refused the connection" in found["generation"]["sentence"]
    assert found["generation"]["remedy"] == "inhouse deployments test 'broken one'"
    assert "refused the connection" in found["chat"]["sentence"]


async def test_a_slow_health_check_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(home, monkeypatch, TOY + ROUTES):
        monkeypatch.setattr(examining, "HEALTH_SLOW", 0.0)
        assert (await examined(status=1))["health check"]["status"] == "warning"
        monkeypatch.setattr(examining, "HEALTH_LIMIT", 0.0)
        assert (await examined(status=1))["health check"]["status"] == "failed"


async def test_keys_that_may_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(home, monkeypatch, TOY + ROUTES):
        monkeypatch.setenv("INHOUSE_API_KEY", DEVELOPER)
        developer = await examined(status=1)
        monkeypatch.setenv("INHOUSE_API_KEY", "a wrong key of some length")
        wrong = await examined(status=1)
        monkeypatch.setenv("INHOUSE_API_KEY", AUDITOR)
        auditor = await examined(status=1)
        monkeypatch.delenv("INHOUSE_API_KEY")
        without = await examined(status=1)
    assert developer["routes"]["status"] == "skipped"
    assert developer["health check"]["status"] == "ok"
    assert wrong["API key"]["status"] == "failed"
    assert "inhouse keys create" in wrong["API key"]["remedy"]
    assert list(wrong)[-1] == "API key"  # one finding, not one for each request
    assert "may not ask models" in auditor["health check"]["sentence"]
    assert "inhouse keys create" in auditor["health check"]["remedy"]
    assert "INHOUSE_API_KEY" in without["API key"]["remedy"]
    assert "health check" not in without


async def test_whoever_else_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[tuple[int, Any]] = [(200, {}), (200, "<html>"), (502, []), (404, {"detail": []})]
    for status, body in bodies:

        async def other(exchange: Exchange, status: int = status, body: Any = body) -> None:
            await exchange.answer(status, json.dumps(body).encode())

        async with Server(other) as server:
            monkeypatch.setenv("INHOUSE_URL", server.url)
            found = await examined(status=1)
        if status == 200:
            assert "not 401" in found["authentication"]["sentence"]
            assert "no gateway of this version" in found["routes"]["sentence"]
        else:
            assert found["gateway"]["status"] == "failed"
            assert list(found)[-1] == "gateway"
    monkeypatch.setenv("INHOUSE_URL", "http://127.0.0.1:1")
    assert "No gateway answers" in (await examined(status=1))["gateway"]["sentence"]
    monkeypatch.setenv("INHOUSE_URL", "nonsense")
    assert "INHOUSE_URL" in (await examined(status=1))["gateway"]["remedy"]


async def test_variables_without_effect_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGW_AUTH__BYPASS_EXTERNAL", "true")
    said = (await examined(status=1))["environment"]["sentence"]
    assert said.startswith("AIGW_AUTH__BYPASS_EXTERNAL: Authentication cannot be switched off.")
