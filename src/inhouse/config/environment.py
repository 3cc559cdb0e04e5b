"""The environment: which variables are read, and the folders that follow from them."""

from __future__ import annotations

import difflib
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from inhouse.errors import ConfigError


class Variable(Struct, frozen=True):
    """An environment variable that inhouse reads, and what it is for."""

    name: str
    help: str


class Remark(Struct, frozen=True):
    """What the start says of variables that have no effect, or not the one that was meant."""

    variables: tuple[str, ...]
    text: str


VARIABLES = (
    Variable("INHOUSE_CONFIG", "Path of the configuration file."),
    Variable("INHOUSE_HOST", "Address to listen on; goes before `host` in `[server]`."),
    Variable("INHOUSE_PORT", "Port to listen on; goes before `port` in `[server]`."),
    Variable("INHOUSE_WORKERS", "Number of processes; goes before `workers` in `[server]`."),
    Variable("INHOUSE_STORE_URL", "The store; goes before `url` in `[store]`."),
    Variable("INHOUSE_LOG_LEVEL", "Least level that is logged; goes before `level` in `[log]`."),
    Variable(
        "INHOUSE_SECRET_KEY",
        "Key that seals upstream keys in the store, at least 32 random characters.",
    ),
    Variable(
        "INHOUSE_GITLAB_ALLOWED_ENDPOINTS",
        "Sets `allowed_endpoints` in `[gitlab]`, separated by commas, and `models` to `request`.",
    ),
    Variable("INHOUSE_URL", "URL of the gateway that the command line talks to."),
    Variable("INHOUSE_API_KEY", "API key that the command line shows to the gateway."),
    Variable("HTTP_PROXY", "Proxy for upstreams at `http://` URLs."),
    Variable("HTTPS_PROXY", "Proxy for upstreams at `https://` URLs."),
    Variable("ALL_PROXY", "Proxy for upstreams where the one of their scheme is not set."),
    Variable("NO_PROXY", "Hosts that are asked without a proxy, separated by commas."),
    Variable("SSL_CERT_FILE", "PEM file of authorities that are trusted whoever is asked."),
    Variable("REQUESTS_CA_BUNDLE", "Likewise; both hold, beside the system's authorities."),
    Variable("AZURE_TENANT_ID", "Azure workload identity: the directory, as its webhook sets it."),
    Variable("AZURE_CLIENT_ID", "Azure workload identity: the application, likewise."),
    Variable("AZURE_FEDERATED_TOKEN_FILE", "Azure workload identity: file of the pod's own token."),
    Variable("AZURE_AUTHORITY_HOST", "Where Azure's tokens are issued; else by the endpoint."),
    Variable("IDENTITY_ENDPOINT", "Azure managed identity: where App Service or Arc issue tokens."),
    Variable("IDENTITY_HEADER", "Azure managed identity: what App Service wants to be shown."),
    Variable("IMDS_ENDPOINT", "Azure managed identity: set on machines that Arc manages."),
    Variable(
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
        "Azure managed identity: stands in for the metadata service at 169.254.169.254.",
    ),
    Variable("AWS_REGION", "Bedrock: the region of deployments that name none."),
    Variable("AWS_DEFAULT_REGION", "Bedrock: likewise, where `AWS_REGION` is not set."),
    Variable("AWS_REGION_NAME", "Bedrock: likewise, where neither of these is set."),
    Variable("AWS_BEARER_TOKEN_BEDROCK", "Bedrock: API key, where no key, role or profile is set."),
    Variable("AWS_ACCESS_KEY_ID", "Bedrock: says that botocore has keys from the environment."),
    Variable("AWS_PROFILE", "Bedrock: says that botocore reads AWS's own files."),
    Variable("AWS_WEB_IDENTITY_TOKEN_FILE", "Bedrock: says that botocore asks STS."),
    Variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "Bedrock: says that botocore asks ECS."),
    Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "Bedrock: says whom botocore asks, on EKS say."),
    Variable("AWS_EC2_METADATA_DISABLED", "Bedrock: `true` if botocore must not ask EC2."),
    Variable("AWS_ENDPOINT_URL_STS", "Bedrock: where botocore finds STS, a VPC endpoint say."),
    Variable("XDG_CONFIG_HOME", "Where `inhouse/inhouse.toml` is looked for; else `~/.config`."),
    Variable("XDG_STATE_HOME", "Where the store is made by default; else `~/.local/state`."),
    Variable("XDG_CACHE_HOME", "Where indexes are cached; else `~/.cache`."),
)
"""Every variable that is read, but GitLab's and those that a configuration names with ``env:``."""

PREFIX = "INHOUSE_"
NEAR = 0.85
"""How alike two names are, from 0 to 1, of which one is taken for a slip of the other."""

PLATFORM_PREFIXES = ("AWS_", "AZURE_", "IDENTITY_", "IMDS_")
"""Of the variables above, those that a platform sets for providers to read."""

AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def environment() -> Mapping[str, str]:
    """Return the process's environment."""
    return os.environ  # noqa: TID251 - this is the one place


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy variables in lower case; lower case wins, as in curl."""
    found = {name: environ.get(name) or environ.get(name.upper(), "") for name in PROXIES}
    return {name: value for name, value in found.items() if value}


def platform(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a platform tells the providers: who this process is, and where to prove it."""
    names = [each.name for each in VARIABLES if each.name.startswith(PLATFORM_PREFIXES)]
    found = {name: environ[name] for name in names if environ.get(name)}
    region = found.pop("AWS_REGION_NAME", "")
    if region and "AWS_REGION" not in found and "AWS_DEFAULT_REGION" not in found:
        found["AWS_REGION"] = region
    return found


def slips(environ: Mapping[str, str], followed: frozenset[str]) -> tuple[Remark, ...]:
    """Name the variables that look like misspelt ones of ours, but those that a file refers to."""
    ours = {each.name.removeprefix(PREFIX) for each in VARIABLES if each.name.startswith(PREFIX)}
    found: list[Remark] = []
    for name in sorted(each for each in environ if each.startswith(PREFIX)):
        rest = name.removeprefix(PREFIX)
        near = difflib.get_close_matches(rest, ours, n=1, cutoff=NEAR)
        if near and near[0] != rest and name not in followed:
            text = f"There is no such variable; did you mean '{PREFIX}{near[0]}'?"
            found.append(Remark(variables=(name,), text=text))
    return tuple(found)


def authorities(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the paths of authorities that hold for every connection; raises `ConfigError`."""
    found: list[str] = []
    for name in AUTHORITIES:
        path = environ.get(name, "")
        if not path:
            continue
        try:
            folder = Path(path).is_dir()
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
                **({"capath": path} if folder else {"cafile": path})
            )
        except (OSError, ValueError) as error:
            why = error.strerror if type(error) is FileNotFoundError else "no certificate in it"
            raise ConfigError(
                f"{name}: '{path}' is no usable PEM file ({why}); correct or unset the variable"
            ) from None
        found.append(path)
    return tuple(found)


def home(environ: Mapping[str, str]) -> Path:
    """Return the user's home folder."""
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def expanded(path: str, environ: Mapping[str, str]) -> Path:
    """Return a path, a leading ``~/`` as the user's home folder."""
    return home(environ) / path[2:] if path.startswith("~/") else Path(path)


def folder(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Return inhouse's folder under an XDG one; a relative one is ignored, as XDG demands."""
    base = Path(environ.get(variable, ""))
    return (base if base.is_absolute() else home(environ) / default) / "inhouse"


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return where a user's ``inhouse.toml`` is looked for."""
    return folder(environ, "XDG_CONFIG_HOME", ".config")


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return where the store and its key are by default."""
    return folder(environ, "XDG_STATE_HOME", ".local/state")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return where files lie that may be lost at any time."""
    return folder(environ, "XDG_CACHE_HOME", ".cache")
