"""``inhouse serve``: start the gateway."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from inhouse import config
from inhouse.cli import output
from inhouse.cli.command import Command
from inhouse.gateway import Gateway
from inhouse.server import Addresses, run, serve


@click.command(
    "serve",
    cls=Command,
    examples=[
        "inhouse serve",
        "inhouse --config /etc/inhouse/inhouse.toml serve",
        "inhouse serve --host 0.0.0.0 --port 8080",
    ],
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on instead of the configured.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON.")
@click.pass_obj
def command(file: Path | None, host: str | None, port: int | None, as_json: bool) -> None:
    """Start the gateway, and serve until Ctrl-C or SIGTERM.

    Running requests may end first; a second Ctrl-C stops at once. The log is on standard error.
    """
    configured = config.load(file)
    wanted = {"host": host, "port": port}
    changes = {name: value for name, value in wanted.items() if value is not None}
    server = msgspec.structs.replace(configured.server, **changes)
    configured = msgspec.structs.replace(configured, server=server)
    run(_serve(configured, as_json=as_json))


async def _serve(configured: config.Config, *, as_json: bool) -> None:
    def started(addresses: Addresses) -> None:
        if as_json:
            click.echo(msgspec.json.encode(addresses).decode())
            return
        output.note(f"inhouse serves at {addresses.url}; Ctrl-C stops it.")
        if addresses.metrics:
            output.note(f"Metrics at {addresses.metrics}/metrics")
        if not gateway.catalog.keys:
            output.note("There are no API keys yet: inhouse keys create NAME --role developer")
        if not gateway.catalog.routes:
            output.note("Nothing is served yet: inhouse deployments add --help")

    async with Gateway.open(configured) as gateway:
        await serve(gateway, on_started=started)
