"""``inhouse deployments probe``: measure what a deployment can do, and keep the report."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from inhouse import config
from inhouse.cli import badges, names, output
from inhouse.cli.command import Command, json_option
from inhouse.cli.progress import bar
from inhouse.cli.registering import providers
from inhouse.cli.registry import deployment, opened_with
from inhouse.core.catalog import Deployment
from inhouse.core.settings import Settings
from inhouse.families import Support, load
from inhouse.features.probing import Report, Subject, outdated, probe, read_report
from inhouse.store import Registry

WORRYING = frozenset({Support.LIMITED, Support.UNRATED})
"""Badges by which a probe's exit status is 1."""


@click.command(
    "probe",
    cls=Command,
    examples=[
        "inhouse deployments probe codestral",
        "inhouse deployments probe codestral --gentle --json",
    ],
)
@click.argument("name", shell_complete=names.deployments)
@click.option("--gentle", is_flag=True, help="Never ask more than one request at once.")
@json_option
@click.pass_obj
def command(file: Path | None, name: str, gentle: bool, as_json: bool) -> None:
    """Measure what the deployment NAME can do, and write Full, Partial or Limited.

    Takes at most three minutes, mostly far less, and at most 50 short requests at once: FIM
    sentinels, stop sequences, streaming, tools, JSON schemas, the real window, whether generation
    stops when a caller leaves, and speed with 1, 10 and 50 requests at once. 'show' shows the last
    report. The status is 1 where a feature comes out Limited, or could not be measured.
    """
    configured = config.load(file)
    with opened_with(configured) as registry:
        report = _kept(configured, registry, name, gentle=gentle)
    if as_json:
        output.json({"deployment": name, **report.plain()})
    else:
        badges.show_badges(report.badges)
        badges.show_figures(report)
        output.note(
            f"Measured in {report.seconds:.0f} s. Kept: inhouse deployments show"
            f" {output.argument(name)}"
        )
    if any(each.support in WORRYING for each in report.badges):
        click.get_current_context().exit(1)


def wanted() -> bool:
    """Ask whether to probe now; where nobody sits at a terminal, the answer is no."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return click.confirm("Measure now what it can do (up to three minutes)?", err=True)


def after_adding(configured: config.Config, name: str, *, show: bool) -> dict[str, Any]:
    """Probe a deployment that was just added; return its badges for ``--json``."""
    with opened_with(configured) as registry:
        report = _kept(configured, registry, name)
        found = deployment(registry.snapshot(), name)
    if show:
        badges.show_badges(report.badges)
        badges.show_figures(report)
    return view(report, found)


def _kept(
    configured: config.Config, registry: Registry, name: str, *, gentle: bool = False
) -> Report:
    """Probe a registered deployment, and keep the report."""
    catalog = registry.snapshot()
    found = deployment(catalog, name)
    report = asyncio.run(_run(configured, catalog.settings, found, gentle=gentle))
    registry.probes.save(name, report.at, report.plain())
    return report


async def _run(
    configured: config.Config, settings: Settings, found: Deployment, *, gentle: bool
) -> Report:
    known = providers(configured, found)
    subject = Subject(
        deployment=found,
        provider=known[found.provider],
        families=load(configured.families),
        settings=settings,
    )
    try:
        with bar("probing") as progress:
            return await probe(subject, gentle=gentle, progress=progress)
    finally:
        await known.aclose()


def last(registry: Registry, name: str) -> Report | None:
    """Return the last report on a deployment, None where there is none that can be read."""
    found = registry.probes.find(name)
    return None if found is None else read_report(found.report)


def show_last(report: Report | None, found: Deployment) -> None:
    """Print the badges of the last report with their age."""
    click.echo()
    if report is None:
        output.note(f"What can it do? inhouse deployments probe {output.argument(found.name)}")
        return
    output.facts([("probed", badges.when_probed(report, found))])
    badges.show_badges(report.badges)


def view(report: Report | None, found: Deployment) -> dict[str, Any]:
    """Return the badges of the last report for ``--json``."""
    if report is None:
        return {"probe": None}
    return {
        "probe": {
            "at": report.at,
            "outdated": outdated(report, found),
            "badges": msgspec.to_builtins(report.badges),
        }
    }
