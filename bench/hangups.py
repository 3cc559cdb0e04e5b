"""Whether a caller's hang-up reaches the upstream: a functional test, not a benchmark."""

from __future__ import annotations

import http.client
import json
import socket
import time

from msgspec import Struct

from loads import CANCELLATIONS, CHAT, KEY, Cancellation
from stacks import Stack

CALLERS = 10
PATIENCE = 4.0
LEFTOVERS = 25.0
"""Seconds: the longest answer of a phase takes 18."""
READ_PATIENCE = 10.0


class HangUps(Struct, frozen=True):
    """How many upstream connections were closed of those whose caller hung up.

    `milliseconds` are those until the last was closed, None where not all were.
    """

    phase: str
    closed: int
    callers: int
    milliseconds: float | None


def hang_up(stack: Stack, upstream_port: int) -> list[HangUps]:
    """Hang up on a server in each phase."""
    return [_hang_up(case, stack, upstream_port) for case in CANCELLATIONS]


def _hang_up(case: Cancellation, stack: Stack, upstream_port: int) -> HangUps:
    # What an earlier phase left running would count as this one's when it ends.
    _wait_for(upstream_port, "idle", 1, seconds=LEFTOVERS)
    before = _stats(upstream_port)
    callers = [_ask(case, stack) for _ in range(CALLERS)]
    _wait_for(upstream_port, "active", before["active"] + CALLERS)
    if case.after_first:
        for caller in callers:
            _read_token(caller)
    hung_up = time.perf_counter()
    for caller in callers:
        caller.close()
    aborted = _wait_for(upstream_port, "aborted", before["aborted"] + CALLERS)
    took = (time.perf_counter() - hung_up) * 1000
    closed = aborted - before["aborted"]
    return HangUps(case.title, closed, CALLERS, took if closed >= CALLERS else None)


def _ask(case: Cancellation, stack: Stack) -> socket.socket:
    body = case.body(stack.before)
    more = "".join(f"{line}\r\n" for line in stack.headers)
    caller = socket.create_connection(("127.0.0.1", stack.port), READ_PATIENCE)
    caller.sendall(
        f"POST {stack.below}{CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\n{more}"
        f"authorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return caller


def _read_token(caller: socket.socket) -> None:
    answer = b""
    while b" tok" not in answer:
        piece = caller.recv(65536)
        if not piece:
            raise ConnectionError(f"The server ended before the first token: {answer!r}")
        answer += piece


def _wait_for(upstream_port: int, count: str, least: int, *, seconds: float = PATIENCE) -> int:
    """Return the count as soon as it is `least`, or as it is when patience ends."""
    until = time.monotonic() + seconds
    while (now := _stats(upstream_port)[count]) < least and time.monotonic() < until:
        time.sleep(0.002)
    return now


def _stats(upstream_port: int) -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=READ_PATIENCE)
    try:
        connection.request("GET", "/stats")
        counts: dict[str, int] = json.loads(connection.getresponse().read())
        return counts | {"idle": int(not counts["active"])}
    finally:
        connection.close()
