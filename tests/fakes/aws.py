"""Who guards the doors of AWS: signatures verified with botocore, and those who hand out keys."""

import asyncio
import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fakes.http import Exchange, Request, Server

ACCOUNT = "123456789012"
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
SKEW = timedelta(minutes=5)
CODES_OF_STS = {
    "ExpiredTokenException": "ExpiredToken",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
}
"""STS is older than Bedrock, and calls the same things otherwise."""
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/(\w+)/aws4_request,"
    r" ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})\Z"
)


@dataclass
class Known:
    """A secret that belongs to an access key's id; `expired` ends it."""

    secret: str
    token: str = ""
    expired: bool = False


class RefusedError(Exception):
    """An answer that is none; `message_name` is Message where the front door speaks."""

    def __init__(self, status: int, kind: str, said: str, message_name: str = "message") -> None:
        super().__init__(said)
        self.status = status
        self.kind = kind
        self.said = said
        self.message_name = message_name


def verified(request: Request, service: str, known: dict[str, Known], scheme: str) -> str:
    """Return the region that a request is signed for; raises RefusedError."""
    found = _AUTHORIZATION.match(request.headers.get("authorization", ""))
    if found is None:
        raise RefusedError(403, "MissingAuthenticationTokenException", "Missing Token")
    key_id, day, region, signed_service, names, signature = found.groups()
    keys = known.get(key_id)
    shown = request.headers.get("x-amz-security-token", "")
    if keys is None or shown != keys.token:
        raise RefusedError(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    if keys.expired:
        raise RefusedError(
            403, "ExpiredTokenException", "The security token included in the request is expired"
        )
    _check_names(request, names.split(";"))
    if signed_service != service:
        raise RefusedError(
            403,
            "InvalidSignatureException",
            f"Credential should be scoped to correct service: '{service}'.",
        )
    stamp = request.headers["x-amz-date"]
    expected = _signature(request, names.split(";"), stamp, region, service, key_id, keys, scheme)
    if not stamp.startswith(day) or not hmac.compare_digest(expected, signature):
        raise RefusedError(
            403,
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check"
            " your AWS Secret Access Key and signing method.",
        )
    _check_clock(stamp)
    return region


def _check_names(request: Request, names: list[str]) -> None:
    """AWS wants these headers signed where they are sent."""
    demanded = [name for name in request.headers if name.startswith("x-amz-")]
    demanded += ["host", "x-amz-date"]
    if missed := [name for name in demanded if name not in names]:
        raise RefusedError(
            403, "InvalidSignatureException", f"Headers must be signed: {', '.join(missed)}"
        )


def _signature(
    request: Request,
    names: list[str],
    stamp: str,
    region: str,
    service: str,
    key_id: str,
    keys: Known,
    scheme: str,
) -> str:
    # Rebuilt from the signed headers alone: what is not signed must not matter.
    rebuilt: Any = AWSRequest(
        request.method,
        f"{scheme}://{request.headers['host']}{request.target}",
        {name: request.headers[name] for name in names},
        request.body,
    )
    rebuilt.context["timestamp"] = stamp
    auth: Any = SigV4Auth(Credentials(key_id, keys.secret), service, region)
    return auth.signature(auth.string_to_sign(rebuilt, auth.canonical_request(rebuilt)), rebuilt)


def _check_clock(stamp: str) -> None:
    now = datetime.now(UTC)
    then = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(now - then) > SKEW:
        edge = f"{now - SKEW:%Y%m%dT%H%M%SZ} ({now:%Y%m%dT%H%M%SZ} - 5 min.)"
        raise RefusedError(
            403,
            "InvalidSignatureException",
            f"Signature expired: {stamp} is now earlier than {edge}",
        )


class FakeSts(Server):
    """Assumes any role of `ACCOUNT` for whoever has `source`; each time with other keys.

    They are added to `known`, and live for an hour.
    """

    def __init__(self, known: dict[str, Known]) -> None:
        super().__init__(self._assume)
        self.source = {KEY_ID: Known(SECRET)}
        self.asked: list[dict[str, str]] = []
        self._known = known

    async def _assume(self, exchange: Exchange) -> None:
        fields = {
            name: value[0] for name, value in parse_qs(exchange.request.body.decode()).items()
        }
        self.asked.append(fields)
        try:
            if fields["Action"] == "AssumeRole":
                verified(exchange.request, "sts", self.source, "http")
            _check_role(fields["RoleArn"])
        except RefusedError as error:
            code = CODES_OF_STS.get(error.kind, error.kind)
            said = f"<Code>{code}</Code><Message>{error}</Message>"
            body = f"<ErrorResponse><Error><Type>Sender</Type>{said}</Error></ErrorResponse>"
            await exchange.answer(error.status, body.encode(), "text/xml")
            return
        issued = issue(self._known, len(self.asked), timedelta(hours=1))
        keys = (
            f"<AccessKeyId>{issued['AccessKeyId']}</AccessKeyId>"
            f"<SecretAccessKey>{issued['SecretAccessKey']}</SecretAccessKey>"
            f"<SessionToken>{issued['Token']}</SessionToken>"
            f"<Expiration>{issued['Expiration']}</Expiration>"
        )
        action = fields["Action"]
        body = (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<{action}Result><Credentials>{keys}</Credentials></{action}Result>"
            f"</{action}Response>"
        )
        await exchange.answer(200, body.encode(), "text/xml")


class FakeContainer(Server):
    """Hands out keys as a container's agent does; each time others, which `known` then has.

    A `gate` holds answers back until it is set. Keys may be `stale`: expired, without saying so.
    """

    def __init__(self, known: dict[str, Known]) -> None:
        super().__init__(self._issue)
        self.issued = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.stale = False
        self._known = known

    async def _issue(self, exchange: Exchange) -> None:
        await self.gate.wait()
        self.issued += 1
        issued = issue(self._known, self.issued, timedelta(hours=6))
        self._known[issued["AccessKeyId"]].expired = self.stale
        await exchange.answer(200, json.dumps(issued).encode())


class FakeInstance(Server):
    """EC2's instance metadata (IMDSv2): a token first, then the role's name, then its keys."""

    TOKEN = "instance-metadata-token"
    ROLE = "models"

    def __init__(self, known: dict[str, Known]) -> None:
        super().__init__(self._route)
        self.issued = 0
        self._known = known

    async def _route(self, exchange: Exchange) -> None:
        request = exchange.request
        roles = "/latest/meta-data/iam/security-credentials/"
        if (request.method, request.target) == ("PUT", "/latest/api/token"):
            await exchange.answer(200, self.TOKEN.encode(), "text/plain")
        elif request.headers.get("x-aws-ec2-metadata-token") != self.TOKEN:
            await exchange.answer(401, b"")
        elif request.target == roles:
            await exchange.answer(200, self.ROLE.encode(), "text/plain")
        elif request.target == roles + self.ROLE:
            self.issued += 1
            keys = issue(self._known, self.issued, timedelta(hours=6))
            found = {"Code": "Success", "Type": "AWS-HMAC", **keys}
            await exchange.answer(200, json.dumps(found).encode())
        else:
            await exchange.answer(404, b"")


def issue(known: dict[str, Known], number: int, lifetime: timedelta) -> dict[str, str]:
    """Return new temporary keys, which `known` has from now on."""
    key_id, secret, token = (
        f"ASIAFAKEKEYNUMBER{number:03}",
        f"{SECRET}{number}",
        f"token-{number}==",
    )
    known[key_id] = Known(secret, token)
    return {
        "AccessKeyId": key_id,
        "SecretAccessKey": secret,
        "Token": token,
        "Expiration": f"{datetime.now(UTC) + lifetime:%Y-%m-%dT%H:%M:%SZ}",
    }


def _check_role(arn: str) -> None:
    if f":{ACCOUNT}:" not in arn:
        raise RefusedError(403, "AccessDenied", "Not authorized to perform: sts:AssumeRole")


async def refuse(exchange: Exchange, error: RefusedError, headers: str = "") -> None:
    body = json.dumps({error.message_name: error.said}).encode()
    date = f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}"
    # The type carries a URL, as that of many services does.
    tail = ":http://internal.amazon.com/coral/com.amazon.bedrock/"
    await exchange.send(
        f"HTTP/1.1 {error.status} X\r\ncontent-type: application/json\r\ndate: {date}\r\n"
        f"x-amzn-ErrorType: {error.kind}{tail}\r\nx-amzn-RequestId: 1\r\n{headers}"
        f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
