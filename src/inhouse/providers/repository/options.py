"""A deployment of this provider, read: which folder, what of it, and how bold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta, Struct

from inhouse.core.catalog import Deployment
from inhouse.errors import ConfigError
from inhouse.providers.repository.indexing import Folder

IDENTIFIER = "repository/index"


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """The provider's own settings.

    `exclude` are patterns of files to leave out. `threshold` is the least confidence to show, from
    0 (everything) to 1, in place of the calibrated one.
    """

    exclude: tuple[str, ...] = ()
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


def read_options(deployment: Deployment) -> Options:
    """Return the deployment's options; raises `ConfigError`."""
    try:
        return msgspec.convert(deployment.options, Options)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"Deployment '{deployment.name}', options: {error}", param="options"
        ) from (error)


def read_folder(deployment: Deployment) -> Folder:
    """Return what the deployment indexes; raises `ConfigError`."""
    if deployment.identifier != IDENTIFIER:
        raise ConfigError(
            f"Deployment '{deployment.name}': this provider has one model only, so the identifier"
            f" must be '{IDENTIFIER}', not '{deployment.identifier}'.",
            param="identifier",
        )
    root = _path(deployment.endpoint)
    if root is None or not root.is_absolute():
        raise ConfigError(
            f"Deployment '{deployment.name}': the endpoint must be the absolute path of the folder"
            f" to index, or a file:// URL of it, not '{deployment.endpoint}'.",
            param="endpoint",
        )
    if not root.is_dir():
        raise ConfigError(
            f"Deployment '{deployment.name}': there is no folder '{root}' to index.",
            param="endpoint",
        )
    return Folder(root, read_options(deployment).exclude)


def _path(endpoint: str) -> Path | None:
    """Return the path that an endpoint names, None where it is another kind of URL."""
    if "://" not in endpoint:
        return Path(endpoint) if endpoint else None
    url = urlsplit(endpoint)
    local = url.scheme == "file" and url.netloc in ("", "localhost")
    return Path(unquote(url.path)) if local else None
