"""Fixtures: time, a log and a store of each test's own."""

import time as clocks
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from inhouse.store import Registry
from tests.fakes.gitlab import FakeGitLab
from tests.identity.world import KeptLog, NoKeys, Time, registry


@pytest.fixture
def time() -> Time:
    return Time(clocks.time)


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


@pytest.fixture
def no_keys() -> NoKeys:
    return NoKeys()


@pytest.fixture
def store(tmp_path: Path) -> Generator[Registry]:
    opened = registry(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
async def gitlab() -> AsyncGenerator[FakeGitLab]:
    async with FakeGitLab() as running:
        yield running
