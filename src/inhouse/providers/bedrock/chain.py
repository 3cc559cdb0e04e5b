"""Credentials by botocore: its whole chain, and roles on top of it. Everything here blocks."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast

from inhouse.core.ports import Egress
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.bedrock.guarding import guard
from inhouse.providers.bedrock.identity import Identity
from inhouse.providers.bedrock.signing import Keys
from inhouse.wire.openai.refusals import quote

CONNECT_SECONDS = 5
READ_SECONDS = 10


class Held(Protocol):
    """Credentials that renew themselves where they can."""

    def keys(self) -> Keys:
        """Return what to sign with, renewed where that is due; may ask AWS, and blocks."""
        ...

    def due(self, seconds: float) -> bool:
        """Tell whether they end within so many seconds; asks nobody."""
        ...


class _Frozen(Protocol):
    access_key: str
    secret_key: str
    token: str | None


class _Credentials(Protocol):
    def get_frozen_credentials(self) -> _Frozen: ...


class Fixed:
    """Keys that a deployment has itself."""

    def __init__(self, keys: Keys) -> None:
        """Hold `keys`."""
        self._keys = keys

    def keys(self) -> Keys:
        """Return the keys."""
        return self._keys

    def due(self, seconds: float) -> bool:
        """They never end, as far as we know."""
        del seconds
        return False


class Resolved:
    """Credentials of botocore's, which renews them a quarter of an hour ahead."""

    def __init__(self, credentials: _Credentials, identity: Identity) -> None:
        """Hold what was resolved for `identity`."""
        self._credentials = credentials
        self._identity = identity
        self._due: Callable[[float], bool] | None = getattr(credentials, "refresh_needed", None)

    def keys(self) -> Keys:
        """Return frozen credentials; raises UpstreamError where renewing fails."""
        frozen = _asking(self._identity, self._credentials.get_frozen_credentials)
        return Keys(frozen.access_key, frozen.secret_key, frozen.token or "")

    def due(self, seconds: float) -> bool:
        """Tell whether they end within so many seconds."""
        return self._due is not None and self._due(seconds)


def resolve(identity: Identity, egress: Egress | None) -> Held:
    """Return the credentials of a deployment, asked for anew where `egress` lets us.

    Raises:
        UpstreamError: there are none, or they cannot be had; `param` names the field.
        ConfigError: botocore is not installed.

    """
    if identity.keys is not None and not identity.role_arn:
        return Fixed(identity.keys)
    session = _asking(identity, lambda: _session(identity, egress))
    if identity.role_arn:
        return Resolved(_asking(identity, lambda: _assumed(session, identity)), identity)
    found = _asking(identity, session.get_credentials)
    if found is None:
        raise nobody()
    return Resolved(found, identity)


def load() -> None:
    """Import what streams and signatures need; raises ConfigError where it is not installed."""
    for name in ("botocore.eventstream", "botocore.session"):
        _module(name)


def missing() -> ConfigError:
    """Return the error for an installation without botocore."""
    return ConfigError(
        "Deployments at Bedrock need botocore: pip install 'inhouse[bedrock]'.", param="identifier"
    )


def nobody() -> UpstreamError:
    """Return the error for a chain that found nothing."""
    return UpstreamError(
        UpstreamFailure.AUTHENTICATION,
        "No AWS credentials were found: not in the environment, in AWS's files, nor from a role of"
        " the container or the machine. Set api_key to an API key of Bedrock or to ID:SECRET, or"
        " options.profile, or give the gateway's process a role.",
        param="api_key",
    )


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "botocore":
            raise missing() from None
        raise


def _session(identity: Identity, egress: Egress | None) -> Any:
    session = _module("botocore.session").Session(profile=identity.profile or None)
    session.set_config_variable("region", identity.region)
    if egress is not None:
        guard(session, egress, identity)
    if identity.keys is not None:
        keys = identity.keys
        session.set_credentials(keys.access_key, keys.secret_key, keys.token or None)
    return session


def _assumed(session: Any, identity: Identity) -> _Credentials:
    if session.get_credentials() is None:
        raise nobody()
    config = _module("botocore.config").Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 2},
    )
    wanted = {"RoleArn": identity.role_arn, "RoleSessionName": identity.role_session_name}
    if identity.external_id:
        wanted["ExternalId"] = identity.external_id

    def assume() -> dict[str, str]:
        sts = session.create_client("sts", region_name=identity.region, config=config)
        # Once an hour: a connection is not worth keeping.
        with contextlib.closing(sts):
            found = sts.assume_role(**wanted)["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }

    return cast(
        _Credentials,
        _module("botocore.credentials").RefreshableCredentials.create_from_metadata(
            assume(), refresh_using=assume, method="assume-role"
        ),
    )


def _asking(identity: Identity, ask: Callable[[], Any]) -> Any:
    """Return what `ask` returns, botocore's errors as ours."""
    exceptions = _module("botocore.exceptions")
    try:
        return ask()
    except exceptions.ClientError as error:
        raise _refused(identity, error.response.get("Error", {})) from None
    except (exceptions.BotoCoreError, exceptions.HTTPClientError, OSError) as error:
        raise _failed(identity, error) from None


def _refused(identity: Identity, said: dict[str, Any]) -> UpstreamError:
    """Explain what STS, or whoever else hands out credentials, answered."""
    code, message = str(said.get("Code", "")), _quoted(identity, str(said.get("Message", "")))
    param = identity.blamed
    if identity.role_arn and code in {"AccessDenied", "AccessDeniedException"}:
        what = (
            f"AWS does not let us assume the role {identity.role_arn}. The role's trust policy must"
            " name who we are, with options.external_id where it asks for one; and who we are must"
            " be allowed sts:AssumeRole"
        )
    elif code in {"ExpiredToken", "ExpiredTokenException", "UnauthorizedException"}:
        what = "The credentials with which AWS is asked for others have expired. Renew them"
    elif code in {"InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException"}:
        param = "api_key" if identity.keys is not None else param
        what = "AWS does not know the keys with which it is asked for others. Check them"
    else:
        what = "AWS refuses to hand out credentials"
    return UpstreamError(
        UpstreamFailure.AUTHENTICATION, f'{what}. It answered {code}: "{message}"', param=param
    )


def _failed(identity: Identity, error: Exception) -> UpstreamError:
    """Explain what went wrong before AWS answered."""
    name, said = type(error).__name__, _quoted(identity, str(error))
    failure, param = UpstreamFailure.AUTHENTICATION, identity.blamed or None
    if name == "ProfileNotFound":
        what = f"AWS's files, as this process sees them, have no such profile: {said}"
    elif "SSO" in name or name in {"TokenRetrievalError", "LoginError"}:
        login = f"aws sso login --profile {identity.profile}" if identity.profile else "a login"
        what = f"The session that AWS's files lead to has ended and needs {login}: {said}"
    elif "Connection" in name or "Timeout" in name or "HTTPClient" in name:
        failure = UpstreamFailure.UNREACHABLE
        what = (
            "Who hands out AWS credentials cannot be reached; in a closed network, name your VPC"
            f" endpoint of STS in AWS_ENDPOINT_URL_STS: {said}"
        )
    else:
        what = f"AWS credentials cannot be had ({name}): {said}"
    return UpstreamError(failure, what, param=param)


def _quoted(identity: Identity, said: str) -> str:
    keys = identity.keys
    secrets = [] if keys is None else [keys.secret_key, keys.token]
    return quote(" ".join(said.split()), secrets, "")
