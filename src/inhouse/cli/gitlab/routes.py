"""What serves each of GitLab's features, as the gateway lists it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from inhouse.cli.gitlab.asking import Answer
from inhouse.cli.output import argument
from inhouse.features.check import Check, Status, failed, ok, skipped, warning


class Route(Struct, frozen=True):
    """What serves a feature; `gitlab` holds GitLab's names for it."""

    feature: str
    deployments: list[str]
    disabled: bool
    gitlab: list[str]


class _Routes(Struct, frozen=True):
    data: list[Route]


def read(listed: Answer) -> list[Route]:
    """Return each feature's route, none where `listed` tells none."""
    try:
        return msgspec.json.decode(listed.body, type=_Routes).data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def served(name: str, listed: Answer, routes: Sequence[Route]) -> Check:
    """Say which of GitLab's features nothing serves."""
    if listed.status == 403:
        return skipped(name, "Only the key of an admin or auditor may see them.")
    if listed.status != 200:
        return failed(name, f"They cannot be listed: {listed.said}.")
    if not routes:
        return failed(name, "What answers is no gateway of this version.", "Correct INHOUSE_URL.")
    unserved = [each for each in routes if not each.deployments or each.disabled]
    if without := [setting for each in unserved for setting in each.gitlab]:
        return warning(
            name,
            f"Nothing serves {', '.join(without)}.",
            "inhouse routes list shows our names for them; inhouse routes set FEATURE DEPLOYMENT",
        )
    return ok(name, "Each of GitLab's features has one.")


def helped(found: Check, routes: Sequence[Route], feature: str) -> Check:
    """Say how to look at the model of a check that failed and says nothing else to do."""
    if found.status is not Status.FAILED or found.remedy:
        return found
    serving = [name for each in routes if each.feature == feature for name in each.deployments]
    name = argument(serving[0]) if serving else "DEPLOYMENT"
    return msgspec.structs.replace(found, remedy=f"inhouse deployments test {name}")
