"""How the keys of GitLab instances are found, kept and followed."""

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from inhouse.config import Issuer
from inhouse.identity import Identity, Instance
from inhouse.identity.discovery import Discovered
from inhouse.identity.keys import Keys
from tests.fakes.gitlab import FakeGitLab, jwk, rsa_key, signed
from tests.fakes.http import Exchange, Handler
from tests.identity.world import KeptLog, NoKeys, Time, identity, issuer, section

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/oauth/discovery/keys"


async def until_asked(gitlab: FakeGitLab, fetches: int) -> None:
    await gitlab.until(lambda: gitlab.fetches >= fetches)


async def holds(room: Identity, gitlab: FakeGitLab) -> bool:
    return await room.verify(gitlab.token()) is not None


@pytest.mark.parametrize("path", ["", "/gitlab", "/a/deep/path"])
async def test_asks_below_the_path_of_the_instance(
    path: str, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with (
        FakeGitLab(path) as gitlab,
        identity(section(issuer(gitlab)), time, log, no_keys) as room,
    ):
        found = await room.verify(gitlab.token())

        assert gitlab.paths == [path + CONFIGURATION, path + KEYS]
        assert found is not None
        assert found.instance is not None
        assert found.instance.name == gitlab.address.removeprefix("http://")


async def test_keys_are_there_before_anybody_asks(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        running = asyncio.create_task(room.run())
        await time.settled()
        gitlab.down = True

        assert await holds(room, gitlab)
        assert gitlab.fetches == 1
        assert not log.lines
        running.cancel()


async def test_keys_are_renewed_each_hour(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        running = asyncio.create_task(room.run())
        await time.settled()
        (pause,) = time.pauses()
        former = gitlab.token()
        assert await room.verify(former) is not None
        gitlab.rotate()
        time.go(pause)
        await time.settled()

        assert 3240 <= pause <= 3960
        assert gitlab.fetches == 2
        assert await holds(room, gitlab)
        assert await room.verify(former) is None
        running.cancel()


async def test_an_outage_at_start_ends_by_itself_and_is_logged_once(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    gitlab.down = True
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        running = asyncio.create_task(room.run())
        pauses: list[float] = []
        for _ in range(9):
            await time.settled()
            pauses += time.pauses()
            time.go(pauses[-1])
        await time.settled()
        assert not await holds(room, gitlab)
        assert log.events() == ["GitLab's keys not read", "token refused"]
        assert log.lines[0].facts["instance"] == gitlab.address.removeprefix("http://")
        assert "its tokens are refused" in log.lines[0].facts["meanwhile"]
        assert log.kinds() == ["key"]
        assert "could not be read" in log.lines[1].facts["why"]

        gitlab.down = False
        time.go(max(time.pauses()))
        await time.settled()

        assert await holds(room, gitlab)
        assert log.events()[2:] == ["GitLab's keys read again"]
        assert min(time.pauses()) > 3000
        for number, pause in enumerate(pauses):
            usual = min(5 * 2**number, 300)
            assert 0.9 * usual <= pause <= 1.1 * usual
        running.cancel()


async def test_known_keys_outlast_an_outage(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        running = asyncio.create_task(room.run())
        await time.settled()
        gitlab.down = True
        time.go(4000)
        await until_asked(gitlab, 2)
        await time.settled()

        assert await holds(room, gitlab)
        assert log.events() == ["GitLab's keys not read"]
        assert "hold on" in log.lines[0].facts["meanwhile"]
        running.cancel()


async def test_a_new_key_holds_at_once(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert await holds(room, gitlab)
        time.go(10)
        gitlab.rotate(keep=True)

        assert await holds(room, gitlab)
        assert gitlab.fetches == 2


async def test_a_storm_of_unknown_keys_asks_once_in_ten_seconds(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        for seconds in range(30):
            foreign = [
                signed(gitlab.claims(), rsa_key("stranger"), f"{seconds}-{each}")
                for each in range(5)
            ]
            found = await asyncio.gather(*(room.verify(each) for each in foreign))
            assert found == [None] * 5
            time.go(1)

        assert gitlab.fetches == 3
        assert log.kinds() == ["key"]


async def test_whoever_needs_the_same_keys_shares_one_look(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        found = await asyncio.gather(*(holds(room, gitlab) for _ in range(20)))

        assert all(found)
        assert gitlab.fetches == 1


async def test_a_silent_gitlab_delays_a_request_for_two_seconds_only(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    gitlab.faults = [Exchange.hang]
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        asked = asyncio.create_task(room.verify(gitlab.token()))
        await until_asked(gitlab, 1)
        assert time.pauses() == [2.0]
        time.go(2)

        assert await asked is None
        assert log.kinds() == ["key"]
        assert gitlab.fetches == 1


async def test_keys_from_elsewhere_need_a_peer(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with FakeGitLab(name="elsewhere") as elsewhere:
        elsewhere.keys = gitlab.keys
        gitlab.jwks_uri = elsewhere.address + KEYS
        written = section(issuer(gitlab))
        async with identity(written, time, log, no_keys) as room:
            assert not await holds(room, gitlab)
            assert f"'{elsewhere.host}:{elsewhere.port}' in [egress] peers" in log.text()
            assert not elsewhere.requests

        peers = [(elsewhere.host, elsewhere.port)]
        async with identity(written, time, log, no_keys, peers) as room:
            assert await holds(room, gitlab)
            assert elsewhere.paths == [KEYS]


async def test_an_instance_behind_a_proxy(time: Time, log: KeptLog, no_keys: NoKeys) -> None:
    class Proxied(FakeGitLab):
        """Is asked as a proxy is, for a name that nobody knows."""

        @property
        def address(self) -> str:
            return "http://gitlab.example/gitlab"

        async def route(self, exchange: Exchange) -> None:
            path = exchange.request.target.removeprefix("http://gitlab.example")
            assert path != exchange.request.target
            await exchange.answer(200, json.dumps(self.documents()[path]).encode())

    async with Proxied("/gitlab") as gitlab:
        peers = [(gitlab.host, gitlab.port)]
        proxies = {"http_proxy": gitlab.url}
        written = section(issuer(gitlab))
        async with identity(written, time, log, no_keys, peers, proxies) as room:
            assert await holds(room, gitlab)
        async with identity(written, time, log, no_keys, proxies={"http_proxy": "x://"}) as room:
            assert not await holds(room, gitlab)
            assert "proxy cannot be used" in log.text()


async def test_an_instance_is_asked_nowhere_that_nobody_admits(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(), time, log, no_keys) as room:
        assert list(room.places()) == []
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert list(room.places()) == [(gitlab.host, gitlab.port)]


def answering(status: int, document: Any, kind: str = "application/json") -> Handler:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def answer(exchange: Exchange) -> None:
        await exchange.answer(status, raw, kind)

    return answer


async def redirecting(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 302 Found\r\nlocation: /users/sign_in\r\n")
    await exchange.send(b"content-length: 0\r\n\r\n")


def elliptic() -> dict[str, str]:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "kid": "e", "crv": "P-256", "x": f"{numbers.x}", "y": f"{numbers.y}"}


PUBLIC = rsa_key("good").public_key()
GOOD = jwk(rsa_key("good"), "good")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answering(404, b"<html>", "text/html"), "there is no GitLab. Correct 'url'"),
        (answering(500, b"oops"), "is not well. It is asked again soon."),
        (redirecting, "answered 302; redirects are not followed"),
        (answering(200, b"<html>sign in"), "is no OpenID configuration"),
        (answering(200, b"\xff\xfe"), "is no OpenID configuration"),
        (answering(200, b"[" * 100_000), "is no OpenID configuration"),
        (answering(200, {"issuer": "x"}), "jwks_uri"),
        (answering(200, {"issuer": 5, "jwks_uri": "x"}), "issuer"),
        (answering(200, {"issuer": "x", "jwks_uri": "ftp://x/"}), "does not begin with http"),
        (answering(200, {"issuer": "x", "jwks_uri": "http://u:p@x/"}), "credentials"),
        (answering(200, {"issuer": "x", "jwks_uri": "http://[::1/"}), "cannot be asked"),
        (answering(200, {"issuer": "x", "jwks_uri": "http://x:99999/"}), "cannot be asked"),
        (answering(200, {"issuer": "x", "jwks_uri": "https://evil.example/"}), "another origin"),
        (answering(200, b'{"issuer": "' + b"x" * 300_000 + b'"}'), "more than 262144 bytes"),
    ],
)
async def test_a_wrong_configuration_is_told_and_asked_again(
    answer: Handler, says: str, gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    gitlab.faults = [answer]
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert not await holds(room, gitlab)
        assert says in log.lines[0].facts["why"]
        time.go(10)

        assert await holds(room, gitlab)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "it is no JSON Web Key Set"),
        ([], "it is no JSON Web Key Set"),
        ({"keys": [5]}, "it is no JSON Web Key Set"),
        ({"keys": []}, "no RSA key for signatures"),
        ({"keys": [elliptic()]}, "no RSA key for signatures"),
        ({"keys": [{**GOOD, "use": "enc"}]}, "no RSA key for signatures"),
        ({"keys": [{"kty": "oct", "kid": "o", "k": "c2VjcmV0"}]}, "no RSA key for signatures"),
        ({"keys": [jwk(rsa_key("small", 1024), "s")]}, "it has 1024 bits"),
        ({"keys": [{**GOOD, "n": "%%%"}]}, "its key 'good' cannot be used"),
        ({"keys": [{**GOOD, "e": ""}]}, "its key 'good' cannot be used"),
        ({"keys": [{**GOOD, "kid": str(each)} for each in range(33)]}, "33 keys"),
    ],
)
async def test_wrong_keys_are_told_and_asked_again(
    keys: Any, says: str, gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    configuration = gitlab.documents()[CONFIGURATION]
    gitlab.faults = [answering(200, configuration), answering(200, keys)]
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert not await holds(room, gitlab)
        assert says in log.lines[0].facts["why"]
        time.go(10)

        assert await holds(room, gitlab)


async def test_keys_that_are_not_for_us_do_no_harm_to_others(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    configuration = gitlab.documents()[CONFIGURATION]
    mixed = [elliptic(), {**GOOD, "n": "%%%"}, jwk(rsa_key(gitlab.kid), gitlab.kid)]
    gitlab.faults = [answering(200, configuration), answering(200, {"keys": mixed})]
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert await holds(room, gitlab)


async def test_a_key_without_an_id_may_be_any(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    gitlab.keys = {None: rsa_key(gitlab.kid)}
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert await holds(room, gitlab)
        assert not await room.verify(signed(gitlab.claims(), rsa_key("stranger"), gitlab.kid))


async def test_a_token_without_a_key_id_may_be_of_any_key(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    gitlab.rotate(keep=True)
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert await room.verify(signed(gitlab.claims(), rsa_key(gitlab.kid), None)) is not None


async def test_a_defect_is_logged_and_does_not_end_the_looking(time: Time) -> None:
    log = KeptLog(defects=True)
    answers = [RuntimeError("a defect"), Discovered("https://x", Keys(nameless=(PUBLIC,)))]

    async def ask() -> Discovered:
        answer = answers.pop(0)
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    instance = Instance(
        Issuer(url="https://x"),
        audience="us",
        ask=ask,
        changed=lambda: None,
        log=log,
        clock=time.clock,
    )
    running = asyncio.create_task(instance.run())
    await time.settled()
    assert not instance.keys
    time.go(max(time.pauses()))
    await time.settled()

    assert instance.keys.candidates("any") == (PUBLIC,)
    assert log.events() == ["defect", "GitLab's keys not read", "GitLab's keys read again"]
    running.cancel()
