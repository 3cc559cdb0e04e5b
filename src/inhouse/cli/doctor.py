"""``inhouse doctor``: say what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from inhouse import config
from inhouse.cli import diagnosis, output, testing
from inhouse.cli.command import Command, json_option
from inhouse.cli.gitlab import checks as examined
from inhouse.core.catalog import Catalog
from inhouse.errors import ConfigError, StoreError
from inhouse.families import load
from inhouse.features.check import Check, Status, failed, ok, skipped
from inhouse.store import Registry


@click.command(
    "doctor",
    cls=Command,
    examples=[
        "inhouse doctor",
        "inhouse --config inhouse.toml doctor",
        "inhouse doctor --gitlab",
        "inhouse doctor --gitlab https://gitlab.example --json",
    ],
)
@click.option("--offline", is_flag=True, help="Ask no upstream.")
@click.option(
    "--gitlab",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[URL]",
    help="Look at GitLab and at a running gateway as GitLab sees it, by default at each GitLab that"
    " is configured.",
)
@json_option
@click.pass_obj
def command(file: Path | None, offline: bool, gitlab: str | None, as_json: bool) -> None:
    """Look at configuration, store, port, keys, routes, and ask each deployment.

    Says what is wrong and how to mend it. The status is 1 where something does not work.

    With --gitlab it asks GitLab for its keys, and the gateway at INHOUSE_URL with the key in
    INHOUSE_API_KEY for all that GitLab's own checks want. Authentication stays on.
    """
    if offline and gitlab is not None:
        raise click.UsageError("--gitlab asks GitLab and the gateway: leave out --offline.")
    made: list[Check] = []
    found = _checks(file, offline=offline) if gitlab is None else _gitlab(file, gitlab)
    for check in found:
        made.append(check)
        if not as_json:
            testing.print_check(check)
    works = testing.passed(made)
    if as_json:
        output.json({"works": works, "checks": made})
    else:
        click.echo()
        click.echo(_verdict(made))
    if not works:
        click.get_current_context().exit(1)


def _gitlab(file: Path | None, url: str) -> Iterator[Check]:
    yield diagnosis.versions()
    try:
        configured = config.load(file)
    except ConfigError as error:
        yield failed("configuration", str(error), "Correct the file or the variable.")
        return
    yield diagnosis.file_found(configured)
    yield from diagnosis.remarks(configured)
    yield from examined(configured, url)


def _checks(file: Path | None, *, offline: bool) -> Iterator[Check]:
    yield diagnosis.versions()
    try:
        configured = config.load(file)
        families = load(configured.families)
    except ConfigError as error:
        yield failed("configuration", str(error), "Correct the file or the variable.")
        return
    yield diagnosis.file_found(configured)
    yield from diagnosis.remarks(configured)
    yield diagnosis.key_file(configured)
    yield diagnosis.space(configured)
    yield asyncio.run(diagnosis.port(configured))
    store = diagnosis.store_file(configured)
    if store is not None and not store.exists():
        sentence = f"There is none yet at {store}; it is made when it is first needed."
        yield skipped("store", sentence)
        catalog = Catalog()
    else:
        try:
            registry = Registry.open(
                configured.store.url, secret=configured.secret_key, key_file=configured.key_file
            )
        except StoreError as error:
            yield failed("store", str(error), "Check [store] in the configuration.")
            return
        try:
            catalog = registry.snapshot()
            sentence = f"{configured.store.shown}, revision {catalog.revision}."
            yield ok("store", sentence)
            yield diagnosis.clock(registry)
            if (waiting := diagnosis.pending(registry, configured)) is not None:
                yield waiting
        finally:
            registry.close()
    catalog = _with_declared(catalog, configured)
    yield diagnosis.keys(catalog)
    yield from diagnosis.routes(catalog, families)
    if not offline:
        yield from _deployments(configured, catalog)


def _with_declared(catalog: Catalog, configured: config.Config) -> Catalog:
    """Return the registry as it will be once the configuration file is taken over."""
    declared = configured.declared
    return msgspec.structs.replace(
        catalog,
        deployments=catalog.deployments | {each.name: each for each in declared.deployments},
        routes=catalog.routes | {each.feature: each for each in declared.routes},
        keys=catalog.keys | {each.digest: each for each in declared.keys},
    )


def _deployments(configured: config.Config, catalog: Catalog) -> Iterator[Check]:
    """Test each deployment; of one that is well, one check is enough."""
    for name, deployment in sorted(catalog.deployments.items()):
        title = f"deployment '{name}'"
        found = testing.run(configured, catalog.settings, deployment, show=False)
        wrong = [each for each in found if each.status in (Status.FAILED, Status.WARNING)]
        for each in wrong:
            yield msgspec.structs.replace(each, name=f"{title}, {each.name}")
        if not wrong:
            yield ok(title, "It works.")


def _verdict(made: list[Check]) -> str:
    wrong = sum(each.status is Status.FAILED for each in made)
    warnings = sum(each.status is Status.WARNING for each in made)
    if wrong:
        return f"{wrong} of {len(made)} checks failed."
    noun = "warning" if warnings == 1 else "warnings"
    return f"Nothing failed; {warnings} {noun}." if warnings else "Everything works."
