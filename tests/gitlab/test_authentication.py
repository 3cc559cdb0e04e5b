"""The door for GitLabs and editors, over HTTP: who gets in, as whom, and what is left behind.

Headers and claims are tried in ``authentication.json``.
"""

import asyncio
import contextlib
import hashlib
import json
from pathlib import Path

import jwt
import msgspec
import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse import config
from inhouse.errors import ConfigError
from inhouse.gateway import Gateway
from tests.fakes.authority import Authority
from tests.fakes.gitlab import (
    INSTANCE_ID,
    REALM,
    USER,
    FakeGitLab,
    private_pem,
    public_pem,
    rsa_key,
    signed,
)
from tests.gitlab.serving import gitlab_serving
from tests.server.serving import (
    ADMIN,
    AUDITOR,
    DEVELOPER,
    Reply,
    Served,
    configuration,
    route,
    scripted,
    serving,
)

TOKENS = "/v1/code/user_access_token"
LIVE = ("exp", "nbf", "iat", "jti")
"""The claims that each token has of its own."""
FORBIDDEN = {"error": "Forbidden by auth provider"}


async def mint(served: Served, headers: dict[str, str]) -> Reply:
    return await served.ask("POST", TOKENS, key=None, headers=headers)


def claims(reply: Reply) -> dict[str, object]:
    assert reply.status == 200, reply.body
    return jwt.decode(reply.json["token"], options={"verify_signature": False})


async def test_a_token_for_an_editor(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        reply = await mint(served, gitlab.headers())
        found = claims(reply)

        assert reply.json.keys() == {"token", "expires_at"}
        assert reply.json["expires_at"] == found["exp"]
        assert {name: found[name] for name in found if name not in LIVE} == {
            "iss": "gitlab-ai-gateway",
            "aud": "gitlab-ai-gateway",
            "sub": USER,
            "gitlab_realm": REALM,
            "gitlab_instance_id": INSTANCE_ID,
            "gitlab_instance_uid": INSTANCE_ID,
            "scopes": ["complete_code", "ai_gateway_model_provider_proxy"],
            "inhouse_instance": gitlab.address.removeprefix("http://"),
        }
        assert reply.headers["content-type"] == "application/json"
        assert float(reply.headers["x-process-time"]) > 0
        assert reply.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("given", "issued"),
    [
        (["ai_gateway_model_provider_proxy", "x", "complete_code"],
         ["complete_code", "ai_gateway_model_provider_proxy"]),
        (["ai_gateway_model_provider_proxy"], ["ai_gateway_model_provider_proxy"]),
        (["generate_code", "complete_code"], ["complete_code"]),
    ],
)  # fmt: skip
async def test_scopes_keep_their_order(given: list[str], issued: list[str], tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        reply = await mint(served, gitlab.headers(gitlab.token(scopes=given)))

        assert claims(reply)["scopes"] == issued


async def test_a_token_for_an_editor_of_saas(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        headers = gitlab.headers(
            gitlab.token(gitlab_realm="saas"),
            x_gitlab_realm="saas",
            x_gitlab_project_id="7",
            x_gitlab_namespace_id="8",
            x_gitlab_root_namespace_id="null",
        )
        found = claims(await mint(served, headers))

        assert found["gitlab_project_id"] == "7"
        assert found["gitlab_namespace_id"] == "8"
        assert found["gitlab_root_namespace_id"] == ""
        assert "gitlab_instance_uid" not in found


async def test_a_token_of_an_instance_without_a_uid(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        reply = await mint(served, gitlab.headers(gitlab.token(gitlab_instance_uid=None)))

        assert claims(reply)["gitlab_instance_uid"] == ""


async def test_a_token_without_a_user_is_nobodys(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        reply = await mint(served, gitlab.headers(x_gitlab_global_user_id=None))

        assert claims(reply)["sub"] == ""
        headers = gitlab.headers(reply.json["token"], x_gitlab_global_user_id="anybody")
        assert (await mint(served, headers)).status == 403


@pytest.mark.parametrize("user", ["ü", "u" * 300], ids=["umlaut", "long"])
async def test_a_token_holds_for_whatever_user_it_was_made_for(user: str, tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        reply = await mint(served, gitlab.headers(x_gitlab_global_user_id=user))
        token = reply.json["token"]
        for name, status in ((user, 403), ("mallory", 401), (None, 401)):
            headers = gitlab.headers(token, x_gitlab_global_user_id=name)
            assert (await mint(served, headers)).status == status


async def test_without_a_store_there_is_no_token(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        await asyncio.to_thread((tmp_path / "x.db").unlink)
        reply = await mint(served, gitlab.headers())

        assert reply.status == 500
        assert reply.json == {"detail": "Failed to generate JWT"}
    assert "no token for an editor" in capfd.readouterr().err


async def test_tokens_of_one_gateway_hold_at_another(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (one, gitlab):
        again = config.load(tmp_path / "inhouse.toml", {"HOME": str(tmp_path)})
        async with serving(again) as other:
            issued = [await mint(each, gitlab.headers()) for each in (one, other)]
            for served in (one, other):
                for reply in issued:
                    used = await mint(served, gitlab.headers(reply.json["token"]))
                    assert used.status == 403  # it got in: only this door is closed to it


async def test_the_trace_tells_who_asked_for_whom(tmp_path: Path) -> None:
    team = '[[teams]]\nname = "backend"\nrequests_per_minute = 5\n'
    async with gitlab_serving(tmp_path, team, FakeGitLab("/gitlab"), team='"backend"') as (
        served,
        gitlab,
    ):
        reply = await mint(served, gitlab.headers())
        await mint(served, gitlab.headers(reply.json["token"]))
        await mint(served, gitlab.headers("wrong"))

        refused, used, issued = await served.traces()
        name = gitlab.address.removeprefix("http://")
        assert name.endswith("/gitlab")
        for trace in (used, issued):
            assert (trace.caller, trace.team, trace.user) == (name, "backend", USER)
        assert (refused.caller, refused.team, refused.user) == ("", "", "")


async def test_a_user_of_any_length_is_noted_up_to_a_limit(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        headers = gitlab.headers() | {"x-gitlab-global-user-id": "u" * 300}
        reply = await mint(served, headers)

        assert reply.status == 200
        (trace,) = await served.traces()
        assert trace.user == "u" * 255


async def test_a_key_of_ours_asks_for_a_token_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        made = await served.ask(
            "POST", "/api/v1/keys", content={"name": "grace", "role": "developer"}
        )
        key = made.json["key"]
        reply = await mint(served, gitlab.headers(key))
        assert claims(reply)["inhouse_key"] == "grace"
        headers = gitlab.headers(reply.json["token"])
        assert (await mint(served, headers)).status == 403
        assert (await served.traces())[0].caller == "grace"

        await served.ask("DELETE", "/api/v1/keys/grace", key=ADMIN)
        refused = await mint(served, headers)
        assert (refused.status, refused.json) == (401, FORBIDDEN)
    assert "that it was issued for is gone" in capfd.readouterr().err


async def test_a_token_does_not_come_back_with_another_key_of_the_same_name(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path)) as served:
        content = {"name": "grace", "role": "developer"}
        made = await served.ask("POST", "/api/v1/keys", content=content)
        issued = await served.ask("POST", TOKENS, key=made.json["key"])
        headers = {
            "authorization": f"Bearer {issued.json['token']}",
            "x-gitlab-authentication-type": "oidc",
        }
        assert (await mint(served, headers)).status == 403

        await served.ask("DELETE", "/api/v1/keys/grace")
        await served.ask("POST", "/api/v1/keys", content={"name": "grace", "role": "admin"})

        refused = await mint(served, headers)
        assert (refused.status, refused.json) == (401, FORBIDDEN)


async def test_who_may_not_ask_models_gets_no_token_to_ask_them(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path)) as served:
        reply = await served.ask("POST", TOKENS, key=AUDITOR)

        assert reply.status == 403
        assert reply.json == {"detail": "Unauthorized to create user access token"}


async def test_a_token_ends_with_the_instance_that_asked_for_it(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        reply = await mint(served, gitlab.headers())
        headers = gitlab.headers(reply.json["token"])
    async with serving(configuration(tmp_path)) as served:
        refused = await mint(served, headers)

        assert (refused.status, refused.json) == (401, FORBIDDEN)


async def test_tokens_of_another_gateway_with_our_key(tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_text(public_pem(rsa_key("other")))
    section = '[gitlab]\nvalidation_key = "file:other.pem"\n'
    async with gitlab_serving(tmp_path, section) as (served, gitlab):
        ours = gitlab.claims(iss="gitlab-ai-gateway", sub=USER)
        headers = gitlab.headers(signed(ours, rsa_key("other"), "gitlab_ai_gateway_signing_key"))

        assert (await mint(served, headers)).status == 403
        (trace,) = await served.traces()
        assert trace.caller == gitlab.address.removeprefix("http://")

    async with FakeGitLab(name="second") as second:
        both = section + second.toml()
        async with gitlab_serving(tmp_path, both, gitlab) as (served, _):
            assert (await mint(served, headers)).json == FORBIDDEN


async def test_a_gitlab_cannot_speak_for_a_key_of_ours(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        await mint(served, gitlab.headers(gitlab.token(inhouse_key="root")))
        await mint(served, gitlab.headers(gitlab.token(inhouse_instance="root")))

        name = gitlab.address.removeprefix("http://")
        assert [each.caller for each in await served.traces()] == [name, name]


async def test_routes_and_limits_of_the_team_hold(tmp_path: Path) -> None:
    text = "".join(
        [
            '[[teams]]\nname = "backend"\nrequests_per_minute = 2\n',
            scripted("everybodys"),
            scripted("theirs"),
            route("completion", "everybodys"),
            '[[routes]]\nfeature = "completion"\nteam = "backend"\ndeployments = ["theirs"]\n',
        ]
    )
    body = {
        "current_file": {
            "file_name": "a.py",
            "content_above_cursor": "def add(a, b):\n    return ",
            "content_below_cursor": "",
        }
    }
    async with gitlab_serving(tmp_path, text, team='"backend"') as (served, gitlab):
        issued = await mint(served, gitlab.headers())
        tokens = (gitlab.token(), issued.json["token"], gitlab.token())
        replies = [
            await served.ask(
                "POST",
                "/v2/code/completions",
                key=None,
                headers=gitlab.headers(token),
                content=body,
            )
            for token in tokens
        ]

        assert [each.status for each in replies] == [200, 200, 429]
        assert {each.headers["x-inhouse-deployment"] for each in replies[:2]} == {"theirs"}


async def test_an_unknown_team_is_an_empty_one(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path, team='"nobodys"') as (served, gitlab):
        assert (await mint(served, gitlab.headers())).status == 200
        assert (await served.traces())[0].team == "nobodys"


async def test_keys_are_asked_for_before_anybody_comes(tmp_path: Path) -> None:
    async with gitlab_serving(tmp_path) as (_, gitlab):
        await gitlab.until(lambda: len(gitlab.requests) == 2)

        assert gitlab.fetches == 1


async def test_an_outage_at_start_does_not_hold_the_gateway_up(tmp_path: Path) -> None:
    down = FakeGitLab()
    down.down = True
    async with gitlab_serving(tmp_path, "", down) as (served, gitlab):
        refused = await mint(served, gitlab.headers())

        assert (refused.status, refused.json) == (401, FORBIDDEN)
        assert (await served.ask("GET", "/v1/models", key=DEVELOPER)).status == 200


async def test_a_gateway_that_knows_no_keys_is_not_ready_for_gitlab(tmp_path: Path) -> None:
    down = FakeGitLab()
    down.down = True
    text = scripted("toy") + route("chat", "toy")
    async with FakeGitLab(name="second") as other:
        async with gitlab_serving(tmp_path, text, down) as (served, gitlab):
            assert (await mint(served, gitlab.headers())).status == 401
            ready = await served.ask("GET", "/monitoring/ready", key=None)
        async with gitlab_serving(tmp_path, text + other.toml(), down) as (served, gitlab):
            assert (await mint(served, gitlab.headers())).status == 401
            one_of_two = await served.ask("GET", "/monitoring/ready", key=None)
    assert (ready.status, list(ready.json["reasons"])) == (503, ["keys"])
    assert one_of_two.status == 200


async def test_a_gateway_without_a_gitlab_is_ready_for_its_own_keys(tmp_path: Path) -> None:
    text = scripted("toy") + route("chat", "toy")
    async with serving(configuration(tmp_path, text)) as served:
        assert (await served.ask("GET", "/monitoring/ready", key=None)).status == 200


async def test_the_log_tells_an_administrator_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with gitlab_serving(tmp_path) as (served, gitlab):
        token = gitlab.token(iss="https://gitlab.example")
        assert (await mint(served, gitlab.headers(token))).json == FORBIDDEN
    err = capfd.readouterr().err
    (line,) = [json.loads(each) for each in err.splitlines() if "token refused" in each]

    assert line["kind"] == "issuer"
    assert "'https://gitlab.example' is none of" in line["why"]
    assert token not in err


async def test_a_gitlab_of_its_own_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    gitlab = FakeGitLab(tls=authority.server())
    async with gitlab_serving(tmp_path, "", gitlab, ca_file='"ca.pem"') as (served, _):
        assert (await mint(served, gitlab.headers())).status == 200


def hashed(authority: Authority, folder: Path) -> str:
    """Return a folder that holds the authority under the name by which OpenSSL looks for it."""
    certificate = x509.load_pem_x509_certificate(Path(authority.ca_file).read_bytes())
    # Names are compared in small letters, and hashed without the sequence around their parts.
    subject = [
        x509.NameAttribute(part.oid, str(part.value).lower()) for part in certificate.subject
    ]
    parts = b"".join(x509.Name([part]).public_bytes()[2:] for part in subject)
    name = int.from_bytes(hashlib.sha1(parts, usedforsecurity=False).digest()[:4], "little")
    folder.mkdir()
    authority.write_ca(folder / f"{name:08x}.0")
    return str(folder)


async def test_a_gitlab_of_an_authority_in_a_folder(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    folder = hashed(authority, tmp_path / "authorities")
    async with FakeGitLab(tls=authority.server()) as gitlab:
        configured = configuration(tmp_path, gitlab.toml())
        trusting = msgspec.structs.replace(configured, authorities=(folder,))
        async with serving(trusting) as served:
            assert (await mint(served, gitlab.headers())).status == 200


async def test_a_gitlab_of_a_foreign_authority_is_not_believed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gitlab = FakeGitLab(tls=Authority(tmp_path).server())
    async with gitlab_serving(tmp_path, "", gitlab) as (served, _):
        assert (await mint(served, gitlab.headers())).json == FORBIDDEN
        assert not gitlab.requests
    assert "GitLab's keys not read" in capfd.readouterr().err


async def test_keys_from_files(tmp_path: Path) -> None:
    gitlab = FakeGitLab()
    (tmp_path / "gitlab.pem").write_text(public_pem(rsa_key(gitlab.kid)))
    (tmp_path / "ours.pem").write_text(private_pem(rsa_key("ours")))
    section = '[gitlab]\nsigning_key = "file:ours.pem"\n'
    async with gitlab_serving(tmp_path, section, gitlab, keys='["file:gitlab.pem"]') as (served, _):
        reply = await mint(served, gitlab.headers())

        jwt.decode(
            reply.json["token"],
            rsa_key("ours").public_key(),
            ["RS256"],
            audience="gitlab-ai-gateway",
        )
        assert not gitlab.requests


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[gitlab]\nsigning_key = "nonsense"\n', "signing_key"),
        ('[[gitlab.instances]]\nurl = "http://x"\nkeys = ["nonsense"]\n', "'http://x': "),
        ('[[gitlab.instances]]\nurl = "http://x"\nca_file = "no.pem"\n', "ca_file: there is no"),
        ('[[gitlab.instances]]\nurl = "http://x"\n' * 2, "two entries"),
        ('[[gitlab.instances]]\nurl = "http://x:99999"\n', "got 'http://x:99999'"),
        ('[[gitlab.instances]]\nurl = "http://:80"\n', "'http://:80': "),
    ],
)
async def test_what_cannot_work_is_told_at_start(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        async with Gateway.open(configuration(tmp_path, text)):
            pass

    assert says in str(caught.value)
    assert "nonsense" not in str(caught.value)


async def raw(served: Served, header: bytes) -> bytes:
    """Send bytes as they are, which no HTTP client would; return the answer's first line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        writer.write(b"POST %b HTTP/1.1\r\nhost: x\r\n" % TOKENS.encode())
        writer.write(b"x-gitlab-authentication-type: oidc\r\nauthorization: %b\r\n" % header)
        writer.write(b"content-length: 0\r\nconnection: close\r\n\r\n")
        return await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def test_no_header_whatsoever_is_our_defect(tmp_path: Path) -> None:
    words = st.binary(max_size=200).map(
        lambda found: found.translate(None, bytes({*range(0x20), 0x7F} - {0x09}))
    )
    parts = st.lists(st.from_regex(rb"\A[\w-]{0,30}\Z"), min_size=1, max_size=4)
    headers = words | words.map(b"Bearer ".__add__) | parts.map(lambda x: b"Bearer " + b".".join(x))

    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        served, _ = runner.run(stack.enter_async_context(gitlab_serving(tmp_path)))

        @settings(max_examples=150)
        @given(header=headers)
        def check(header: bytes) -> None:
            assert runner.run(raw(served, header)).startswith(b"HTTP/1.1 401 ")

        check()
        runner.run(stack.aclose())
