"""Our signatures are botocore's."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from inhouse.providers.bedrock.signing import SERVICE, Keys, Signer

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
VALUES = st.lists(VISIBLE, min_size=1, max_size=3).map("  ".join)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "x-amz-meta", "x-amz-user"]), VALUES, max_size=3
)
# A day more or less is a time zone's matter: AWS's is UTC.
MOMENTS = st.integers(min_value=0, max_value=4_102_444_800)


def by_botocore(
    keys: Keys, region: str, headers: dict[str, str], target: str, body: bytes, now: int
) -> str:
    request: Any = AWSRequest("POST", f"http://{headers['host']}{target}", headers, body)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    if keys.token:
        request.headers["X-Amz-Security-Token"] = keys.token
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token or None)
    auth: Any = SigV4Auth(credentials, SERVICE, region)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    signed: str = request.headers["Authorization"]
    return signed


def ours(signer: Signer, target: str, body: bytes, now: int | None) -> dict[str, str]:
    block = signer.sign(target, body, now).decode().removesuffix("\r\n").split("\r\n")
    return {name: value for name, _, value in (line.partition(": ") for line in block)}


@given(
    keys=st.builds(Keys, VISIBLE, VISIBLE, st.just("") | VISIBLE),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"]),
    headers=HEADERS,
    # No name is a dot or two: AWS would take those for steps in the path.
    model=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(
        lambda name: name not in {".", ".."}
    ),
    bodies=st.lists(st.tuples(st.binary(max_size=200), MOMENTS), min_size=1, max_size=3),
)
def test_signs_as_botocore_does(
    keys: Keys,
    region: str,
    headers: dict[str, str],
    model: str,
    bodies: list[tuple[bytes, int]],
) -> None:
    headers = {"host": "vpce-1.bedrock.example:8443", **headers}
    target = f"/model/{quote(model, safe='')}/converse-stream"
    signer = Signer(keys, region, headers)
    for body, now in bodies:
        fields = ours(signer, target, body, now)
        expected = by_botocore(keys, region, headers, target, body, now)
        assert fields["authorization"] == expected
        assert fields.get("x-amz-security-token", "") == keys.token


def test_signs_for_now() -> None:
    before = time.time()
    fields = ours(Signer(Keys("id", "secret"), "us-east-1", {"host": "h"}), "/x", b"", None)
    stamp = datetime.strptime(fields["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert int(before) <= stamp.timestamp() <= time.time()


def test_secrets_are_not_shown() -> None:
    assert repr(Keys("AKIA", "hush", "hush")) == "Keys('AKIA')"
