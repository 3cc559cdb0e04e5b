"""Section ``[gitlab]``: which instances may ask us, and whose models answer them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from inhouse.config import values
from inhouse.config.document import Document
from inhouse.config.environment import expanded
from inhouse.config.secrets import Secrets
from inhouse.core.allowing import Allowed
from inhouse.core.secret import Secret

DOCS = "gitlab-docs.db"


class GitLabInstance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One GitLab that may ask us; an entry of ``[[gitlab.instances]]``."""

    url: Annotated[
        str,
        Meta(description="The instance's URL, with its path where it has one."),
    ]
    issuer: Annotated[
        str,
        Meta(
            description="What its tokens name as their issuer, where that is neither `url` nor what"
            " its OpenID configuration says."
        ),
    ] = ""
    team: Annotated[
        str, Meta(description="The team whose routes and limits hold for its requests.")
    ] = ""
    keys: Annotated[
        tuple[str, ...],
        Meta(
            description="Public keys as PEM, mostly `file:PATH`. Where there are some, the instance"
            " is never asked for its own."
        ),
    ] = ()
    ca_file: Annotated[
        str, Meta(description="Certificates of authorities that vouch for the instance's own.")
    ] = ""


class GitLabConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section ``[gitlab]``."""

    models: Annotated[
        Literal["registry", "request"],
        Meta(
            description="Whose models answer: `registry`, those of our routes; `request`, those"
            " that GitLab's admin page names, within `allowed_endpoints`."
        ),
    ] = "registry"
    allowed_endpoints: Annotated[
        tuple[str, ...],
        Meta(
            description='With `models = "request"`: URLs that a request may name, with `*` for'
            " anything, such as `https://*.models.internal/*`; and identifiers of models without a"
            " URL, such as `bedrock/*`."
        ),
    ] = ()
    audience: Annotated[
        str, Meta(min_length=1, description="The audience that GitLab's tokens must name.")
    ] = "gitlab-ai-gateway"
    signing_key: Annotated[
        str,
        Meta(
            description="RSA key as PEM that signs the tokens we issue, mostly `file:PATH`."
            " Empty: keys in the store, which are made and replaced by themselves."
        ),
    ] = ""
    validation_key: Annotated[
        str, Meta(description="A further RSA key as PEM whose tokens are accepted as ours.")
    ] = ""
    serve_editor_api: Annotated[
        bool,
        Meta(
            description="Whether GitLab's editor extensions may use this gateway as their GitLab,"
            " with an API key as token."
        ),
    ] = False
    public_url: Annotated[
        str,
        Meta(description="The URL at which editors reach us. Empty: the one that they asked."),
    ] = ""
    docs: Annotated[
        str,
        Meta(
            description="The index of GitLab's documentation that `inhouse docs build` makes."
            " Empty: `gitlab-docs.db` in the state folder."
        ),
    ] = ""
    instances: Annotated[
        tuple[GitLabInstance, ...],
        Meta(description="The GitLab instances that may ask, as `[[gitlab.instances]]`."),
    ] = ()


class Issuer(Struct, frozen=True, kw_only=True):
    """A GitLab instance, read: `url` has no slash at its end, `keys` are public keys as PEM."""

    url: str
    issuer: str = ""
    team: str = ""
    keys: tuple[str, ...] = ()
    ca_file: str = ""


class GitLab(Struct, frozen=True, kw_only=True):
    """Section ``[gitlab]``, read: its references followed, its paths absolute."""

    models: Literal["registry", "request"] = "registry"
    allowed_endpoints: tuple[str, ...] = ()
    audience: str = "gitlab-ai-gateway"
    signing_key: Secret = field(default_factory=Secret)
    validation_key: Secret = field(default_factory=Secret)
    serve_editor_api: bool = False
    public_url: str = ""
    docs: Path
    instances: tuple[Issuer, ...] = ()


def read(document: Document, secrets: Secrets, environ: Mapping[str, str], state: Path) -> GitLab:
    """Decode the section and follow its references; raises `ConfigError`."""
    section = document.section("gitlab", GitLabConfig)
    try:
        Allowed(section.allowed_endpoints)
    except ValueError as error:
        document.fault("[gitlab]", f"allowed_endpoints: {error}")
    docs = document.folder / expanded(section.docs, environ) if section.docs else state / DOCS
    return GitLab(
        models=section.models,
        allowed_endpoints=section.allowed_endpoints,
        audience=section.audience,
        signing_key=secrets.resolve(section.signing_key, "[gitlab]: signing_key"),
        validation_key=secrets.resolve(section.validation_key, "[gitlab]: validation_key"),
        serve_editor_api=section.serve_editor_api,
        public_url=section.public_url.rstrip("/"),
        docs=docs,
        instances=tuple(_instance(each, document, secrets, environ) for each in section.instances),
    )


def _instance(
    instance: GitLabInstance, document: Document, secrets: Secrets, environ: Mapping[str, str]
) -> Issuer:
    if wrong := values.wrong_url(instance.url):
        document.fault("[[gitlab.instances]]", f"url: {wrong}")
    where = f"[[gitlab.instances]] '{instance.url}'"
    ca_file = instance.ca_file
    return Issuer(
        url=instance.url.rstrip("/"),
        issuer=instance.issuer.rstrip("/"),
        team=instance.team,
        keys=tuple(secrets.resolve(each, f"{where}: keys").reveal() for each in instance.keys),
        ca_file=str(document.folder / expanded(ca_file, environ)) if ca_file else "",
    )
