"""The admin API's operations on probes: run one while its progress is streamed, and show the last.

A probe takes minutes, and proxies cut what is silent for one. So its progress comes as lines of
JSON, one at least every few seconds; who hangs up ends the probe, and with it what it asks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from msgspec import Struct

from inhouse.core.catalog import Deployment
from inhouse.errors import ConflictError, NotFoundError
from inhouse.features.probing import Report, Subject, outdated, probe, read_report
from inhouse.server.api.registry import named_deployment
from inhouse.server.operation import Call, Operation

BEAT = 5.0
"""Seconds without news after which the last line is said again."""


class ProbeQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gentle probe never asks more than one request at once."""

    gentle: bool = False


class ProbeView(Struct, frozen=True, kw_only=True):
    """A report on a deployment; `outdated` are the fields of the deployment changed since."""

    deployment: str
    outdated: tuple[str, ...]
    report: Report


class ProbeLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a probe is, a share between 0 and 1; the last line has what it found."""

    progress: float
    doing: str = ""
    found: ProbeView | None = None


async def probe_deployment(call: Call) -> AsyncGenerator[ProbeLine]:
    """``POST /api/v1/deployments/{name}/probe``: a second one of the same deployment is refused."""
    return _lines(call, named_deployment(call))


async def show_probe(call: Call) -> ProbeView:
    """``GET /api/v1/deployments/{name}/probe``."""
    deployment = named_deployment(call)
    found = await asyncio.to_thread(call.gateway.registry.probes.find, deployment.name)
    report = None if found is None else read_report(found.report)
    if report is None:
        raise NotFoundError(f"The deployment '{deployment.name}' has not been probed yet.")
    return _view(report, deployment)


async def _lines(call: Call, deployment: Deployment) -> AsyncGenerator[ProbeLine]:
    gateway, query = call.gateway, call.query
    subject = Subject(
        deployment=deployment,
        provider=gateway.provider(deployment),
        families=gateway.families,
        settings=gateway.catalog.settings,
    )
    if deployment.name in gateway.probing:
        raise ConflictError(f"The deployment '{deployment.name}' is being probed already.")
    news = _News()
    gateway.probing.add(deployment.name)
    task = asyncio.create_task(probe(subject, gentle=query.gentle, progress=news.tell))
    task.add_done_callback(lambda _: news.end())
    try:
        async for line in news.lines():
            yield line
        report = await task
    finally:
        gateway.probing.discard(deployment.name)
        task.cancel()
        await asyncio.wait({task})
    save = gateway.registry.probes.save
    await asyncio.to_thread(save, deployment.name, report.at, report.plain())
    yield ProbeLine(progress=1.0, found=_view(report, deployment))


class _News:
    """What a probe tells of its progress, from whatever thread, as lines with a beat."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Queue[ProbeLine | None] = asyncio.Queue()

    def tell(self, share: float, doing: str) -> None:
        line = ProbeLine(progress=round(share, 3), doing=doing)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._told.put_nowait, line)

    def end(self) -> None:
        self._told.put_nowait(None)

    async def lines(self) -> AsyncGenerator[ProbeLine]:
        line: ProbeLine | None = ProbeLine(progress=0.0)
        while line is not None:
            yield line
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    line = await self._told.get()


def _view(report: Report, deployment: Deployment) -> ProbeView:
    return ProbeView(
        deployment=deployment.name, outdated=outdated(report, deployment), report=report
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/deployments/{name}/probe",
        summary="Measure what a deployment can do, and write Full, Partial or Limited",
        tag="deployments",
        run=probe_deployment,
        query=ProbeQuery,
        answer=ProbeLine,
        lines=True,
        writes=True,
    ),
    Operation(
        method="GET",
        path="/api/v1/deployments/{name}/probe",
        summary="Show what the last probe of a deployment found",
        tag="deployments",
        run=show_probe,
        answer=ProbeView,
    ),
)
