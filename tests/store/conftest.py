"""Fixtures: an empty store, once in SQLite and once in PostgreSQL."""

import contextlib
import itertools
import os
from collections.abc import Callable, Generator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from inhouse.core.secret import Secret
from inhouse.store import Registry
from inhouse.store.database import Database
from tests.store import postgres

REQUIRED = os.environ.get("INHOUSE_REQUIRE_ENGINES") == "1"  # noqa: TID251 - the runner's switch
LEFT_OUT = f"PostgreSQL: the wheel {postgres.WHEEL} is not installed"

Open = Callable[..., Registry]


@pytest.fixture(scope="session")
def server() -> Generator[str]:
    """The options that connect to a running PostgreSQL, one a session and worker."""
    found = postgres.installed()
    if found is None:
        (pytest.fail if REQUIRED else pytest.skip)(LEFT_OUT)
    with postgres.serving(found) as options:
        yield options


@pytest.fixture(scope="session")
def database(server: str) -> Callable[[], str]:
    """Makes an empty PostgreSQL database and returns its URL."""
    numbers = itertools.count()

    def make() -> str:
        name = f"test{next(numbers)}"
        with psycopg.connect(f"{server} user=inhouse dbname=postgres", autocommit=True) as root:
            root.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return f"postgresql://inhouse:unused@/{name}?{server}"

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store/inhouse.db"
    return request.getfixturevalue("database")()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "store" / "inhouse.key"


@pytest.fixture
def open_registry(url: str, key_file: Path) -> Generator[Open]:
    """Opens the test's store, as often as wanted."""
    opened: list[Registry] = []

    def open_it(secret: Secret | None = None) -> Registry:
        opened.append(Registry.open(url, secret=secret, key_file=key_file))
        return opened[-1]

    yield open_it
    for registry in opened:
        registry.close()


@pytest.fixture
def tables(url: str) -> Generator[Database]:
    """The test's store, past the registry."""
    with contextlib.closing(Database(url)) as database:
        yield database


@pytest.fixture
def registry(open_registry: Open) -> Registry:
    return open_registry()
