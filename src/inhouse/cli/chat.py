"""``inhouse chat``: talk to the model that serves chat."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from pathlib import Path

import click

from inhouse.cli import names, output
from inhouse.cli.asking import asked, print_answer, printed, whole
from inhouse.cli.command import Command, json_option
from inhouse.client import Client
from inhouse.core.requests import ChatRequest, Message, Params
from inhouse.errors import GatewayError

LEAVE = {"/exit", "/quit"}
FORGET = "/new"


@click.command(
    "chat",
    cls=Command,
    examples=[
        "inhouse chat",
        'inhouse chat "What does git rebase --onto do?"',
        "git diff | inhouse chat - --system 'Write a commit message.'",
    ],
)
@click.argument("message", required=False)
@click.option("--system", metavar="TEXT", help="Tell the model first how to behave.")
@click.option(
    "--model",
    default="chat",
    show_default=True,
    shell_complete=names.models,
    help="Feature or deployment to ask, such as chat.explain.",
)
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Longest answer.")
@json_option
@click.pass_obj
def command(
    file: Path | None,
    message: str | None,
    system: str | None,
    model: str,
    max_tokens: int | None,
    as_json: bool,
) -> None:
    """Ask MESSAGE and print the answer as it is written; without one, talk on.

    A MESSAGE of - is standard input, which is also read where it is not a terminal. In a talk,
    Ctrl-C stops an answer, /new forgets what was said, Ctrl-D or /exit leaves.
    """
    talk = _Talk(file, model, system, Params(max_tokens=max_tokens))
    if message == "-" or (message is None and not sys.stdin.isatty()):
        message = sys.stdin.read()
    if message is not None:
        if not message.strip():
            raise click.UsageError("There is no message: standard input is empty.")
        talk.ask(message, as_json=as_json)
        return
    if as_json:
        raise click.UsageError("--json needs a MESSAGE.")
    _converse(talk)


class _Talk:
    """A conversation so far."""

    def __init__(self, file: Path | None, model: str, system: str | None, params: Params) -> None:
        self._file = file
        self._model = model
        self._params = params
        self._opening = (Message(role="system", content=system),) if system else ()
        self._said: tuple[Message, ...] = self._opening

    def forget(self) -> None:
        """Begin anew."""
        self._said = self._opening

    def ask(self, text: str, *, as_json: bool = False) -> None:
        """Say something, and print the answer; both are remembered once it is complete."""
        messages = (*self._said, Message(role="user", content=text))
        request = ChatRequest(messages=messages, params=self._params)

        async def ask(client: Client) -> str:
            deltas = client.chat(request, self._model)
            if not as_json:
                return await printed(deltas)
            answer, milliseconds = await whole(deltas)
            print_answer(self._model, answer, milliseconds)
            return answer.choices[0].text

        answer = asked(self._file, ask)
        self._said = (*messages, Message(role="assistant", content=answer))


def _converse(talk: _Talk) -> None:
    with contextlib.suppress(ImportError):
        import_module("readline")  # gives input() line editing and history, where Python has it
    output.note("Ctrl-D leaves, Ctrl-C stops an answer, /new begins anew.")
    while True:
        try:
            text = input("> ").strip()
        except EOFError:
            click.echo()
            return
        if text in LEAVE:
            return
        if text == FORGET:
            talk.forget()
        elif text:
            try:
                talk.ask(text)
            except KeyboardInterrupt:
                output.note("\nStopped.")
            except GatewayError as error:
                output.complain(str(error))
