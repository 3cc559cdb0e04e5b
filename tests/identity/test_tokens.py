"""Which tokens hold, why others do not, and what the log says about these."""

import base64
import hmac
import json
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.secret import Secret
from inhouse.errors import ConfigError
from inhouse.identity import Instance
from inhouse.identity.claims import Refusal, read
from inhouse.identity.discovery import Discovered
from inhouse.identity.signing import Signing
from inhouse.identity.tokens import Tokens, Verified
from tests.fakes.gitlab import FakeGitLab, jwk, private_pem, public_pem, rsa_key, signed
from tests.identity.world import KeptLog, NoKeys, Time, identity, issuer, section


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(claims: dict[str, Any], alg: str, kid: str) -> str:
    return f"{part({'alg': alg, 'kid': kid})}.{part(claims)}."


def by_secret(claims: dict[str, Any], secret: str, kid: str) -> str:
    """Return a token that is signed with a public key as if it were a password."""
    begun = f"{part({'alg': 'HS256', 'kid': kid})}.{part(claims)}"
    return f"{begun}.{part(hmac.digest(secret.encode(), begun.encode(), 'sha256'))}"


@pytest.mark.parametrize(
    "kind",
    ["form", "algorithm", "claims", "size", "issuer", "key", "signature", "audience", "expired",
     "early"],
)  # fmt: skip
async def test_the_log_says_why(
    kind: str, gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    own = rsa_key(gitlab.kid)
    claims = gitlab.claims()
    now = int(time.wall())
    cases: dict[str, tuple[list[str], str]] = {
        "form": (
            ["garbage", "a.b", "a.b.c.d", "...", "a.b.c", f"{part([])}.{part({})}.x", "é.ü.ö",
             f"{part(b'[' * 5000)}.{part({})}.x"],
            "",
        ),
        "algorithm": (
            [unsigned(claims, "none", gitlab.kid), unsigned(claims, "None", gitlab.kid),
             by_secret(claims, public_pem(own), gitlab.kid),
             jwt.encode(claims, own, "RS512", headers={"kid": gitlab.kid}),
             jwt.encode(claims, own, "PS256", headers={"kid": gitlab.kid})],
            "RS256 alone counts",
        ),
        "claims": (
            [gitlab.token(exp=None), gitlab.token(scopes=5), gitlab.token(jti=5),
             gitlab.token(exp=float("inf")), gitlab.token(nbf="x")],
            "claims",
        ),
        "size": ([gitlab.token(extra="x" * 20_000)], "at most 16384"),
        "issuer": (
            [gitlab.token(iss="https://other.example"), gitlab.token(iss=gitlab.address + "x")],
            f"(there: {gitlab.address})",
        ),
        "key": (
            [signed(claims, rsa_key("stranger"), "strange"), signed(claims, own, "strange"),
             gitlab.token(iss="gitlab-ai-gateway")],
            "known: ",
        ),
        "signature": (
            [signed(claims, rsa_key("stranger"), gitlab.kid), gitlab.token()[:-20] + "A" * 20,
             gitlab.token().rpartition(".")[0] + "."],
            "did not sign it",
        ),
        "audience": ([gitlab.token(aud="others"), gitlab.token(aud=["a", "b"])], "not for 'gitlab"),
        "expired": ([gitlab.token(exp=now - 61), gitlab.token(exp=now - 3600)], "s ago. Do the"),
        "early": ([gitlab.token(nbf=now + 60), gitlab.token(iat=now + 60)], "begins to hold in"),
    }  # fmt: skip
    tokens, says = cases[kind]
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        for token in tokens:
            assert await room.verify(token) is None
            time.go(60)
            assert log.kinds() == [kind], token
            (line,) = log.lines
            assert (line.level, line.event) == ("warning", "token refused")
            assert says in line.facts["why"]
            assert line.facts["why"].isascii()
            pieces = [each for each in token.split(".") if len(each) > 20]
            assert not [each for each in pieces if each in log.text()]
            log.lines.clear()


async def test_a_key_that_a_token_brings_along_counts_for_nothing(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    stranger = rsa_key("stranger")
    elsewhere = f"{gitlab.url}/elsewhere"
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert await room.verify(gitlab.token()) is not None
        asked = len(gitlab.requests)
        for header in (
            {"jwk": jwk(stranger, gitlab.kid)},
            {"jku": elsewhere},
            {"x5u": elsewhere},
            {"x5c": [part(public_pem(stranger).encode())]},
        ):
            for name in ({"kid": gitlab.kid}, {"kid": elsewhere}, {}):
                token = jwt.encode(gitlab.claims(), stranger, "RS256", headers={**header, **name})
                assert await room.verify(token) is None
        assert len(gitlab.requests) == asked


async def test_an_extension_that_must_be_understood_is_refused(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    own = rsa_key(gitlab.kid)
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        for header in ({"crit": ["exp"]}, {"crit": ["x"], "x": 1}):
            headers: dict[str, Any] = {"kid": gitlab.kid, **header}
            token = jwt.encode(gitlab.claims(), own, "RS256", headers=headers)
            assert await room.verify(token) is None


@pytest.mark.parametrize("moved", [{"exp": -20}, {"nbf": 20}, {"iat": 20}])
async def test_clocks_may_differ_by_half_a_minute(
    moved: dict[str, int], gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    claims = {name: int(time.wall()) + by for name, by in moved.items()}
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert await room.verify(gitlab.token(**claims)) is not None


async def test_strangers_cannot_fill_the_log(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        for number in range(100):
            await room.verify(gitlab.token(iss=f"https://{number}.example\n" + "x" * 1000))
        assert len(log.lines) == 1
        assert len(log.lines[0].facts["why"]) < 500
        time.go(60)
        await room.verify(gitlab.token(iss="https://again.example"))

        assert [each.facts["untold"] for each in log.lines] == [0, 99]


async def test_the_configured_audience_counts(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    written = section(issuer(gitlab), audience="our-gateway")
    async with identity(written, time, log, no_keys) as room:
        assert await room.verify(gitlab.token()) is None
        assert await room.verify(gitlab.token(aud="our-gateway")) is not None


async def test_an_instance_cannot_speak_for_another(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with FakeGitLab("/gitlab", name="second") as second:
        written = section(issuer(gitlab), issuer(second))
        async with identity(written, time, log, no_keys) as room:
            for each in (gitlab, second):
                found = await room.verify(each.token())
                assert found is not None
                assert found.instance is not None
                assert found.instance.name == each.address.removeprefix("http://")

            assert await room.verify(gitlab.token(iss=second.address)) is None
            assert await room.verify(second.token(iss=gitlab.address)) is None


async def test_an_instance_cannot_take_the_name_of_another_by_its_discovery(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with FakeGitLab(name="liar") as liar:
        liar.issuer = gitlab.address
        written = section(issuer(liar), issuer(gitlab))
        async with identity(written, time, log, no_keys) as room:
            assert await room.verify(liar.token(iss=liar.address)) is not None
            assert await room.verify(liar.token()) is None
            assert await room.verify(gitlab.token()) is not None


async def test_a_discovery_cannot_take_our_own_name(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    gitlab.issuer = "gitlab-ai-gateway"
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        assert await room.verify(gitlab.token(iss=gitlab.address)) is not None
        assert await room.verify(gitlab.token()) is None


@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_issuer_may_have_other_names(
    slash: str, gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    gitlab.issuer = "https://gitlab.example" + slash
    written = section(issuer(gitlab, issuer="https://written.example"))
    async with identity(written, time, log, no_keys) as room:
        for name in (gitlab.address, "https://gitlab.example", "https://written.example"):
            assert await room.verify(gitlab.token(iss=name + slash)) is not None


@pytest.mark.parametrize("form", ["public", "private", "pkcs1", "certificate"])
async def test_keys_in_a_file_need_no_gitlab(
    form: str, gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    key = rsa_key(gitlab.kid)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gitlab")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )  # fmt: skip
    pems = {
        "public": public_pem(key),
        "private": private_pem(key),
        "pkcs1": key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        ).decode(),
        "certificate": certificate.decode(),
    }
    others = public_pem(rsa_key("other"))
    written = section(issuer(gitlab, keys=(others, pems[form])))
    async with identity(written, time, log, no_keys) as room:
        await room.run()

        assert await room.verify(gitlab.token()) is not None
        assert await room.verify(signed(gitlab.claims(), rsa_key("stranger"), "x")) is None
        assert not gitlab.requests
        assert list(room.places()) == []


def bad_pems() -> dict[str, tuple[str, str]]:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    edwards = ed25519.Ed25519PrivateKey.generate()
    encrypted = rsa_key("good").private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    return {
        "garbage": ("garbage", "key as PEM."),
        "empty frame": ("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "key as PEM."),
        "private garbage": ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "PEM"),
        "elliptic": (
            elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "no RSA key",
        ),
        "edwards": (
            edwards.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "no RSA key",
        ),
        "small": (private_pem(rsa_key("small", 1024)), "1024 bits"),
        "encrypted": (encrypted.decode(), "without a password"),
    }


@pytest.mark.parametrize("field", ["keys", "signing_key", "validation_key"])
@pytest.mark.parametrize("kind", bad_pems())
async def test_bad_keys_are_told_at_start(
    kind: str, field: str, gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    pem, says = bad_pems()[kind]
    if field == "keys":
        written, where = section(issuer(gitlab, keys=(pem,))), gitlab.address
    else:
        written, where = section(**{field: Secret(pem)}), field
    with pytest.raises(ConfigError) as caught:
        async with identity(written, time, log, no_keys):
            pass

    assert where in str(caught.value)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("url", ["http://x:99999", "http://user:secret@x"])
async def test_a_url_that_cannot_be_asked_is_told_at_start(
    url: str, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    written = section(issuer(FakeGitLab()))
    written = section(*(type(each)(url=url) for each in written.instances))
    with pytest.raises(ConfigError, match=r"gitlab\.instances"):
        async with identity(written, time, log, no_keys):
            pass


async def test_two_entries_for_one_instance_are_told_at_start(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    with pytest.raises(ConfigError, match="two entries"):
        async with identity(section(issuer(gitlab), issuer(gitlab)), time, log, no_keys):
            pass


async def test_wrong_authorities_are_told_at_start(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys, tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing.pem")
    written = section(issuer(gitlab, ca_file=missing))
    async with identity(written, time, log, no_keys) as room:
        with pytest.raises(ConfigError, match=r"ca_file: there is no file .*missing\.pem"):
            room.check()


class Counting:
    """Proves tokens as usual, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, token: str, key: Any, /, **options: Any) -> object:
        self.count += 1
        return jwt.decode(token, key, **options)


async def test_a_token_is_proven_once(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    decode = Counting()
    keys = issuer(gitlab, keys=(public_pem(rsa_key(gitlab.kid)),))

    async def ask() -> Discovered:
        raise AssertionError

    instance = Instance(
        keys, audience="gitlab-ai-gateway", ask=ask, changed=lambda: None, log=log, clock=time.clock
    )
    ours = Signing(
        no_keys,
        signing_key=Secret(),
        validation_key=Secret(),
        changed=lambda: None,
        log=log,
        clock=time.clock,
    )
    tokens = Tokens((instance,), ours, time.wall, decode, remembered=2)
    first, second, third = (gitlab.token() for _ in range(3))
    for _ in range(100):
        assert isinstance(await tokens.verify(first), Verified)
    assert decode.count == 1

    await tokens.verify(second)
    await tokens.verify(third)
    await tokens.verify(second)
    assert decode.count == 3
    await tokens.verify(first)  # no room was left for it
    assert decode.count == 4

    tokens.forget()
    await tokens.verify(first)
    assert decode.count == 5

    time.go(3601)
    assert isinstance(await tokens.verify(first), Verified)  # the real clock says so
    assert decode.count == 6


async def test_a_token_is_forgotten_with_its_key(
    gitlab: FakeGitLab, time: Time, log: KeptLog, no_keys: NoKeys
) -> None:
    async with identity(section(issuer(gitlab)), time, log, no_keys) as room:
        former = gitlab.token()
        assert await room.verify(former) is not None
        gitlab.rotate()
        time.go(10)
        assert await room.verify(former) is not None  # nobody has missed a key yet
        assert await room.verify(gitlab.token()) is not None

        assert await room.verify(former) is None


@given(
    st.text(max_size=300)
    | st.lists(st.text(string.ascii_letters + "-_="), max_size=5).map(".".join)
)
def test_whatever_comes_is_read_or_refused(token: str) -> None:
    found = read(token)

    assert isinstance(found, Refusal)
    assert found.why.isascii()


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64"]),
        st.sampled_from(["RS256", "none", ["b64"], False, 5, None, "k"]),
    ),
    claims=st.dictionaries(
        st.sampled_from(["iss", "exp", "aud", "sub", "nbf", "iat", "scopes", "gitlab_realm"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    ),
)
async def test_whatever_is_signed_is_read_or_refused(
    header: dict[str, Any], claims: dict[str, Any]
) -> None:
    token = f"{part(header)}.{part(claims)}.{part(b'signature')}"
    found = read(token)

    if isinstance(found, Refusal):
        assert found.kind in {"form", "algorithm", "claims"}
    else:
        assert isinstance(found.claims.exp, float)
        assert found.claims.exp == claims["exp"]
