"""The log: one JSON object a line, or coloured lines for people at a terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO, cast

import msgspec
import structlog

from inhouse.core.trace import Outcome, Trace
from inhouse.errors import ConfigError

_encode = msgspec.json.Encoder().encode


class _File:
    """A file that may be moved away at any time: the next line starts a new one of its name."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._file = self._path.open("a", encoding="utf-8")

    def write(self, text: str) -> None:
        if self._moved():
            file = self._path.open("a", encoding="utf-8")
            self._file.close()
            self._file = file
        self._file.write(text)
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _moved(self) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return True


class _Lasting:
    """A stream whose end is nobody's concern: a full disk or a closed pipe loses lines alone.

    Whatever is written goes to a file too, if there is one.
    """

    def __init__(self, out: TextIO, file: _File | None) -> None:
        self._out = out
        self._file = file

    def write(self, text: str) -> int:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.write(text)
        with contextlib.suppress(OSError):
            return self._out.write(text)
        return 0

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._out.flush()

    def isatty(self) -> bool:
        return self._file is None and self._out.isatty()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Log:
    """Writes log lines to one stream; the only place that does, and it never fails.

    `style` is ``json``, ``console``, or ``auto``: console at a terminal, else JSON. `level` is a
    name of the standard library's levels in lower case. `file` is a path that gets each line too.
    """

    def __init__(
        self, *, level: str = "info", style: str = "auto", file: str = "", out: TextIO | None = None
    ) -> None:
        """Prepare the processors; `out` is standard error unless said.

        Raises:
            ConfigError: `file` cannot be written.

        """
        self._out = _Lasting(out if out is not None else sys.stderr, _opened(file))
        self._json = style == "json" or (style == "auto" and not self._out.isatty())
        self._threshold = logging.getLevelNamesMapping()[level.upper()]
        renderer = (
            structlog.processors.JSONRenderer()
            if self._json
            else structlog.dev.ConsoleRenderer(colors=self._out.isatty())
        )
        self._logger: Any = structlog.wrap_logger(
            structlog.PrintLogger(cast(TextIO, self._out)),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(self._threshold),
        )

    def close(self) -> None:
        """Close the file; what is said later goes to the stream alone."""
        self._out.close()

    def info(self, event: str, **facts: object) -> None:
        """Note something worth knowing."""
        self._logger.info(event, **facts)

    def warning(self, event: str, **facts: object) -> None:
        """Note something that an administrator should look at."""
        self._logger.warning(event, **facts)

    def failure(self, event: str, **facts: object) -> None:
        """Note something that went wrong around us."""
        self._logger.error(event, **facts)

    def defect(self, event: str, error: BaseException, **facts: object) -> None:
        """Note an error that we did not foresee, with its stack: for the log alone."""
        self._logger.error(event, exc_info=error, **facts)

    def requests(self, traces: Sequence[Trace]) -> None:
        """Write one line a trace."""
        if not self._json:
            for trace in traces:
                self._request(trace)
            return
        # msgspec renders a line in about a microsecond, structlog in thirty.
        lines = [
            _head(level, int(trace.started_at * 1000)) + _encode(trace)[1:]
            for trace in traces
            if (level := _level(trace)) >= self._threshold
        ]
        for whole in _grouped(lines):
            self._out.write(whole.decode())
        if lines:
            self._out.flush()

    def _request(self, trace: Trace) -> None:
        note = self.info if _level(trace) == logging.INFO else self.warning
        facts = {name: value for name, value in msgspec.structs.asdict(trace).items() if value}
        facts.pop("started_at")
        note("request", **{name: _plain(value) for name, value in facts.items()})


def _grouped(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Yield lines together, never more bytes than a pipe takes at once: others write to it too."""
    group: list[bytes] = []
    room = select.PIPE_BUF
    for line in lines:
        if len(line) >= room and group:
            yield b"\n".join(group) + b"\n"
            group, room = [], select.PIPE_BUF
        group.append(line)
        room -= len(line) + 1
    if group:
        yield b"\n".join(group) + b"\n"


def _opened(path: str) -> _File | None:
    try:
        return _File(path) if path else None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "the path holds a NUL character"
        raise ConfigError(
            f"[log]: file: '{path}' cannot be written: {why}. Make its folder, or choose another.",
            param="log.file",
        ) from None


def _plain(value: object) -> object:
    return ",".join(map(str, cast("tuple[object]", value))) if isinstance(value, tuple) else value


def _level(trace: Trace) -> int:
    return logging.WARNING if trace.outcome is Outcome.FAILED else logging.INFO


@lru_cache(1024)
def _head(level: int, started_at_ms: int) -> bytes:
    """Return how a line begins: as others of the same millisecond do."""
    at = datetime.fromtimestamp(started_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    name = "info" if level == logging.INFO else "warning"
    return f'{{"event":"request","level":"{name}","timestamp":"{at}",'.encode()
