"""``inhouse deployments``: the models at upstreams."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click
import msgspec

from inhouse import config
from inhouse.cli import names, output, testing
from inhouse.cli.command import Group, json_option
from inhouse.cli.registering import checked
from inhouse.cli.registry import author, deployment, opened, opened_with
from inhouse.cli.secrets import WHERE, secret_reference
from inhouse.core.catalog import Catalog, Deployment
from inhouse.core.secret import Secret
from inhouse.errors import ConflictError


def _options(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Take ``NAME=VALUE`` apart; a value that reads as JSON is one, any other is a string."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise click.BadParameter("write NAME=VALUE, as in ca_file=/etc/ssl/our-ca.pem.")
        try:
            found[name] = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            found[name] = text
    return found


@click.group(
    "deployments",
    cls=Group,
    examples=[
        "inhouse deployments add codestral --family codestral \\",
        "    --endpoint http://127.0.0.1:8000/v1 --identifier custom_openai/codestral",
        "inhouse deployments test codestral",
    ],
)
def command() -> None:
    """Register models that are served at upstreams, and see whether they work."""


@command.command(
    "add",
    examples=[
        "inhouse deployments add codestral --family codestral \\",
        "    --endpoint http://127.0.0.1:8000/v1 --identifier custom_openai/codestral \\",
        "    --api-key env:VLLM_API_KEY",
        "inhouse deployments add ours --family repository-index \\",
        "    --endpoint /srv/code --identifier repository/index",
    ],
)
@click.argument("name")
@click.option(
    "--family",
    required=True,
    shell_complete=names.families,
    help="Model family; 'inhouse families list' shows them.",
)
@click.option(
    "--identifier",
    required=True,
    metavar="PROVIDER/MODEL",
    help="Who talks to the upstream, and its name for the model: custom_openai/NAME for vLLM,"
    " llama.cpp, SGLang, TGI and Ollama; repository/index for an index of a folder.",
)
@click.option("--endpoint", default="", metavar="URL", help="Where the upstream is.")
@click.option(
    "--api-key",
    callback=secret_reference,
    metavar="REFERENCE",
    help=f"Where the upstream's key is: {WHERE}. Kept encrypted, never shown.",
)
@click.option(
    "--option",
    "options",
    callback=_options,
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the provider, such as ca_file=PATH; may be repeated.",
)
@click.option(
    "--replace", is_flag=True, help="Replace the deployment NAME; without --api-key its key stays."
)
@json_option
@click.pass_obj
def add(
    file: Path | None,
    name: str,
    family: str,
    identifier: str,
    endpoint: str,
    api_key: Secret | None,
    options: dict[str, Any],
    replace: bool,
    as_json: bool,
) -> None:
    """Register a model under NAME. Asks the upstream nothing: 'test' does that."""
    wanted = Deployment(
        name=name,
        family=family,
        identifier=identifier,
        endpoint=endpoint,
        api_key=api_key or Secret(),
        options=options,
    )
    configured = config.load(file)
    (wanted,) = checked(configured, [wanted])
    with opened_with(configured) as registry:
        known = registry.snapshot().deployments.get(name)
        if known is not None and not replace:
            raise ConflictError(
                f"There is a deployment '{name}' already; --replace replaces it.", param="name"
            )
        if known is not None and api_key is None:
            wanted = msgspec.structs.replace(wanted, api_key=known.api_key)
        registry.put_deployment(wanted, author=author())
        catalog = registry.snapshot()
    if as_json:
        output.json(_view(catalog, catalog.deployments[name]))
        return
    click.echo(f"The deployment '{name}' is {'added' if known is None else 'replaced'}.")
    shown = f"'{name}'" if " " in name else name
    output.note(f"Does it work?   inhouse deployments test {shown}")
    if not _serves(catalog, name):
        output.note(f"Let it serve:   inhouse routes set completion {shown}")


@command.command("list", examples=["inhouse deployments list", "inhouse deployments list --json"])
@json_option
@click.pass_obj
def listed(file: Path | None, as_json: bool) -> None:
    """List the deployments, and which features they serve."""
    with opened(file) as registry:
        catalog = registry.snapshot()
    found = sorted(catalog.deployments.values(), key=lambda each: each.name)
    if as_json:
        output.json([_view(catalog, each) for each in found])
        return
    rows = [
        (
            each.name,
            each.family,
            each.identifier,
            each.endpoint,
            "set" if each.api_key else "",
            ", ".join(_serves(catalog, each.name)),
        )
        for each in found
    ]
    output.table(
        ["NAME", "FAMILY", "IDENTIFIER", "ENDPOINT", "KEY", "SERVES"],
        rows,
        empty="There are no deployments yet. Register one with: inhouse deployments add --help",
    )


@command.command("show", examples=["inhouse deployments show codestral"])
@click.argument("name", shell_complete=names.deployments)
@json_option
@click.pass_obj
def show(file: Path | None, name: str, as_json: bool) -> None:
    """Show the deployment NAME, all but its key."""
    with opened(file) as registry:
        catalog = registry.snapshot()
    found = deployment(catalog, name)
    if as_json:
        output.json(_view(catalog, found))
        return
    output.facts(
        [
            ("name", found.name),
            ("family", found.family),
            ("identifier", found.identifier),
            ("endpoint", found.endpoint or "-"),
            ("api key", "set" if found.api_key else "none"),
            *((f"option {key}", str(value)) for key, value in _options_shown(found).items()),
            ("serves", ", ".join(_serves(catalog, name)) or "nothing yet"),
            ("declared", "in inhouse.toml" if found.declared else "no"),
        ]
    )


@command.command(
    "test",
    examples=["inhouse deployments test codestral", "inhouse deployments test codestral --json"],
)
@click.argument("name", shell_complete=names.deployments)
@json_option
@click.pass_obj
def test(file: Path | None, name: str, as_json: bool) -> None:
    """Ask the deployment NAME, say what is wrong and how to mend it.

    Looks at address, key, model name, window, special tokens, completion, chat and streaming, with
    a few short requests. The status is 1 where something does not work.
    """
    configured = config.load(file)
    with opened_with(configured) as registry:
        catalog = registry.snapshot()
    declared = {each.name: each for each in configured.declared.deployments}
    found = declared.get(name) or deployment(catalog, name)
    checks = testing.run(configured, catalog.settings, found, show=not as_json)
    if as_json:
        output.json({"deployment": name, "works": testing.passed(checks), "checks": checks})
    if not testing.passed(checks):
        click.get_current_context().exit(1)


@command.command("remove", examples=["inhouse deployments remove codestral"])
@click.argument("name", shell_complete=names.deployments)
@json_option
@click.pass_obj
def remove(file: Path | None, name: str, as_json: bool) -> None:
    """Remove the deployment NAME; refused while a route uses it."""
    with opened(file) as registry:
        before = registry.revision()
        registry.remove_deployment(name, author=author())
    if as_json:
        output.json({"removed": name})
        return
    click.echo(f"The deployment '{name}' is removed.")
    output.note(f"Bring it back with: inhouse revisions rollback {before}")


def _serves(catalog: Catalog, name: str) -> list[str]:
    """Name the features whose own route lists the deployment."""
    return [feature.value for feature, route in catalog.routes.items() if name in route.deployments]


def _options_shown(found: Deployment) -> dict[str, Any]:
    """Return the options without the values of headers, which may be keys."""
    headers = found.options.get("headers")
    if not isinstance(headers, dict):
        return found.options
    hidden = dict.fromkeys(cast("dict[str, Any]", headers), "(set)")
    return {**found.options, "headers": hidden}


def _view(catalog: Catalog, found: Deployment) -> dict[str, Any]:
    return {
        "name": found.name,
        "family": found.family,
        "identifier": found.identifier,
        "endpoint": found.endpoint,
        "has_api_key": bool(found.api_key),
        "options": _options_shown(found),
        "serves": _serves(catalog, found.name),
        "declared": found.declared,
    }
