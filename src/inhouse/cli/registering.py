"""What must be right with a deployment before it is stored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from inhouse import config
from inhouse.context import files
from inhouse.core.catalog import Deployment
from inhouse.core.naming import deployment_name_fault, identifier_fault
from inhouse.core.ports import ProviderContext
from inhouse.errors import ConfigError, InhouseError
from inhouse.families import load
from inhouse.providers.loading import Providers
from inhouse.transport import Policy


def providers(configured: config.Config, asked: Deployment | None = None) -> Providers:
    """Return the providers, to be used without a gateway; they connect only for the one `asked`."""
    egress = Policy.of(configured.egress, configured.proxies)
    known = Providers(
        ProviderContext(
            cache=configured.cache_folder,
            proxies=configured.proxies,
            environment=configured.platform,
            documents=lambda root, exclude: files.read(Path(root), exclude),
            egress=egress,
            authorities=configured.authorities,
        )
    )
    if asked is not None:
        # One that cannot work as it is written connects nowhere.
        with contextlib.suppress(InhouseError):
            egress.register(known[asked.provider].endpoints(asked))
    return known


def checked(configured: config.Config, deployments: Iterable[Deployment]) -> list[Deployment]:
    """Return the deployments, each with its family's own name.

    Raises:
        NotFoundError: there is no such family.
        ConfigError: a name or identifier is none, there is no such provider, or it refuses.

    """
    families = load(configured.families)
    known = providers(configured)
    found: list[Deployment] = []
    for deployment in deployments:
        fault = deployment_name_fault(deployment.name) or identifier_fault(deployment.identifier)
        if fault:
            raise ConfigError(f"The deployment '{deployment.name}': {fault}.")
        family = families.get(deployment.family)
        known[deployment.provider].check(deployment)
        found.append(msgspec.structs.replace(deployment, family=family.name))
    return found
