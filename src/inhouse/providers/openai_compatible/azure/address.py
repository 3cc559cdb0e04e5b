"""The address of an Azure resource, made from what people paste into ``endpoint``.

Azure shows a resource's root in one place, whole URLs with deployment and api-version in another,
and the base of the v1 routes in a third; a gateway before Azure may add a path of its own.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, unquote

from msgspec import Struct

from inhouse.providers.openai_compatible.site import Routes

LATEST = "2024-10-21"
"""The newest dated api-version that is no preview."""
_LISTS_DEPLOYMENTS = "2023-03-15-preview"
"""The last api-version that lists the deployments of a resource; Azure still answers it."""
_AZURE = re.compile(
    r"\.(?:openai|cognitiveservices|services\.ai)\.azure\.(?:com|us|cn)\Z"
    r"|\.api\.cognitive\.(?:microsoft\.(?:com|us)|azure\.cn)\Z"
)
_PORTAL = re.compile(r"\A(?:portal|ms\.portal|oai|ai)\.azure\.(?:com|us|cn)\Z")
_ROUTE = re.compile(r"/(?:chat/completions|completions|embeddings|models|responses)\Z")


class Address(Struct, frozen=True, kw_only=True):
    """Where a resource is.

    `prefix` stands before ``/deployments`` and ``/v1``; `canonical` is how the endpoint should be
    written. `deployment`, `api_version` and `v1` are what else a pasted URL says.
    """

    prefix: str
    canonical: str
    host: str
    deployment: str = ""
    api_version: str = ""
    v1: bool = False


def read(endpoint: str) -> Address:
    """Read an endpoint; raises ValueError where it is a page of Azure's portal."""
    written = endpoint.strip()
    if "://" not in written:
        written = f"https://{written}"
    scheme, _, rest = written.partition("://")
    location, _, query = rest.partition("#")[0].partition("?")
    authority, _, path = location.partition("/")
    host = re.sub(r":\d*\Z", "", authority).lower()
    if _PORTAL.search(host):
        raise ValueError(
            "it is a page of Azure's portal; copy the endpoint from the page 'Keys and Endpoint' of"
            " the resource, as in https://RESOURCE.openai.azure.com"
        )
    origin = f"{scheme.lower()}://{authority}"
    steps = [step for step in path.split("/") if step]
    before, after = _parted(steps, azure=bool(_AZURE.search(host)))
    said = parse_qs(query).get("api-version", [""])[0]
    deployed = after[:1] == ["deployments"]
    v1 = after[:1] == ["v1"]
    base = "/".join([origin, *before])
    if before[-1:] == ["openai"] or not (deployed or v1):
        prefix = base if before[-1:] == ["openai"] else f"{base}/openai"
        canonical = prefix.removesuffix("/openai")
    else:
        # A gateway's own path stands in for /openai.
        prefix = base
        canonical = f"{base}/{after[0]}"
    return Address(
        prefix=prefix,
        canonical=canonical,
        host=host,
        deployment=unquote(after[1]) if deployed and len(after) > 1 else "",
        api_version=said,
        v1=v1,
    )


def _parted(steps: list[str], *, azure: bool) -> tuple[list[str], list[str]]:
    """Return the steps of a path that stand before the routes, and those of the routes."""
    if "openai" in steps:
        at = len(steps) - steps[::-1].index("openai")
        return steps[:at], steps[at:]
    if azure:
        # Whatever else is pasted, a resource's routes are below its root.
        at = next((i for i, step in enumerate(steps) if step in {"deployments", "v1"}), len(steps))
        return ["openai"], steps[at:]
    for at, step in enumerate(steps):
        if step in {"deployments", "v1"}:
            return steps[:at], steps[at:]
    path = _ROUTE.sub("", "/" + "/".join(steps))
    return [step for step in path.split("/") if step], []


def routes(address: Address, deployment: str, option: str, written: str) -> tuple[Routes, ...]:
    """Return where a deployment's routes are: as the option says, else as the URL says, else both.

    Without a word about it the v1 routes are tried first, and the classic ones where a cloud or a
    gateway lacks those.
    """
    said = option or address.api_version
    known = {address.canonical, address.prefix, f"{address.prefix}/v1"}
    remarks: list[str] = []
    if written.strip().rstrip("/") not in known:
        remarks.append(f"The endpoint should be {address.canonical}")
        if said and not option and said != "v1":
            remarks[0] += f", with the option api_version={said}"
    if address.deployment and address.deployment != deployment:
        remarks.append(
            f"The endpoint names the deployment '{address.deployment}', the identifier"
            f" '{deployment}', which goes first"
        )
    if said not in {"", "v1", "preview"}:
        return (_classic(address, deployment, said, remarks),)
    newer = _v1(address, said, remarks)
    if said or address.v1:
        return (newer,)
    older = [*remarks, f"The option api_version should be {LATEST}"]
    return newer, _classic(address, deployment, LATEST, older)


def deployments(address: Address) -> str:
    """Return the URL of the list of deployments."""
    return f"{address.prefix}/deployments?api-version={_LISTS_DEPLOYMENTS}"


def _classic(address: Address, deployment: str, version: str, remarks: list[str]) -> Routes:
    query = f"?api-version={quote(version, safe='')}"
    return Routes(
        base=f"{address.prefix}/deployments/{quote(deployment, safe='')}",
        models=f"{address.prefix}/models{query}",
        query=query,
        remarks=tuple(remarks),
    )


def _v1(address: Address, version: str, remarks: list[str]) -> Routes:
    query = "?api-version=preview" if version == "preview" else ""
    base = f"{address.prefix}/v1"
    return Routes(base=base, models=f"{base}/models{query}", query=query, remarks=tuple(remarks))
