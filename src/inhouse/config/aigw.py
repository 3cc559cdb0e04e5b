"""What GitLab's own gateway is configured with: it goes before the file, and behind `INHOUSE_*`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from inhouse.config import values
from inhouse.config.aigw_variables import MAPPED, PREFIX, TOLD
from inhouse.config.environment import Remark
from inhouse.config.gitlab import GitLab
from inhouse.core.naming import did_you_mean

ENDPOINTS = "INHOUSE_GITLAB_ALLOWED_ENDPOINTS"
CUSTOM_MODELS = "AIGW_CUSTOM_MODELS__ENABLED"
GITLAB = "AIGW_GITLAB_URL"
API = "AIGW_GITLAB_API_URL"
TIMEOUT = "AIGW_DUO_CHAT__MODEL_REQUEST_TIMEOUT"
PORTAL = "AIGW_CUSTOMER_PORTAL_URL"

NOTHING = values.FALSE | {"", "{}", "[]", "null", "none"}
"""Values by which a variable asks for nothing."""

Tables = dict[str, Any]


def merged(tables: Tables, environ: Mapping[str, str]) -> Tables:
    """Return a configuration file's tables with what the environment says in their place.

    Raises:
        ConfigError: a variable has no value of its kind; names it, never a secret.

    """
    found = dict(tables)
    for name, (section, key, read) in _KEYS.items():
        if value := environ.get(name, "").strip():
            _put(found, section, {key: read(name, value)})
    if urls := _urls(environ):
        _put(found, "gitlab", {"instances": _instances(_table(found, "gitlab"), urls)})
    if value := environ.get(CUSTOM_MODELS, "").strip():
        if not values.truth(CUSTOM_MODELS, value):
            _put(found, "gitlab", {"models": "registry"})
        elif _table(found, "gitlab").get("allowed_endpoints"):
            _put(found, "gitlab", {"models": "request"})
    if endpoints := values.listed(environ.get(ENDPOINTS, "")):
        _put(found, "gitlab", {"allowed_endpoints": endpoints, "models": "request"})
    return found


def remarks(
    environ: Mapping[str, str], gitlab: GitLab, followed: frozenset[str]
) -> tuple[Remark, ...]:
    """Say which variables of GitLab's gateway have no effect here, and what to do instead.

    Those without its prefix mean something to others too: they are told where others with it are
    set, and unless the file refers to them (`followed`).
    """
    ours = sorted(name for name in environ if name.startswith(PREFIX))
    if not ours:
        return ()
    asked = {
        name
        for name, value in environ.items()
        if name not in followed and value.strip().lower() not in NOTHING
    }
    told = [
        Remark(variables=names, text=known.help)
        for known in TOLD
        if (names := tuple(sorted(filter(known.of, asked))))
    ]
    every = (*MAPPED, *TOLD)
    unknown = [name for name in ours if not any(known.of(name) for known in every)]
    return (*told, *map(_unknown, unknown), *_doubts(environ, gitlab))


def _unknown(name: str) -> Remark:
    names = [each for known in (*MAPPED, *TOLD) for each in known.names if each[-1] != "*"]
    hint = did_you_mean(name, names)
    return Remark(variables=(name,), text=f"There is no such variable{hint or '.'}")


def _doubts(environ: Mapping[str, str], gitlab: GitLab) -> list[Remark]:
    """Say where variables that are understood do not fit together."""
    found: list[Remark] = []
    custom = environ.get(CUSTOM_MODELS, "").strip().lower() in values.TRUE
    if custom and not gitlab.allowed_endpoints:
        text = (
            "The models of GitLab's admin page are asked only where they are allowed: set"
            f" {ENDPOINTS}, such as http://vllm.internal:8000/*. Until then our routes answer."
        )
        found.append(Remark(variables=(CUSTOM_MODELS,), text=text))
    api, url = _trimmed(environ, API), _trimmed(environ, GITLAB)
    if api and not url and not api.endswith("/api/v4"):
        text = f"It does not end in /api/v4, so it does not tell GitLab's URL: set {GITLAB}."
        found.append(Remark(variables=(API,), text=text))
    if api and url and api.removesuffix("/api/v4") != url:
        text = f"It is at another place than {GITLAB}, which holds; GitLab's API is never asked."
        found.append(Remark(variables=(API,), text=text))
    return found


def _urls(environ: Mapping[str, str]) -> list[str]:
    """Return the URLs of those whose tokens count, without a slash at the end."""
    api = _trimmed(environ, API)
    own = values.url(GITLAB, _trimmed(environ, GITLAB))
    if not own and api.endswith("/api/v4"):
        own = values.url(API, api.removesuffix("/api/v4"))
    portal = values.url(PORTAL, _trimmed(environ, PORTAL))
    return list(dict.fromkeys(filter(None, (own, portal))))


def _instances(gitlab: Tables, urls: list[str]) -> object:
    written = gitlab.get("instances", [])
    if not isinstance(written, list):
        return cast("object", written)
    written = cast("list[object]", written)
    known = {
        f"{cast('Tables', each).get('url', '')}".rstrip("/")
        for each in written
        if isinstance(each, dict)
    }
    return [*written, *({"url": url} for url in urls if url not in known)]


def _table(tables: Tables, section: str) -> Tables:
    found = tables.get(section, {})
    return cast("Tables", found) if isinstance(found, dict) else {}


def _put(tables: Tables, section: str, keys: Tables) -> None:
    """Change a section; one that is no table is left for the file's own checks to tell."""
    if isinstance(tables.get(section, {}), dict):
        tables[section] = {**_table(tables, section), **keys}


def _trimmed(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip().rstrip("/")


_KEYS: dict[str, tuple[str, str, Callable[[str, str], object]]] = {
    "AIGW_FASTAPI__API_HOST": ("server", "host", values.text),
    "AIGW_FASTAPI__API_PORT": ("server", "port", values.port),
    "AIGW_FASTAPI__METRICS_HOST": ("metrics", "host", values.text),
    "AIGW_FASTAPI__METRICS_PORT": ("metrics", "port", values.port),
    "AIGW_LOGGING__LEVEL": ("log", "level", values.level),
    "AIGW_LOGGING__FORMAT_JSON": ("log", "format", values.style),
    "AIGW_LOGGING__TO_FILE": ("log", "file", values.file),
    "AIGW_CLOUD_CONNECTOR_SERVICE_NAME": ("gitlab", "audience", values.text),
    "AIGW_SELF_SIGNED_JWT__SIGNING_KEY": ("gitlab", "signing_key", values.key),
    "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY": ("gitlab", "validation_key", values.key),
    TIMEOUT: ("settings", "chat_first_token_timeout", values.seconds),
}
"""Variables that stand for one key of a section, and how their text is read."""
