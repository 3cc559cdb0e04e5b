"""What may be wrong with an installation, apart from its upstreams."""

from __future__ import annotations

import platform
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import inhouse
from inhouse import config
from inhouse.client import Client
from inhouse.core.catalog import Catalog
from inhouse.core.deadlines import Deadlines
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.errors import GatewayError, InhouseError
from inhouse.families import Families
from inhouse.features.check import Check, failed, ok, skipped, warning
from inhouse.store import Registry

MEGABYTE = 1_000_000
LITTLE_SPACE = 1000 * MEGABYTE
NO_SPACE = 100 * MEGABYTE
PROBE = Deadlines(connect=2, first_token=2, between_tokens=2, total=4)
CLOCK_SLACK = 120.0
"""Seconds that clocks of several machines may differ."""


def versions() -> Check:
    """Say what runs here."""
    return ok(
        "version",
        f"inhouse {inhouse.__version__}, Python {platform.python_version()},"
        f" {platform.system()} {platform.machine()}.",
    )


def file_found(configured: config.Config) -> Check:
    """Say which configuration file holds; that it is well-formed is known by now."""
    if configured.path is None:
        return ok("configuration", "There is no configuration file; the defaults hold.")
    return ok("configuration", f"{configured.path} is well-formed.")


def remarks(configured: config.Config) -> Iterator[Check]:
    """Name the variables that have no effect, or not the one that was meant."""
    for each in configured.remarks:
        yield warning("environment", f"{', '.join(each.variables)}: {each.text}")


def key_file(configured: config.Config) -> Check:
    """Look at what seals the upstreams' keys."""
    name, file = "key file", configured.key_file
    if configured.secret_key is not None:
        return ok(name, "INHOUSE_SECRET_KEY seals the upstreams' keys.")
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return skipped(name, f"{file} is made when the store is.")
    except OSError as error:
        return failed(name, f"{file} cannot be read: {error.strerror}.")
    if mode & 0o077:
        return failed(
            name, f"Others can read {file} (mode {mode:04o}).", f"Run: chmod 600 '{file}'"
        )
    return ok(name, f"Only its owner can read {file}.")


def store_file(configured: config.Config) -> Path | None:
    """Return the file of a SQLite store, None where the store is a server or in memory."""
    scheme, separator, rest = configured.store.url.partition(":///")
    return Path(rest) if separator and scheme.startswith("sqlite") and rest else None


def space(configured: config.Config) -> Check:
    """Look at the disk that the store is on."""
    name, file = "disk", store_file(configured)
    if file is None:
        return skipped(name, "The store is not a file here.")
    folder = next(each for each in file.parents if each.is_dir())
    free = shutil.disk_usage(folder).free
    sentence = f"{free // MEGABYTE} MB are free at {folder}."
    if free < NO_SPACE:
        return failed(name, sentence, "Make room: traces and changes can soon not be stored.")
    if free < LITTLE_SPACE:
        return warning(name, sentence, "Make room, or keep traces for fewer days (trace_days).")
    return ok(name, sentence)


def clock(registry: Registry) -> Check:
    """Compare the clock with the newest change of the registry."""
    newest = registry.revisions(1)
    ahead = newest[0].at - time.time() if newest else 0.0
    if ahead > CLOCK_SLACK:
        return failed(
            "clock",
            f"This clock is {ahead:.0f} s behind the newest change of the registry.",
            "Set the clock, and keep it by NTP.",
        )
    return ok("clock", f"{time.strftime('%Y-%m-%d %H:%M:%S %Z')}.")


def pending(registry: Registry, configured: config.Config) -> Check | None:
    """Say where the configuration file declares what the registry does not hold yet."""
    try:
        waiting = registry.plan(configured.declared)
    except InhouseError as error:
        return failed("declared", str(error), "Correct inhouse.toml: 'inhouse serve' refuses it.")
    if not waiting:
        return None
    return warning(
        "declared",
        f"The configuration file declares {len(waiting)} changes that do not hold yet.",
        "Start 'inhouse serve' anew: it takes them over.",
    )


async def port(configured: config.Config) -> Check:
    """See whether our port is free, or who has it."""
    name, server = "port", configured.server
    where = f"{server.host}, port {server.port}"
    try:
        with socket.create_server((server.host, server.port), reuse_port=False):
            return _metrics_taken(configured) or ok(
                name, f"{where} is free: no gateway runs there now."
            )
    except OSError as error:
        reason = error.strerror or str(error)
    try:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{server.port}"
        async with Client(url, Secret(), deadlines=PROBE) as client:
            version = await client.version()
    except GatewayError:
        return failed(
            name,
            f"Cannot listen on {where}: {reason}. What answers there is no gateway.",
            "Choose another port in [server], or stop what listens there.",
        )
    if version != inhouse.__version__:
        return warning(
            name,
            f"A gateway of version {version} runs on {where}; this is {inhouse.__version__}.",
            "Restart it.",
        )
    return ok(name, f"A gateway runs on {where}.")


def _metrics_taken(configured: config.Config) -> Check | None:
    """Say why the metrics listener, and so the gateway, could not start."""
    metrics = configured.metrics
    if not metrics.enabled:
        return None
    try:
        socket.create_server((metrics.host, metrics.port), reuse_port=False).close()
    except OSError as error:
        return failed(
            "port",
            f"Cannot listen on {metrics.host}, port {metrics.port}, for metrics:"
            f" {error.strerror or error}.",
            "Choose another port in [metrics], or set enabled = false there.",
        )
    return None


def keys(catalog: Catalog) -> Check:
    """See whether anybody can ask anything."""
    if catalog.keys:
        count = len(catalog.keys)
        return ok("keys", "There is one." if count == 1 else f"There are {count}.")
    return warning(
        "keys",
        "There are no API keys, so nobody can ask anything.",
        "inhouse keys create NAME --role developer",
    )


def routes(catalog: Catalog, families: Families) -> Iterator[Check]:
    """See what serves each feature, and whether its family can."""
    if not catalog.deployments:
        yield warning("routes", "There are no deployments.", "inhouse deployments add --help")
        return
    for feature in (Feature.COMPLETION, Feature.GENERATION, Feature.CHAT):
        name, route = f"route {feature}", catalog.route(feature)
        if route is None:
            yield warning(name, "Nothing serves it.", f"inhouse routes set {feature} DEPLOYMENT")
            continue
        if route.disabled:
            yield ok(name, "It is disabled.")
            continue
        unable = unfit(catalog, families, feature)
        if unable:
            yield failed(
                name,
                f"Models of the family of '{unable[0]}' are not made for {feature}.",
                f"inhouse routes set {feature} DEPLOYMENT, with one that is.",
            )
        else:
            yield ok(name, f"Served by {', '.join(route.deployments)}.")


def unfit(catalog: Catalog, families: Families, feature: Feature, team: str = "") -> list[str]:
    """Return the deployments of a feature's route whose family is not made for it.

    An unknown family fails the deployment's own checks.
    """
    route = catalog.route(feature, team)
    served = [catalog.deployments[each] for each in (route.deployments if route else ())]
    return [
        each.name
        for each in served
        if each.family in families and not families.get(each.family).serves(feature)
    ]
