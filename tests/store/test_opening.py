"""Opening a store: its file, its tables, its sealing key."""

import contextlib
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from inhouse.core.catalog import Deployment
from inhouse.core.secret import Secret
from inhouse.errors import StoreError
from inhouse.store import Registry
from inhouse.store.database import Database
from inhouse.store.migration import FOLDER
from inhouse.store.tables import SCHEMA, metadata
from tests.store.conftest import Open

DEPLOYMENT = Deployment(name="a", family="f", identifier="x/y", api_key=Secret("upstream"))
ONE = Secret("1" * 32)
TWO = Secret("2" * 32)


def test_migrations_lead_to_the_tables(registry: Registry, tables: Database) -> None:
    assert registry.revision() == 0
    with tables.writing() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert (
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        )


def test_newest_migration_is_the_schema_that_the_code_expects() -> None:
    assert ScriptDirectory(str(FOLDER)).get_heads() == [SCHEMA]


def test_newer_schema_is_refused(open_registry: Open, tables: Database) -> None:
    open_registry()
    with tables.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError, match="schema 9999, which this version of inhouse does not"):
        open_registry()


def test_sqlite_files_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "store"
    key_file = folder / "inhouse.key"
    registry = Registry.open(f"sqlite:///{folder}/inhouse.db", secret=None, key_file=key_file)
    registry.put_deployment(DEPLOYMENT, author="ada")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes["inhouse.db"] == modes["inhouse.key"] == 0o600
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    registry.close()


def test_sqlite_readers_do_not_wait_for_the_writer(tmp_path: Path, key_file: Path) -> None:
    path = tmp_path / "inhouse.db"
    registry = Registry.open(f"sqlite:///{path}", secret=None, key_file=key_file)

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert registry.revision() == 0
    registry.close()


def test_sqlite_file_that_is_gone_is_not_written_to(tmp_path: Path, key_file: Path) -> None:
    path = tmp_path / "inhouse.db"
    registry = Registry.open(f"sqlite:///{path}", secret=None, key_file=key_file)

    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreError, match=r"inhouse\.db was removed or replaced"):
        registry.put_deployment(DEPLOYMENT, author="ada")
    path.touch()
    with pytest.raises(StoreError, match=r"inhouse\.db was removed or replaced"):
        registry.revision()
    (tmp_path / "elsewhere.db").replace(path)
    assert registry.put_deployment(DEPLOYMENT, author="ada")
    registry.close()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe"])
def test_broken_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    key_file = tmp_path / "broken.key"
    key_file.write_bytes(content)

    with pytest.raises(StoreError, match=r"broken\.key holds"):
        Registry.open(f"sqlite:///{tmp_path}/inhouse.db", secret=None, key_file=key_file)


def test_url_that_cannot_be_read_is_not_shown(key_file: Path) -> None:
    with pytest.raises(StoreError, match="URL cannot be read") as caught:
        Registry.open("postgresql://u:hush@hush@[::1/x", secret=None, key_file=key_file)
    assert "hush" not in str(caught.value)


def test_store_that_cannot_be_made(tmp_path: Path, key_file: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"inhouse\.db cannot be made: "):
        Registry.open(f"sqlite:///{tmp_path}/file/inhouse.db", secret=None, key_file=key_file)


def test_given_key_goes_before_the_file(open_registry: Open, key_file: Path) -> None:
    open_registry(ONE).put_deployment(DEPLOYMENT, author="ada")

    assert not key_file.exists()
    assert open_registry(ONE).snapshot().deployments == {"a": DEPLOYMENT}


def test_key_file_may_move_into_the_variable(open_registry: Open, key_file: Path) -> None:
    open_registry().put_deployment(DEPLOYMENT, author="ada")
    key = Secret(key_file.read_text())
    key_file.unlink()

    assert open_registry(key).snapshot().deployments == {"a": DEPLOYMENT}


def test_wrong_key_is_told_at_once(open_registry: Open) -> None:
    open_registry(ONE)

    with pytest.raises(StoreError, match="key from INHOUSE_SECRET_KEY is not the one") as caught:
        open_registry(TWO)
    assert TWO.reveal() not in str(caught.value)


def test_wrong_key_file_is_told_at_once(open_registry: Open, key_file: Path) -> None:
    open_registry()
    key_file.write_text("3" * 44)

    with pytest.raises(StoreError, match=rf"key file {key_file} is not the one"):
        open_registry()


def test_lost_key_file_is_told_and_not_made_anew(open_registry: Open, key_file: Path) -> None:
    open_registry()
    key_file.unlink()

    with pytest.raises(StoreError, match=rf"no file {key_file}, and INHOUSE_SECRET_KEY is not set"):
        open_registry()
    assert not key_file.exists()


def test_short_key_is_refused(open_registry: Open) -> None:
    with pytest.raises(StoreError, match="shorter than 32 characters"):
        open_registry(Secret("short"))


def test_key_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    key_file = tmp_path / "file" / "inhouse.key"

    with pytest.raises(StoreError, match=rf"key file {key_file} cannot be"):
        Registry.open(f"sqlite:///{tmp_path}/inhouse.db", secret=None, key_file=key_file)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "cannot be read"),
        ("nonsense", "cannot be read"),
        ("mysql://a/b", "cannot be kept in 'mysql'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://inhouse:secret@127.0.0.1:1/x", r"inhouse:\*\*\*@127.0.0.1:1/x refuses"),
    ],
)
def test_unusable_urls_are_told_without_password(url: str, message: str, key_file: Path) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Registry.open(url, secret=None, key_file=key_file)
    assert "secret" not in str(caught.value)


def test_file_that_is_no_database(tmp_path: Path, key_file: Path) -> None:
    path = tmp_path / "inhouse.db"
    path.write_text("this is not a database" * 100)

    with pytest.raises(StoreError, match="refuses: file is not a database"):
        Registry.open(f"sqlite:///{path}", secret=None, key_file=key_file)


def test_folder_in_the_place_of_the_file(tmp_path: Path, key_file: Path) -> None:
    with pytest.raises(StoreError, match="refuses: unable to open database file"):
        Registry.open(f"sqlite:///{tmp_path}", secret=None, key_file=key_file)


def test_secret_moved_to_another_row_is_noticed(tmp_path: Path, key_file: Path) -> None:
    path = tmp_path / "inhouse.db"
    registry = Registry.open(f"sqlite:///{path}", secret=None, key_file=key_file)
    for name in ("a", "b"):
        registry.put_deployment(
            Deployment(name=name, family="f", identifier="x/y", api_key=Secret(f"key of {name}")),
            author="ada",
        )
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE deployments SET api_key ="
            " (SELECT api_key FROM deployments WHERE name = 'a') WHERE name = 'b'"
        )
    connection.close()

    with pytest.raises(StoreError, match="secret of deployment/b was damaged or belongs elsewhere"):
        registry.snapshot()
    registry.close()


def test_current_store_opens_without_alembic(open_registry: Open, url: str, key_file: Path) -> None:
    open_registry()
    code = (
        "import sys; from pathlib import Path; from inhouse.store import Registry;"
        f"Registry.open({url!r}, secret=None, key_file=Path({str(key_file)!r})).close();"
        "print([name for name in sys.modules if name.startswith('alembic')])"
    )
    result = subprocess.run(  # noqa: S603 - this Python, and the code above
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout == "[]\n"
