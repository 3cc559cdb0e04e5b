"""Who a deployment is to AWS, and whom that makes us ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.core.ports import Place
from inhouse.providers.bedrock.options import Options
from inhouse.providers.bedrock.signing import Keys
from inhouse.providers.connecting import fault

_ACCESS_KEY = re.compile(r"A[KS]IA[A-Z0-9]{12,124}(?![A-Za-z0-9])")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+\Z")
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}
"""Domains of AWS's partitions, by how their regions begin."""
_DOMAIN = "amazonaws.com"
DOMAINS = frozenset({_DOMAIN, *_SUFFIXES.values()})
"""Domains that are AWS's own."""
_METADATA: Place = ("169.254.169.254", 80)
_CONTAINERS: Place = ("169.254.170.2", 80)


class Identity(Struct, frozen=True, kw_only=True):
    """How requests are authorised; deployments that are alike in it share their credentials.

    With `bearer` by that API key alone. Otherwise signed: with `keys`, or with what botocore's
    chain finds (for `profile`, where it is set), turned into those of `role_arn` where that is set.
    """

    region: str
    bearer: str = ""
    keys: Keys | None = None
    profile: str = ""
    role_arn: str = ""
    role_session_name: str = ""
    external_id: str = ""

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"Identity(role_arn={self.role_arn!r}, profile={self.profile!r})"

    @property
    def blamed(self) -> str:
        """The field of the deployment that the credentials come from, empty where none."""
        if self.role_arn:
            return "options.role_arn"
        if self.bearer or self.keys is not None:
            return "api_key"
        return "options.profile" if self.profile else ""


def identify(
    deployment: Deployment, options: Options, region: str, environment: Mapping[str, str]
) -> Identity:
    """Return who a deployment is; raises `ConfigError`, which names the field."""
    if options.role_arn and not _ROLE.match(options.role_arn):
        raise fault(
            deployment,
            "options.role_arn",
            "it is no role's ARN; such a one reads arn:aws:iam::ACCOUNT:role/NAME",
        )
    if options.external_id and not options.role_arn:
        raise fault(
            deployment,
            "options.external_id",
            "it is of no use without options.role_arn, the role whose trust policy asks for it",
        )
    key = deployment.api_key.reveal().strip()
    keys = _keys(deployment, key)
    signed = options.role_arn or options.profile
    if key and keys is None and signed:
        raise fault(
            deployment,
            "api_key",
            "an API key of Bedrock is used as it is; leave out the key, or role_arn and profile",
        )
    if keys is None and not signed:
        key = key or environment.get("AWS_BEARER_TOKEN_BEDROCK", "").strip()
    return Identity(
        region=region,
        bearer=key if keys is None and not signed else "",
        keys=keys,
        profile=options.profile,
        role_arn=options.role_arn,
        role_session_name=options.role_session_name if options.role_arn else "",
        external_id=options.external_id if options.role_arn else "",
    )


def domain(region: str) -> str:
    """Return the domain of AWS's partition that a region is in."""
    found = (suffix for start, suffix in _SUFFIXES.items() if region.startswith(start))
    return next(found, _DOMAIN)


def places(identity: Identity, environment: Mapping[str, str]) -> frozenset[Place]:
    """Return where botocore connects to for credentials, as far as options and environment tell.

    A profile may send it to STS; where else, only AWS's files know.
    """
    if identity.bearer:
        return frozenset()
    found: set[Place] = set()
    if identity.role_arn or identity.profile:
        found.add(_sts(identity.region, environment))
    given = identity.keys is not None or identity.profile
    if given or "AWS_ACCESS_KEY_ID" in environment:
        return frozenset(found)
    if "AWS_PROFILE" in environment or "AWS_WEB_IDENTITY_TOKEN_FILE" in environment:
        found.add(_sts(identity.region, environment))
    elif "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in environment:
        found.add(_CONTAINERS)
    elif url := environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        found |= _place(url)
    elif environment.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
        found.add(_METADATA)
    return frozenset(found)


def _keys(deployment: Deployment, key: str) -> Keys | None:
    """Read ``ID:SECRET`` or ``ID:SECRET:TOKEN``; None where the key is none of these."""
    if not _ACCESS_KEY.match(key):
        return None
    access_key, _, rest = key.partition(":")
    secret_key, _, token = rest.partition(":")
    if not secret_key:
        raise fault(
            deployment,
            "api_key",
            "it is the id of an access key without its secret; write ID:SECRET, or ID:SECRET:TOKEN"
            " for temporary ones",
        )
    return Keys(access_key, secret_key, token)


def _sts(region: str, environment: Mapping[str, str]) -> Place:
    found = _place(environment.get("AWS_ENDPOINT_URL_STS", ""))
    return next(iter(found), (f"sts.{region}.{domain(region)}", 443))


def _place(url: str) -> set[Place]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return set()
    return {(parts.hostname, port)} if parts.hostname else set()
