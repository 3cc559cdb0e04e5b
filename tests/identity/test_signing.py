"""Tokens of our own: what they claim, and how their keys are made, shared and replaced."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from sqlalchemy import select

from inhouse.core.secret import Secret
from inhouse.errors import StoreError
from inhouse.identity import Identity
from inhouse.identity.keys import read_private
from inhouse.identity.signing import StoredKey
from inhouse.store import Registry
from inhouse.store.database import Database
from inhouse.store.tables import signing_keys
from tests.fakes.gitlab import FakeGitLab, private_pem, public_pem, rsa_key, signed
from tests.identity.world import KeptLog, Time, identity, issuer, registry, section

DAY = 86400.0
OURS = "gitlab-ai-gateway"


def kid(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


async def holds(room: Identity, token: str) -> bool:
    found = await room.verify(token)
    assert found is None or found.instance is None
    return found is not None


async def test_a_token_claims_what_it_should(time: Time, log: KeptLog, store: Registry) -> None:
    async with identity(section(), time, log, store.signing_keys) as room:
        first, second = [await room.issue({"sub": "ada", "scopes": ["a"]}) for _ in range(2)]
        found = claims(first.token)
        now = int(time.wall())

        assert found.pop("jti") != claims(second.token)["jti"]
        assert found == {
            "iss": OURS, "aud": OURS, "sub": "ada", "scopes": ["a"],
            "exp": now + 3600, "nbf": now, "iat": now,
        }  # fmt: skip
        assert first.expires_at == now + 3600
        assert jwt.get_unverified_header(first.token)["alg"] == "RS256"
        assert kid(first.token) == kid(second.token)
        assert first.token not in repr(first)
        assert await holds(room, first.token)


async def test_nobody_chooses_the_claims_that_make_it_ours(
    time: Time, log: KeptLog, store: Registry
) -> None:
    async with identity(section(), time, log, store.signing_keys) as room:
        issued = await room.issue({"iss": "x", "aud": "x", "exp": 1, "nbf": 1, "jti": "x"})

        assert await holds(room, issued.token)


async def test_a_restart_keeps_the_key(
    time: Time, log: KeptLog, store: Registry, tmp_path: Path
) -> None:
    async with identity(section(), time, log, store.signing_keys) as room:
        issued = await room.issue({"sub": "ada"})
    with contextlib.closing(registry(tmp_path)) as again:
        async with identity(section(), time, log, again.signing_keys) as room:
            assert await holds(room, issued.token)
            assert kid((await room.issue({})).token) == kid(issued.token)


async def test_the_key_is_sealed_in_the_store(
    time: Time, log: KeptLog, store: Registry, tmp_path: Path
) -> None:
    async with identity(section(), time, log, store.signing_keys) as room:
        await room.issue({})
    url = f"sqlite:///{tmp_path}/inhouse.db"
    with contextlib.closing(Database(url)) as database, database.reading() as connection:
        (row,) = connection.execute(select(signing_keys)).mappings()

    assert row["private_key"].startswith("v1.")
    assert "BEGIN" not in row["private_key"]
    (key,) = store.signing_keys.load()
    assert key.private_key.reveal().startswith("-----BEGIN PRIVATE KEY-----")
    assert "BEGIN" not in repr(key)


async def test_a_key_is_replaced_and_its_tokens_hold_on(
    time: Time, log: KeptLog, store: Registry
) -> None:
    async with identity(section(), time, log, store.signing_keys) as room:
        former = await room.issue({})
        time.go(30 * DAY - 1)
        assert kid((await room.issue({})).token) == kid(former.token)
        time.go(1)
        # The library that proves tokens knows the real time only: this one is made for then.
        late = signed(
            {**claims(former.token), "jti": "late"},
            stored(store, kid(former.token)),
            kid(former.token),
        )
        new = await room.issue({})

        assert kid(new.token) != kid(former.token)
        assert await holds(room, late)
        assert len(store.signing_keys.load()) == 2

        time.go(30 * DAY)
        newest = await room.issue({})
        assert len({kid(each.token) for each in (former, new, newest)}) == 3
        assert {each.id for each in store.signing_keys.load()} == {
            kid(new.token),
            kid(newest.token),
        }
        assert not await holds(room, signed({**claims(late), "jti": "x"}, rsa_key("x"), kid(late)))
        assert not await holds(room, late)


def stored(store: Registry, key_id: str) -> RSAPrivateKey:
    (found,) = [each for each in store.signing_keys.load() if each.id == key_id]
    return read_private(found.private_key.reveal())


async def test_replicas_take_each_others_tokens(
    time: Time, log: KeptLog, store: Registry, tmp_path: Path
) -> None:
    with contextlib.closing(registry(tmp_path)) as second:
        async with (
            identity(section(), time, log, store.signing_keys) as one,
            identity(section(), time, log, second.signing_keys) as other,
        ):
            # Both make a first key at the same time.
            issued = await asyncio.gather(*(each.issue({}) for each in (one, other) * 3))
            time.go(1)
            for each in issued:
                assert await holds(one, each.token)
                assert await holds(other, each.token)
            assert len(store.signing_keys.load()) == 1

            time.go(30 * DAY)
            renewed = await asyncio.gather(one.issue({}), other.issue({}))
            assert len({kid(each.token) for each in renewed}) == 1
            assert len(store.signing_keys.load()) == 2


class Failing:
    """A store of keys that counts how often it is asked, and fails on demand."""

    def __init__(self, store: Registry) -> None:
        self._store = store.signing_keys
        self.loads = 0
        self.fails = False

    def load(self) -> Sequence[StoredKey]:
        self.loads += 1
        if self.fails:
            raise StoreError("The store is away.")
        return self._store.load()

    def renew(self, key_id: str, private_key: Secret, **times: float) -> Sequence[StoredKey]:
        return self._store.renew(key_id, private_key, **times)


async def test_strangers_cannot_keep_the_store_busy(
    gitlab: FakeGitLab, time: Time, log: KeptLog, store: Registry
) -> None:
    counting = Failing(store)
    async with identity(section(), time, log, counting) as room:
        for second in range(3):
            for each in range(10):
                name = f"{second}-{each}"
                forged = signed(gitlab.claims(iss=OURS, aud=OURS), rsa_key("stranger"), name)
                assert not await holds(room, forged)
            time.go(1)

        assert counting.loads == 3
        assert not gitlab.requests


async def test_a_store_that_fails(time: Time, log: KeptLog, store: Registry) -> None:
    failing = Failing(store)
    async with identity(section(), time, log, failing) as room:
        failing.fails = True
        with pytest.raises(StoreError, match="away"):
            await room.issue({})
        failing.fails = False
        issued = await room.issue({})
        failing.fails = True

        assert await holds(room, issued.token)
        assert not await holds(room, signed(claims(issued.token), rsa_key("x"), "unknown"))
        assert log.events() == ["keys of our tokens not read", "token refused"]


async def test_a_key_from_the_file_signs(time: Time, log: KeptLog, store: Registry) -> None:
    own, further = rsa_key("own"), rsa_key("further")
    written = section(
        signing_key=Secret(private_pem(own)), validation_key=Secret(public_pem(further))
    )
    async with identity(written, time, log, store.signing_keys) as room:
        issued = await room.issue({"sub": "ada"})
        jwt.decode(issued.token, own.public_key(), ["RS256"], audience=OURS)

        assert await holds(room, issued.token)
        # Another gateway may name the same keys otherwise.
        assert await holds(room, signed(claims(issued.token), own, "gitlab_ai_gateway_signing_key"))
        assert await holds(room, signed(claims(issued.token), further, "validation"))
        assert not await holds(room, signed(claims(issued.token), rsa_key("x"), "x"))
        assert store.signing_keys.load() == ()


async def test_a_key_from_the_file_ends_those_of_the_store(
    time: Time, log: KeptLog, store: Registry
) -> None:
    async with identity(section(), time, log, store.signing_keys) as room:
        former = await room.issue({})
    own = rsa_key("own")
    written = section(signing_key=Secret(private_pem(own)))
    async with identity(written, time, log, store.signing_keys) as room:
        assert not await holds(room, former.token)
        issued = await room.issue({})
        assert kid(issued.token) != kid(former.token)
        jwt.decode(issued.token, own.public_key(), ["RS256"], audience=OURS)


async def test_a_token_of_ours_is_for_us_alone(
    gitlab: FakeGitLab, time: Time, log: KeptLog, store: Registry
) -> None:
    own = rsa_key("own")
    written = section(issuer(gitlab), signing_key=Secret(private_pem(own)), audience="else")
    async with identity(written, time, log, store.signing_keys) as room:
        issued = await room.issue({})

        assert await holds(room, issued.token)
        assert not await holds(room, signed({**claims(issued.token), "aud": "else"}, own, "x"))
        assert not await holds(
            room, signed({**claims(issued.token), "iss": gitlab.address}, own, gitlab.kid)
        )
