"""Fixtures: a running engine, each of those that `make engines` set up.

    async def test_something(engine: Engine): ...        # small model, once per engine
    async def test_hang_up(slow_engine: Engine): ...     # 86 million parameters

An engine that is absent skips its tests; `INHOUSE_REQUIRE_ENGINES=1` makes them fail instead.
Processes start when first asked for and serve until the session ends. All tests in this folder run
in one worker, since a vLLM takes 3 GB and both cores.
"""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from tests.engines.engine import DIALECTS, SLOW, SMALL, Engine, Installed, installed, serving
from tests.engines.left_out import left_out

HERE = Path(__file__).parent
REQUIRED = os.environ.get("INHOUSE_REQUIRE_ENGINES") == "1"  # noqa: TID251 - the runner's switch


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marker in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("engines"))


class Fleet:
    """The engines of this session, at most one process per engine and model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._installed = installed()
        self._running: dict[tuple[str, str], Engine] = {}
        self._processes = ExitStack()

    def installed(self, name: str) -> Installed:
        """Return how to start an engine, or skip the test that asks."""
        engine = self._installed[name]
        if not engine.ready:
            (pytest.fail if REQUIRED else pytest.skip)(left_out(engine.title))
        return engine

    def get(self, name: str, size: str) -> Engine:
        """Return a running engine; one that a test has killed is started again."""
        running = self._running.get((name, size))
        if running is None or not running.alive():
            started = serving(name, self.installed(name), size, self.folder)
            running = self._running[name, size] = self._processes.enter_context(started)
        return running

    def stop(self) -> None:
        self._processes.close()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Generator[Fleet]:
    engines = Fleet(tmp_path_factory.mktemp("engines"))
    yield engines
    engines.stop()


@pytest.fixture(params=list(DIALECTS))
def engine(request: pytest.FixtureRequest, fleet: Fleet) -> Engine:
    """An engine with the small model, which answers at once."""
    return _engine(request, fleet, SMALL)


@pytest.fixture(params=list(DIALECTS))
def slow_engine(request: pytest.FixtureRequest, fleet: Fleet) -> Engine:
    """An engine with the model that takes seconds, to be stopped half way."""
    return _engine(request, fleet, SLOW)


def _engine(request: pytest.FixtureRequest, fleet: Fleet, size: str) -> Engine:
    running = fleet.get(request.param, size)
    note: Callable[[str, str, str], None] = cast("Any", request).node.add_report_section
    note("setup", "engine", f"log: {running.log}")
    return running
