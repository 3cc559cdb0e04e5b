"""What a configuration is made of; each field of a section carries its help."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from inhouse.config.environment import Remark
from inhouse.config.gitlab import GitLab, GitLabConfig
from inhouse.config.listed import DeploymentEntry, KeyEntry, RouteEntry, TeamEntry
from inhouse.core.catalog import Declared
from inhouse.core.ports import HttpClient
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings

Port = Annotated[int, Meta(ge=0, le=65535)]


class ServerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[server]``."""

    host: Annotated[
        str,
        Meta(
            min_length=1, description="Address to listen on; `0.0.0.0` listens on every interface."
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on; 0 takes a free one.")] = 5052
    max_body_bytes: Annotated[
        int, Meta(ge=1024, description="Largest request body; a larger one is answered with 413.")
    ] = 10_000_000
    shutdown_seconds: Annotated[
        float,
        Meta(ge=0, le=3600, description="How long a stop waits for running requests to end."),
    ] = 30.0


class MetricsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[metrics]``: Prometheus metrics, on a listener of their own."""

    enabled: Annotated[bool, Meta(description="Whether there is a metrics listener.")] = True
    host: Annotated[
        str, Meta(min_length=1, description="Address that the metrics listener listens on.")
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the metrics listener.")] = 8082


class StoreConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[store]``; shows itself without the URL's password."""

    url: Annotated[
        str,
        Meta(
            description="`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`;"
            " a relative PATH starts at the configuration file's folder. May be a secret"
            " reference. Empty: the file `inhouse.db` in the state folder."
        ),
    ] = ""
    key_file: Annotated[
        str,
        Meta(
            description="File with the key that seals upstream keys, made with mode 0600 where"
            " it is missing; not used where `INHOUSE_SECRET_KEY` is set."
            " Empty: `inhouse.key` beside a SQLite store, else in the state folder."
        ),
    ] = ""

    @property
    def shown(self) -> str:
        """The URL without its password, for people."""
        return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", self.url)

    def __repr__(self) -> str:
        return f"StoreConfig(url={self.shown!r}, key_file={self.key_file!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.shown), ("key_file", self.key_file)]


class LogConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[log]``."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is shown.")
    ] = "info"
    format: Annotated[
        Literal["json", "console", "auto"],
        Meta(description="`auto` is `console` at a terminal and `json` elsewhere."),
    ] = "auto"
    file: Annotated[
        str,
        Meta(
            description="A file that gets every line too; it may be moved away at any time. Empty:"
            " standard error alone."
        ),
    ] = ""


class EgressConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[egress]``."""

    peers: Annotated[
        tuple[str, ...],
        Meta(
            description="Places as `HOST:PORT` that may be connected to besides the endpoints of"
            " registered deployments and the environment's proxies."
        ),
    ] = ()
    networks: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks such as `10.0.0.0/8`. Where some are listed, no address outside"
            " of them is connected to."
        ),
    ] = ()
    http_client: Annotated[
        HttpClient,
        Meta(
            description="What asks upstreams: `httptools`, a client of our own, or `aiohttp`, which"
            " is slower and needs `pip install 'inhouse[aiohttp]'`."
        ),
    ] = "httptools"


class FamiliesConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[families]``."""

    folder: Annotated[
        str, Meta(description="Folder with family files of your own, beside those that ship.")
    ] = ""


SECTIONS: dict[str, type[Struct]] = {
    "server": ServerConfig,
    "metrics": MetricsConfig,
    "store": StoreConfig,
    "log": LogConfig,
    "egress": EgressConfig,
    "families": FamiliesConfig,
    "gitlab": GitLabConfig,
    "settings": Settings,
    "deployments": DeploymentEntry,
    "teams": TeamEntry,
    "routes": RouteEntry,
    "keys": KeyEntry,
}
"""Every section of the file."""

LISTS = ("deployments", "teams", "routes", "keys")
"""The sections with two brackets: there may be many of each."""


class Client(Struct, frozen=True, kw_only=True):
    """The gateway that the command line talks to, the key it shows there, and the proxies."""

    url: str
    api_key: Secret
    proxies: dict[str, str] = field(default_factory=dict[str, str])
    authorities: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # Proxy variables may hold passwords.
        return f"Client(url={self.url!r})"


class Config(Struct, frozen=True, kw_only=True):
    """Everything that is configured; paths are absolute.

    `path` is the file that was read, None where there is none. `families` is a folder.
    `secret_key` seals upstream keys; where it is None, `key_file` does. `proxies` are the
    environment's proxy variables in lower case, `platform` those by which a platform tells who we
    are, `authorities` the PEM files that are trusted whoever is asked, `remarks` what is to be said
    of variables. The three folders are inhouse's own under XDG's.
    """

    path: Path | None
    server: ServerConfig
    metrics: MetricsConfig
    store: StoreConfig
    log: LogConfig
    egress: EgressConfig
    gitlab: GitLab
    families: Path | None
    declared: Declared
    secret_key: Secret | None
    key_file: Path
    proxies: dict[str, str]
    platform: dict[str, str]
    authorities: tuple[str, ...]
    remarks: tuple[Remark, ...]
    client: Client
    config_folder: Path
    cache_folder: Path
    state_folder: Path

    def __repr__(self) -> str:
        # Proxy variables may hold passwords.
        return f"Config(path={self.path!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("path", self.path)]
