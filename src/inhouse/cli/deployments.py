"""``inhouse deployments``: the models at upstreams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from inhouse import config
from inhouse.cli import arguments, correcting, described, names, output, probing, testing
from inhouse.cli.command import Group, json_option
from inhouse.cli.registering import checked
from inhouse.cli.registry import author, deployment, opened, opened_with
from inhouse.cli.secrets import WHERE, secret_reference
from inhouse.core.catalog import Deployment
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.errors import ConflictError
from inhouse.families import CompletionMode, Family, load


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
        "inhouse deployments add small --family qwen-coder \\",
        "    --endpoint http://127.0.0.1:8001/v1 --identifier custom_openai/small \\",
        "    --max-concurrent 32 --deadline first_token=2 --deadline total=10",
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
    " llama.cpp, SGLang, TGI and Ollama; azure/, bedrock/, anthropic/ and openai/NAME for those"
    " platforms; repository/index for an index of a folder.",
)
@click.option(
    "--endpoint",
    default="",
    metavar="URL",
    help="Where the upstream is; bedrock, anthropic and openai have one of their own.",
)
@click.option(
    "--api-key",
    callback=secret_reference,
    metavar="REFERENCE",
    help=f"Where the upstream's key is: {WHERE}. Kept encrypted, never shown.",
)
@click.option(
    "--option",
    "options",
    callback=arguments.pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the provider, such as ca_file=PATH; may be repeated.",
)
@click.option(
    "--deadline",
    "deadlines",
    callback=arguments.deadlines,
    multiple=True,
    metavar="PHASE=SECONDS",
    help="A time limit that goes before the settings'; PHASE is connect, first_token,"
    " between_tokens or total. May be repeated.",
)
@click.option(
    "--max-concurrent",
    type=click.IntRange(1, 65536),
    metavar="N",
    help="Requests that it gets at once from one process of the gateway; others wait.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Replace the deployment NAME: all but its key, which stays without --api-key. To correct"
    " one thing, use 'set'.",
)
@click.option(
    "--probe/--no-probe",
    default=None,
    help="Measure at once what it can do, in at most three minutes. Unsaid: asks at a terminal.",
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
    deadlines: DeadlineOverrides,
    max_concurrent: int | None,
    replace: bool,
    probe: bool | None,
    as_json: bool,
) -> None:
    """Register a model under NAME. Asks the upstream nothing: 'test' and 'probe' do that."""
    wanted = Deployment(
        name=name,
        family=family,
        identifier=identifier,
        endpoint=endpoint,
        api_key=api_key or Secret(),
        options=options,
        deadlines=deadlines,
        max_concurrent=max_concurrent,
    )
    configured = config.load(file)
    with opened_with(configured) as registry:
        known = registry.snapshot().deployments.get(name)
        if known is not None and not replace:
            raise ConflictError(
                f"There is a deployment '{name}' already; --replace replaces it, 'inhouse"
                " deployments set' corrects it.",
                param="name",
            )
        if known is not None and api_key is None:
            wanted = msgspec.structs.replace(wanted, api_key=known.api_key)
        (wanted,) = checked(configured, [wanted])
        registry.put_deployment(wanted, author=author())
        catalog = registry.snapshot()
    if as_json:
        shown_probe = probing.after_adding(configured, name, show=False) if probe else {}
        output.json(described.view(catalog, catalog.deployments[name]) | shown_probe)
        return
    click.echo(f"The deployment '{name}' is {'added' if known is None else 'replaced'}.")
    shown = output.argument(name)
    if probe or (probe is None and probing.wanted()):
        probing.after_adding(configured, name, show=True)
    else:
        output.note(f"Does it work?   inhouse deployments test {shown}")
        output.note(f"What can it do? inhouse deployments probe {shown}")
    if not described.serves(catalog, name):
        feature = _made_for(load(configured.families).get(wanted.family))
        output.note(f"Let it serve:   inhouse routes set {feature} {shown}")


def _made_for(family: Family) -> Feature:
    """Return the feature that a model of the family serves best."""
    if family.embeds:
        return Feature.EMBEDDING
    chats = family.completion is CompletionMode.INSTRUCTION
    return Feature.CHAT if chats else Feature.COMPLETION


@command.command("list", examples=["inhouse deployments list", "inhouse deployments list --json"])
@json_option
@click.pass_obj
def listed(file: Path | None, as_json: bool) -> None:
    """List the deployments, and which features they serve."""
    with opened(file) as registry:
        catalog = registry.snapshot()
    found = sorted(catalog.deployments.values(), key=lambda each: each.name)
    if as_json:
        output.json([described.view(catalog, each) for each in found])
        return
    rows = [
        (
            each.name,
            each.family,
            each.identifier,
            each.endpoint,
            "set" if each.api_key else "",
            ", ".join(described.serves(catalog, each.name)),
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
    """Show the deployment NAME, all but its key, and what its last probe found."""
    with opened(file) as registry:
        catalog = registry.snapshot()
        report = probing.last(registry, name)
    found = deployment(catalog, name)
    if as_json:
        output.json(described.view(catalog, found) | probing.view(report, found))
        return
    output.facts(described.facts(catalog, found))
    probing.show_last(report, found)


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


command.add_command(correcting.command)
command.add_command(probing.command)


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
