"""GitLab as its tokens are checked: reached, its discovery document, its keys, its clock."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from email.utils import parsedate_to_datetime

from inhouse import config
from inhouse.core.places import parse_peer
from inhouse.errors import UpstreamError, UpstreamFailure
from inhouse.features.check import Check, failed, ok, skipped, warning
from inhouse.identity import LEEWAY, WELL_KNOWN, Discovery, read_public
from inhouse.transport import Policy, Tls, Transport, header_block, proxy_for, split

REMEDIES = {
    UpstreamFailure.TLS: "Let ca_file of its [[gitlab.instances]], or SSL_CERT_FILE, name the"
    " authority of its certificate.",
    UpstreamFailure.FORBIDDEN: "Add its network to [egress], or correct its URL.",
    UpstreamFailure.UNREACHABLE: "Check URL, DNS and firewall; HTTPS_PROXY and NO_PROXY hold here"
    " too.",
    UpstreamFailure.CLOSED: "See that GitLab is up; where it speaks TLS, its url begins with https://.",
}


async def checks(configured: config.Config, url: str) -> AsyncGenerator[Check]:
    """Look at each configured instance, or at the one at `url`."""
    try:
        split(url or "https://gitlab.example")
    except ValueError as error:
        yield failed(
            "configured",
            f"'{url}' cannot be asked: {error}.",
            "Write GitLab's URL as browsers show it: https://gitlab.example",
        )
        return
    known = {each.url: each for each in configured.gitlab.instances}
    if url and url not in known:
        yield warning(
            "configured",
            f"{url} is not among the instances that may ask: its tokens are refused.",
            f'Add [[gitlab.instances]] with url = "{url}", or set AIGW_GITLAB_URL.',
        )
    elif not known:
        yield failed(
            "configured",
            "No GitLab may ask: every token of one is refused.",
            "Add [[gitlab.instances]] with its url, or set AIGW_GITLAB_URL.",
        )
    else:
        yield ok("configured", f"These may ask: {', '.join(known)}.")
    asked = [known.get(url) or config.Issuer(url=url)] if url else list(known.values())
    for issuer in asked:
        async for check in _instance(configured, issuer):
            yield check


async def _instance(configured: config.Config, issuer: config.Issuer) -> AsyncGenerator[Check]:
    name = f"GitLab {issuer.url}"
    if issuer.keys:
        yield _offline(name, issuer.keys)
        return
    tls = Tls(ca_file=issuer.ca_file) if issuer.ca_file else None
    if tls is not None and (fault := tls.fault()) is not None:
        yield failed(name, f"{fault}.", "Correct ca_file of its [[gitlab.instances]].")
        return
    try:
        _, host, port, _ = split(issuer.url)
    except ValueError as error:
        yield failed(name, f"This URL cannot be asked: {error}.")
        return
    policy = Policy.of(configured.egress, configured.proxies)
    policy.register([(host, port)])
    transport = Transport(policy, authorities=configured.authorities)
    peers = frozenset(map(parse_peer, configured.egress.peers))
    discovery = Discovery(transport, configured.proxies, peers)
    try:
        found = await discovery.ask(issuer.url, tls)
        count = len(found.keys.named) + len(found.keys.nameless)
        yield ok(name, f"{issuer.url}{WELL_KNOWN} leads to {_keys(count)}.")
        yield _issuer(issuer, found.issuer)
        yield await _clock(configured, transport, issuer.url, tls)
    except UpstreamError as error:
        yield failed(name, error.message, REMEDIES.get(error.failure, ""))
    finally:
        await transport.aclose()


def _offline(name: str, keys: Sequence[str]) -> Check:
    try:
        for each in keys:
            read_public(each)
    except ValueError as error:
        remedy = (
            "Let each of keys of its [[gitlab.instances]] be a public key: file:PATH of its PEM."
        )
        return failed(name, f"One of its keys cannot be used: {error}.", remedy)
    return skipped(name, f"It is never asked: {_keys(len(keys))} of it configured.")


def _issuer(issuer: config.Issuer, said: str) -> Check:
    if issuer.issuer and said != issuer.issuer:
        return warning(
            "issuer",
            f"It says that its tokens name '{said}', the configuration says '{issuer.issuer}'.",
            "Leave out issuer, unless another GitLab answers at this URL.",
        )
    return ok("issuer", f"Its tokens name '{said}'.")


async def _clock(
    configured: config.Config, transport: Transport, url: str, tls: Tls | None
) -> Check:
    """Compare clocks: a token from the future, or of the past, is refused."""
    scheme, host, port, _ = split(url)
    response = await transport.request(
        "GET",
        url + WELL_KNOWN,
        header_block({"accept": "application/json"}),
        tls=tls,
        proxy=proxy_for(scheme, host, port, configured.proxies),
    )
    response.release()
    try:
        theirs = parsedate_to_datetime(response.header("date")).timestamp()
    except ValueError:
        return skipped("clock", "GitLab's answer has no date.")
    ahead = theirs - time.time()
    which = "ahead of" if ahead > 0 else "behind"
    sentence = f"GitLab's clock is {abs(ahead):.0f} s {which} ours."
    if abs(ahead) > LEEWAY:
        return failed("clock", sentence, "Keep both by NTP: its tokens are refused otherwise.")
    return ok("clock", sentence)


def _keys(count: int) -> str:
    return "one RSA key" if count == 1 else f"{count} RSA keys"
