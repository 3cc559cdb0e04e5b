"""Find the configuration file, read it, and let the environment go before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from inhouse.config import aigw, entries, gitlab, values
from inhouse.config.document import Document
from inhouse.config.environment import (
    authorities,
    cache_folder,
    config_folder,
    environment,
    expanded,
    platform,
    proxies,
    slips,
    state_folder,
)
from inhouse.config.secrets import Secrets
from inhouse.config.shape import (
    SECTIONS,
    Client,
    Config,
    EgressConfig,
    FamiliesConfig,
    LogConfig,
    MetricsConfig,
    ServerConfig,
    StoreConfig,
)
from inhouse.core.catalog import Declared
from inhouse.core.places import parse_network, parse_peer
from inhouse.core.secret import SHORTEST_SEALING_KEY, Secret
from inhouse.errors import ConfigError

FILE = "inhouse.toml"
SYSTEM_FOLDER = Path("/etc/inhouse")


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of the first file found, or the defaults where there is none.

    Looked for: `path`, ``$INHOUSE_CONFIG``, ``./inhouse.toml``, the same under
    ``$XDG_CONFIG_HOME/inhouse`` and ``/etc/inhouse``. `environ` stands in for the environment.

    Raises:
        ConfigError: the file cannot be read or is wrong; names file and path, never a secret.

    """
    environ = environment() if environ is None else environ
    document = _document(path, environ)
    secrets = Secrets(document, environ)
    state = state_folder(environ)
    server = _server(document, environ)
    store = _store(document, secrets, environ, state)
    asked = gitlab.read(document, secrets, environ, state)
    declared = entries.read(document, secrets, declared=True)
    followed = frozenset(secrets.followed)
    return Config(
        path=document.file,
        server=server,
        metrics=document.section("metrics", MetricsConfig),
        store=store,
        log=_log(document, environ),
        egress=_egress(document),
        gitlab=asked,
        families=_folder(document, environ),
        declared=declared,
        secret_key=_secret_key(environ),
        key_file=Path(store.key_file),
        proxies=proxies(environ),
        platform=platform(environ),
        authorities=authorities(environ),
        remarks=(*slips(environ, followed), *aigw.remarks(environ, asked, followed)),
        client=_client(server, environ),
        config_folder=config_folder(environ),
        cache_folder=cache_folder(environ),
        state_folder=state,
    )


def load_client(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Client:
    """Return only which gateway to talk to: needs none of the secrets that the file refers to.

    Raises:
        ConfigError: the file cannot be read, or its section ``[server]`` is wrong.

    """
    environ = environment() if environ is None else environ
    return _client(_server(_document(path, environ), environ), environ)


def load_families_folder(
    path: Path | None = None, environ: Mapping[str, str] | None = None
) -> Path | None:
    """Return only the folder of family files: needs none of the secrets that the file refers to.

    Raises:
        ConfigError: the file cannot be read, or its section ``[families]`` is wrong.

    """
    environ = environment() if environ is None else environ
    return _folder(_document(path, environ), environ)


def load_entries(path: Path, environ: Mapping[str, str] | None = None) -> Declared:
    """Return the entries of a file that is applied once: not declared, and nothing else in it.

    Raises:
        ConfigError: the file cannot be read or is wrong; names file and path, never a secret.

    """
    document = Document.read(path)
    document.allow(entries.SECTIONS)
    secrets = Secrets(document, environment() if environ is None else environ)
    return entries.read(document, secrets, declared=False)


def secret(reference: str, where: str, environ: Mapping[str, str] | None = None) -> Secret:
    """Follow a secret reference from outside of a file; `where` is named in messages.

    Raises:
        ConfigError: there is no such variable or file; never shows a value.

    """
    environ = environment() if environ is None else environ
    return Secrets(Document(None, {}), environ).resolve(reference, where)


def _document(path: Path | None, environ: Mapping[str, str]) -> Document:
    named = environ.get("INHOUSE_CONFIG")
    if path is None and named:
        path = Path(named)
    if path is None:
        places = (Path.cwd(), config_folder(environ), SYSTEM_FOLDER)
        path = next((each / FILE for each in places if (each / FILE).is_file()), None)
    if path is None:
        return Document(None, aigw.merged({}, environ))
    document = Document.read(path.absolute())
    document.allow(SECTIONS)
    return Document(document.file, aigw.merged(document.tables, environ))


def _server(document: Document, environ: Mapping[str, str]) -> ServerConfig:
    server = document.section("server", ServerConfig)
    changes: dict[str, Any] = {}
    if host := environ.get("INHOUSE_HOST"):
        changes["host"] = host
    port = environ.get("INHOUSE_PORT", "")
    # Kubernetes sets it to such a URL where a service has our name.
    if port and not port.startswith("tcp://"):
        changes["port"] = values.port("INHOUSE_PORT", port)
    if workers := environ.get("INHOUSE_WORKERS"):
        changes["workers"] = values.workers("INHOUSE_WORKERS", workers)
    return msgspec.structs.replace(server, **changes)


def _log(document: Document, environ: Mapping[str, str]) -> LogConfig:
    log = document.section("log", LogConfig)
    if log.file:
        file = document.folder / expanded(log.file, environ)
        log = msgspec.structs.replace(log, file=str(file))
    if level := environ.get("INHOUSE_LOG_LEVEL", ""):
        log = msgspec.structs.replace(log, level=values.level("INHOUSE_LOG_LEVEL", level))
    return log


def _egress(document: Document) -> EgressConfig:
    egress = document.section("egress", EgressConfig)
    for name, written, parse in (
        ("peers", egress.peers, parse_peer),
        ("networks", egress.networks, parse_network),
    ):
        for each in written:
            try:
                parse(each)
            except ValueError as error:
                document.fault("[egress]", f"{name}: {error}")
    return egress


def _store(
    document: Document, secrets: Secrets, environ: Mapping[str, str], state: Path
) -> StoreConfig:
    section = document.section("store", StoreConfig)
    base = document.folder
    url = secrets.resolve(section.url, "[store]: url").reveal()
    if named := environ.get("INHOUSE_STORE_URL"):
        url, base = named, Path.cwd()
    for name, path in (("url", url), ("key_file", section.key_file)):
        if "\0" in path:
            document.fault("[store]", f"{name}: it holds a NUL character")
    scheme, separator, rest = url.partition(":///")
    if not url:
        url = f"sqlite:///{state / 'inhouse.db'}"
    elif scheme.startswith("sqlite") and separator:
        url = f"{scheme}:///{base / rest}"
    # Beside a SQLite file, so that the two are moved and backed up together.
    folder = Path(url.partition(":///")[2]).parent if url.startswith("sqlite") else state
    key_file = folder / "inhouse.key"
    if section.key_file:
        key_file = document.folder / expanded(section.key_file, environ)
    return StoreConfig(url=url, key_file=str(key_file))


def _folder(document: Document, environ: Mapping[str, str]) -> Path | None:
    named = document.section("families", FamiliesConfig).folder
    if not named:
        return None
    folder = document.folder / expanded(named, environ)
    if not folder.is_dir():
        document.fault("[families]", f"folder: there is no folder {folder}")
    return folder


def _secret_key(environ: Mapping[str, str]) -> Secret | None:
    value = environ.get("INHOUSE_SECRET_KEY", "").strip()
    if not value:
        return None
    if len(value) < SHORTEST_SEALING_KEY:
        raise ConfigError(
            f"INHOUSE_SECRET_KEY: shorter than {SHORTEST_SEALING_KEY} characters;"
            " make one with: openssl rand -base64 32"
        )
    return Secret(value)


def _client(server: ServerConfig, environ: Mapping[str, str]) -> Client:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    default = f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
    return Client(
        url=(environ.get("INHOUSE_URL") or default).rstrip("/"),
        api_key=Secret(environ.get("INHOUSE_API_KEY", "").strip()),
        proxies=proxies(environ),
        authorities=authorities(environ),
    )
