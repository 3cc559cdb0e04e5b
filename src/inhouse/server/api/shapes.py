"""What the admin API takes and shows; secrets go in and never come out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.core.settings import Settings
from inhouse.core.trace import Outcome, Trace
from inhouse.families import Family
from inhouse.features.checks import Check
from inhouse.routing.circuit import State
from inhouse.routing.standing import Standing
from inhouse.store import Change, Revision

Limit = Annotated[int, Meta(ge=1, le=1000, description="How many, newest first.")]

Concurrent = Annotated[int, Meta(ge=1, le=65536)]
Word = Annotated[str, Meta(min_length=1, max_length=256, pattern="^[^\\x00]*$")]
Time = Annotated[float, Meta(ge=0, le=1e12)]


class StandingView(Struct, frozen=True, kw_only=True):
    """How a deployment stands in the process that answers.

    `state` is ``closed`` while requests pass, ``open`` while it is left alone since it failed
    (`retry_in` seconds more), ``half_open`` while one request tries it. `last_failure` is what
    went wrong last, None once it has answered again.
    """

    state: State
    running: int
    waiting: int
    retry_in: float
    last_failure: str | None


class DeploymentView(Struct, frozen=True, kw_only=True):
    """A deployment; of its key only whether there is one."""

    name: str
    family: str
    identifier: str
    endpoint: str
    has_api_key: bool
    options: dict[str, Any]
    deadlines: DeadlineOverrides
    max_concurrent: int | None
    declared: bool
    standing: StandingView


class DeploymentBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deployment as it is to be; `api_key` left out keeps the key that there is."""

    family: str
    identifier: Annotated[str, Meta(description="PROVIDER/MODEL")]
    endpoint: str = ""
    api_key: str | UnsetType = UNSET
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    deadlines: DeadlineOverrides = field(default_factory=DeadlineOverrides)
    max_concurrent: Concurrent | None = None


class NewDeployment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deployment to add."""

    name: str
    family: str
    identifier: Annotated[str, Meta(description="PROVIDER/MODEL")]
    endpoint: str = ""
    api_key: str = ""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    deadlines: DeadlineOverrides = field(default_factory=DeadlineOverrides)
    max_concurrent: Concurrent | None = None


class DeploymentList(Struct, frozen=True):
    """All deployments by name."""

    data: list[DeploymentView]


class CheckList(Struct, frozen=True):
    """What was looked at, in the order it was made; the last may be what stopped the rest."""

    data: list[Check]


class TraceList(Struct, frozen=True):
    """Traces, newest first."""

    data: list[Trace]


class FamilyList(Struct, frozen=True):
    """All model families by name."""

    data: list[Family]


class RevisionSummary(Struct, frozen=True, kw_only=True):
    """One change of the registry; `at` is a Unix time."""

    number: int
    at: float
    author: str
    summary: str


class RevisionView(Struct, frozen=True, kw_only=True):
    """One change in full: entries before and after, and `diff`, a line a field that differs."""

    number: int
    at: float
    author: str
    summary: str
    changes: tuple[Change, ...]
    diff: list[str]


class RevisionList(Struct, frozen=True):
    """Revisions, newest first."""

    data: list[RevisionSummary]


class ChangeList(Struct, frozen=True):
    """What a change did, none where everything was so already; `revision` is the newest one."""

    revision: int
    changes: list[Change]


class RevisionQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which revisions: those below the number `before`."""

    limit: Limit = 50
    before: Annotated[int, Meta(ge=1, le=999_999_999)] | UnsetType = UNSET


class TraceQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which traces: those that match every filter given, older than the trace `before`.

    `since` and `until` are Unix times.
    """

    limit: Limit = 50
    before: Word | UnsetType = UNSET
    caller: Word | UnsetType = UNSET
    user: Word | UnsetType = UNSET
    team: Word | UnsetType = UNSET
    model: Word | UnsetType = UNSET
    feature: Feature | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    request_id: Word | UnsetType = UNSET
    since: Time | UnsetType = UNSET
    until: Time | UnsetType = UNSET


SettingsChange: Any = msgspec.defstruct(
    "SettingsChange",
    [(each.name, each.type | None | UnsetType, UNSET) for each in msgspec.structs.fields(Settings)],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
)
"""The settings to change; null gives one its default back, those left out stay as they are."""


def deployment_view(deployment: Deployment, standing: Standing) -> DeploymentView:
    """Return what may be shown of a deployment."""
    circuit = standing.circuit
    return DeploymentView(
        name=deployment.name,
        family=deployment.family,
        identifier=deployment.identifier,
        endpoint=deployment.endpoint,
        has_api_key=bool(deployment.api_key),
        options=deployment.options,
        deadlines=deployment.deadlines,
        max_concurrent=deployment.max_concurrent,
        declared=deployment.declared,
        standing=StandingView(
            state=circuit.state,
            running=standing.queue.running,
            waiting=standing.queue.waiting,
            retry_in=round(circuit.remaining, 3),
            last_failure=None if circuit.last is None else circuit.last.message,
        ),
    )


def revision_summary(revision: Revision) -> RevisionSummary:
    """Return a revision without what it changed."""
    return RevisionSummary(
        number=revision.number,
        at=revision.at,
        author=revision.author,
        summary=revision.summary,
    )


def revision_view(revision: Revision) -> RevisionView:
    """Return a revision with its diff."""
    return RevisionView(
        number=revision.number,
        at=revision.at,
        author=revision.author,
        summary=revision.summary,
        changes=revision.changes,
        diff=revision.lines(),
    )
