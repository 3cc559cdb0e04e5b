"""Section ``[gitlab]``: which instances may ask us, and whose models answer them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inhouse.config.document import Document
from inhouse.config.environment import expanded
from inhouse.config.secrets import Secrets
from inhouse.config.shape import GitLab, GitLabConfig, GitLabInstance, Issuer
from inhouse.core.allowing import Allowed

DOCS = "gitlab-docs.db"


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
    where = f"[[gitlab.instances]] '{instance.url}'"
    ca_file = instance.ca_file
    return Issuer(
        url=instance.url.rstrip("/"),
        issuer=instance.issuer.rstrip("/"),
        team=instance.team,
        keys=tuple(secrets.resolve(each, f"{where}: keys").reveal() for each in instance.keys),
        ca_file=str(document.folder / expanded(ca_file, environ)) if ca_file else "",
    )
