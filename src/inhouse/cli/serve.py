"""``inhouse serve``: start the gateway."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from inhouse import config
from inhouse.cli import output
from inhouse.cli.command import Command
from inhouse.config.values import MOST_WORKERS
from inhouse.gateway import Gateway
from inhouse.server import Addresses, Desk, Supervisor, run, serve, work


@click.command(
    "serve",
    cls=Command,
    examples=[
        "inhouse serve",
        "inhouse --config /etc/inhouse/inhouse.toml serve",
        "inhouse serve --host 0.0.0.0 --port 8080",
        "inhouse serve --workers 4",
    ],
)
@click.option("--host", metavar="ADDRESS", help="Address to listen on instead of the configured.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    metavar="N",
    help="Processes that answer requests, instead of the configured number.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON.")
@click.pass_obj
def command(
    file: Path | None, host: str | None, port: int | None, workers: int | None, as_json: bool
) -> None:
    """Start the gateway, and serve until Ctrl-C or SIGTERM.

    Running requests may end first; a second Ctrl-C stops at once. The log is on standard error.
    """
    configured = config.load(file)
    wanted = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in wanted.items() if value is not None}
    server = msgspec.structs.replace(configured.server, **changes)
    configured = msgspec.structs.replace(configured, server=server)
    if server.workers == 1:
        run(_serve(configured, as_json=as_json))
        return
    supervisor = Supervisor(configured)
    desk = supervisor.run()
    if desk is not None:
        run(_work(configured, desk, supervisor.addresses, as_json=as_json))
    elif supervisor.status:
        click.get_current_context().exit(supervisor.status)


async def _serve(configured: config.Config, *, as_json: bool) -> None:
    async with Gateway.open(configured) as gateway:
        await serve(gateway, on_started=lambda at: _tell(gateway, at, as_json=as_json))


async def _work(
    configured: config.Config, desk: Desk, addresses: Addresses, *, as_json: bool
) -> None:
    def started() -> None:
        if desk.first:
            _tell(gateway, addresses, as_json=as_json)

    async with Gateway.open(configured) as gateway:
        await work(gateway, desk, on_started=started)


def _tell(gateway: Gateway, addresses: Addresses, *, as_json: bool) -> None:
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
