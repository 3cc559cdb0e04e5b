"""A probe's report: what was found, when, and for which deployment; plain JSON in the store."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.features.probing.badges import Badge
from inhouse.features.probing.evidence import Evidence

VERSION = 1
"""Grows when the form changes so that older readers would misread it."""


class Probed(Struct, frozen=True, kw_only=True):
    """What of a deployment the evidence depends on."""

    identifier: str
    endpoint: str
    family: str


class Report(Struct, frozen=True, kw_only=True):
    """The whole of a probe that began at the Unix time `at` and took `seconds`."""

    version: Literal[1] = VERSION
    probed: Probed
    at: float
    seconds: float
    gentle: bool
    badges: tuple[Badge, ...]
    evidence: Evidence

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it, to be stored."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def probed(deployment: Deployment) -> Probed:
    """Return what a report holds for."""
    return Probed(
        identifier=deployment.identifier, endpoint=deployment.endpoint, family=deployment.family
    )


def read_report(plain: dict[str, Any]) -> Report | None:
    """Return a stored report; None where it is of another version."""
    try:
        return msgspec.convert(plain, Report)
    except msgspec.ValidationError:
        return None


def outdated(report: Report, deployment: Deployment) -> tuple[str, ...]:
    """Return the fields of the deployment that have changed since."""
    now = probed(deployment)
    names = [each.name for each in msgspec.structs.fields(Probed)]
    return tuple(name for name in names if getattr(now, name) != getattr(report.probed, name))
