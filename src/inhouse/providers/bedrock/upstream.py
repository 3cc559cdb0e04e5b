"""A deployment as its provider knows it: its address settled, its habits learned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import quote, urlsplit

import msgspec

from inhouse.core.catalog import Deployment
from inhouse.core.ports import ProviderContext
from inhouse.providers.bedrock.chain import missing
from inhouse.providers.bedrock.identity import domain, identify, places
from inhouse.providers.bedrock.options import Options
from inhouse.providers.bedrock.signing import Keys, Signer
from inhouse.providers.connecting import Connecting, fault, read_options
from inhouse.transport import header_block
from inhouse.wire.bedrock.converse import DEFAULT_HABITS, Extras
from inhouse.wire.bedrock.identifiers import REGION, Model, read_model
from inhouse.wire.bedrock.raw import Raw, raw_shape

_HOST = re.compile(
    r"(?:^|\.)(bedrock|bedrock-runtime|bedrock-agent|bedrock-agent-runtime|bedrock-mantle)(-fips)?"
    r"\.([a-z0-9-]+-[0-9]+)\.(?:vpce\.)?(?:amazonaws|c2s|sc2s|api\.aws|csp|cloud)"
)
_OURS = {"authorization", "content-length", "host", "x-amz-date", "x-amz-security-token"}
_JSON = "application/json"


class Upstream:
    """What we know of one deployment's upstream, and what it has taught us."""

    def __init__(self, deployment: Deployment, context: ProviderContext) -> None:
        """Read `deployment`; raises ConfigError, which names the field."""
        self.deployment = deployment
        options = read_options(deployment, Options)
        self.model = _model(deployment)
        self.region, self.base = _address(deployment, options, self.model, context.environment)
        self.identity = identify(deployment, options, self.region, context.environment)
        self.raw = _raw(options, self.model)
        self.extras = _extras(deployment, options)
        self.habits = DEFAULT_HABITS
        self.counts_tokens = True
        self.frame_tokens: int | None = None
        """Tokens that CountTokens adds for the form of a message; None until it was asked."""
        headers = {"accept": "*/*", "content-type": _JSON, **_headers(deployment, options)}
        options = msgspec.structs.replace(options, headers=headers)
        # Without an endpoint the address follows from the region.
        field = "endpoint" if deployment.endpoint else "options.region"
        self.connecting = Connecting(deployment, options, context, self.base, field)
        self.place = self.connecting.place
        self.places = self.connecting.endpoints | places(self.identity, context.environment)
        self.guardrail = _guardrail(self.extras)
        keys = self.identity.keys
        self._secrets = [deployment.api_key.reveal(), self.identity.bearer]
        self._secrets += [] if keys is None else [keys.secret_key, keys.token]
        self._bearer = self._authorization()
        self._signed = {name: headers[name] for name in headers if name.startswith("x-amz-")}
        self._signed |= {"content-type": headers["content-type"], "host": _authority(self.base)}
        self._signer: Signer | None = None

    @property
    def secrets(self) -> list[str]:
        """What must not be quoted from AWS's answers, the keys of a role among it."""
        if self._signer is None:
            return self._secrets
        return [*self._secrets, self._signer.keys.secret_key, self._signer.keys.token]

    def target(self, operation: str, model: str = "") -> str:
        """Return the path of an operation, percent-encoded as it is sent and signed."""
        prefix = urlsplit(self.base).path
        return f"{prefix}/model/{quote(model or self.model.name, safe='')}/{operation}"

    def url(self, target: str) -> str:
        """Return the URL of a path."""
        return self.base.removesuffix(urlsplit(self.base).path) + target

    def authorization(self, keys: Keys | None, target: str, body: bytes) -> bytes:
        """Return the header fields that authorise a request; `keys` are None for API keys."""
        if keys is None:
            return self._bearer
        if self._signer is None or self._signer.keys is not keys:
            self._signer = Signer(keys, self.region, self._signed)
        return self._signer.sign(target, body)

    def _authorization(self) -> bytes:
        bearer = self.identity.bearer
        if not bearer:
            return b""
        if not self.base.startswith("https://"):
            raise fault(
                self.deployment,
                "endpoint",
                "an API key of Bedrock may travel over https:// only; give this deployment keys"
                " that sign (ID:SECRET), or an endpoint with https://",
            )
        return self.connecting.secret_header("authorization", f"Bearer {bearer}")


def _model(deployment: Deployment) -> Model:
    try:
        return read_model(deployment.model)
    except ValueError as error:
        raise fault(deployment, "identifier", str(error)) from None


def _address(
    deployment: Deployment, options: Options, model: Model, environment: Mapping[str, str]
) -> tuple[str, str]:
    """Return the region and the base of all URLs."""
    endpoint = re.split(r"[?#]", deployment.endpoint.strip(), maxsplit=1)[0].rstrip("/")
    host = _HOST.search(urlsplit(endpoint).netloc.lower()) if endpoint else None
    if host is not None and host[1] != "bedrock-runtime":
        raise fault(
            deployment,
            "endpoint",
            f"models are asked at bedrock-runtime.{host[3]}.…, not at {host[1]}; leave the endpoint"
            " empty for AWS's own",
        )
    told = "" if host is None else host[3]
    region = options.region or model.region or told
    region = region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", "")
    _check_region(deployment, options, model, told, region)
    if endpoint:
        if options.fips:
            raise fault(
                deployment, "options.fips", "with an endpoint of its own, write the FIPS one there"
            )
        return region, re.sub(r"/model(?:/.*)?\Z", "", endpoint)
    fips = "-fips" if options.fips else ""
    return region, f"https://bedrock-runtime{fips}.{region}.{domain(region)}"


def _check_region(
    deployment: Deployment, options: Options, model: Model, told: str, region: str
) -> None:
    if not region:
        raise fault(deployment, "options.region", 'it is missing; set it, to "eu-central-1" say')
    if not REGION.match(region):
        raise fault(
            deployment,
            "options.region",
            f"{region[:40]!a} is no region; one looks like eu-central-1, without a zone's letter",
        )
    if model.region and model.region != region:
        raise fault(
            deployment,
            "options.region",
            f"it is {region}, but the identifier's ARN is of {model.region}; leave one of them out",
        )
    if told and told != region:
        raise fault(
            deployment,
            "options.region" if options.region else "identifier",
            f"the region is {region}, but the endpoint is in {told}; they must be the same",
        )


def _raw(options: Options, model: Model) -> Raw | None:
    wanted = options.raw_prompts
    if wanted is None:
        return raw_shape(model.base)
    return None if wanted == "none" else Raw(wanted)


def _extras(deployment: Deployment, options: Options) -> Extras:
    if bool(options.guardrail_id) != bool(options.guardrail_version):
        missed = "guardrail_version" if options.guardrail_id else "guardrail_id"
        raise fault(
            deployment, f"options.{missed}", "a guardrail needs both its id and its version"
        )
    return Extras(
        guardrail_id=options.guardrail_id,
        guardrail_version=options.guardrail_version,
        additional=options.model_fields,
    )


def _guardrail(extras: Extras) -> bytes:
    """Return the headers by which InvokeModel knows a guardrail."""
    if not extras.guardrail_id:
        return b""
    return header_block(
        {
            "x-amzn-bedrock-guardrailidentifier": extras.guardrail_id,
            "x-amzn-bedrock-guardrailversion": extras.guardrail_version,
        }
    )


def _headers(deployment: Deployment, options: Options) -> dict[str, str]:
    headers = {name.lower(): value for name, value in options.headers.items()}
    for name in sorted(_OURS & headers.keys()):
        raise fault(deployment, "options.headers", f"'{name}' is set by whoever signs the request")
    return headers


def _authority(base: str) -> str:
    """Return the ``Host`` field as the transport writes it."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in {None, default} else f"{host}:{parts.port}"


def installed() -> None:
    """Raise ConfigError where botocore is not installed; imports nothing."""
    if find_spec("botocore") is None:
        raise missing()
