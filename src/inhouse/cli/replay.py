"""``inhouse replay``: play recorded typing as an editor would."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from inhouse import config
from inhouse.cli import output, progress
from inhouse.cli.command import Command, json_option
from inhouse.client import Client
from inhouse.core.secret import KEY_PREFIX
from inhouse.replay import (
    DIALECTS,
    Dialect,
    Figures,
    Meter,
    Pace,
    Percentiles,
    Player,
    Session,
    SessionError,
    read,
)
from inhouse.replay.figures import Cost

LONGEST_DEBOUNCE = 10_000
NONE = "none was accepted"


@click.command(
    "replay",
    cls=Command,
    examples=[
        "inhouse replay bench/typing/pool.jsonl",
        "inhouse replay bench/typing/pool.jsonl --dialect gitlab --debounce 250",
        "inhouse replay pool.jsonl --speed 0 --metrics http://127.0.0.1:8082/metrics",
    ],
)
@click.argument("session", metavar="SESSION", type=click.Path(path_type=Path))
@click.option("--url", metavar="URL", help="The gateway; else the one at INHOUSE_URL.")
@click.option(
    "--dialect",
    type=click.Choice([each.value for each in Dialect]),
    default=Dialect.OPENAI.value,
    show_default=True,
    help="What the gateway is asked in; GitLab's is version 2 of its code API, and Tabby's tells no"
    " tokens.",
)
@click.option(
    "--debounce",
    type=click.IntRange(0, LONGEST_DEBOUNCE),
    metavar="MS",
    default=75,
    show_default=True,
    help="Milliseconds without a key before the editor asks.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 1000),
    metavar="N",
    default=1.0,
    show_default=True,
    help="N times as fast as it was typed; 0: as fast as answers come.",
)
@click.option(
    "--patient", is_flag=True, help="Ask nothing while what is shown agrees with what is typed."
)
@click.option("--key", metavar="NAME", help="Variable that holds the key; else INHOUSE_API_KEY.")
@click.option(
    "--metrics", metavar="URL", help="The gateway's metrics: they know what upstreams were asked."
)
@json_option
@click.pass_obj
def command(
    file: Path | None,
    session: Path,
    url: str | None,
    dialect: str,
    debounce: int,
    speed: float,
    patient: bool,
    key: str | None,
    metrics: str | None,
    as_json: bool,
) -> None:
    """Play a typing SESSION as an editor would, and count what it costs.

    The editor asks where nothing is typed for as long as it debounces, hangs up what is outdated,
    types through what is shown, and accepts it where the session says so and would write the same.
    With --speed 0 it waits for each answer, so that nothing is outdated. The status is 1 where an
    answer did not come, or was wrong: it differs from what the same text got before, or contradicts
    what the session marks as right.
    """
    typed = _read(session)
    gateway = config.load_client(file)
    if key is not None and key.startswith(KEY_PREFIX):
        raise click.BadParameter(
            "takes the name of a variable. A key itself would be seen by everybody on this machine;"
            " put it into INHOUSE_API_KEY.",
            param_hint="--key",
        )
    api_key = config.secret(f"env:{key}", "--key") if key else gateway.api_key
    pace = Pace(debounce=debounce / 1000, speed=speed, patient=patient)

    async def run(report: progress.Report) -> Figures:
        async with Client(
            url or gateway.url, api_key, gateway.proxies, authorities=gateway.authorities
        ) as client:
            ask = DIALECTS[Dialect(dialect)](client)
            return await _played(Player(typed, ask, pace, lambda at: report(at, "")), metrics)

    with progress.bar("Replaying") as report:
        found = asyncio.run(run(report))
    if as_json:
        output.json(
            {"session": str(session), "dialect": dialect, "debounce": debounce, "speed": speed}
            | {"patient": patient, "figures": found}
        )
    else:
        _print(found)
    if not found.good:
        click.get_current_context().exit(1)


def _read(path: Path) -> Session:
    """Read a session; fails as a wrong call where it is none."""
    try:
        return read(path)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except SessionError as error:
        raise click.UsageError(str(error)) from None


async def _played(player: Player, metrics: str | None) -> Figures:
    """Play, with a look at the metrics before and behind where they are known."""
    if metrics is None:
        await player.play()
        return player.tally.figures(None)
    async with Meter(metrics) as meter:
        before = await meter.read()
        await player.play()
        return player.tally.figures(await meter.added(before, player.tally.asked))


def _print(found: Figures) -> None:
    cost = found.cost
    output.facts(
        [
            ("keystrokes", f"{found.keystrokes}, {found.spared} spared"),
            ("requests", _answers(found)),
            ("suggestions", f"{found.shown} shown, {found.accepted} accepted"),
            ("accepted", f"{found.accepted_characters} characters"),
            ("to suggestion", _waits(found.milliseconds)),
            ("upstream", _requests(cost)),
            ("tokens", _tokens(cost)),
            ("wrong", _wrong(found)),
        ]
    )
    if cost.source == "answers":
        output.note(
            "Tokens are those that answers told; requests that were hung up told none, nor did"
            f" {found.untold} answers. --metrics tells more."
        )
    else:
        output.note(
            "Upstream requests and tokens are the whole gateway's in this time. Requests that were"
            " hung up before their first token count with no tokens, behind it with an estimate."
        )
    if found.first_failure:
        output.note(f"The first failure: {found.first_failure}")


def _answers(found: Figures) -> str:
    answered = f"{found.answered} answered ({found.empty} with nothing)"
    return f"{found.asked}: {answered}, {found.hung_up} hung up, {found.failed} failed"


def _waits(took: Percentiles | None) -> str:
    if took is None:
        return "nothing was suggested"
    return f"p50 {took.p50:.1f} ms, p95 {took.p95:.1f} ms, p99 {took.p99:.1f} ms"


def _wrong(found: Figures) -> str:
    contradicted = f"{found.wrong.contradicted} contradict the session"
    return f"{contradicted}, {found.wrong.changed} of {found.repeated} repeated ones changed"


def _requests(cost: Cost) -> str:
    if cost.requests is None:
        return "answers do not tell; name the metrics with --metrics"
    each = _per_character(cost.requests_per_accepted_character)
    return f"{cost.requests} requests, {each}"


def _tokens(cost: Cost) -> str:
    each = _per_character(cost.tokens_per_accepted_character)
    return f"{cost.prompt_tokens} asked, {cost.completion_tokens} answered, {each}"


def _per_character(figure: float | None) -> str:
    return NONE if figure is None else f"{figure:.2f} an accepted character"
