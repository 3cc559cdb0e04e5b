"""The table of keys that sign tokens."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from inhouse.core.secret import Secret
from inhouse.errors import StoreError
from inhouse.store import Registry
from inhouse.store.database import Database
from inhouse.store.tables import signing_keys
from tests.store.conftest import Open

PEM = Secret("-----BEGIN PRIVATE KEY-----")


def renew(registry: Registry, name: str, at: float, *, fresh: float, keep: float = 0) -> list[str]:
    found = registry.signing_keys.renew(
        name, PEM, created_at=at, fresh_since=fresh, keep_since=keep
    )
    assert {each.private_key for each in found} == {PEM}
    return [each.id for each in found]


def test_a_key_is_added_where_none_is_fresh(registry: Registry) -> None:
    assert registry.signing_keys.load() == ()
    assert renew(registry, "first", 100, fresh=50) == ["first"]
    assert renew(registry, "idle", 101, fresh=99) == ["first"]
    assert renew(registry, "second", 200, fresh=100) == ["second", "first"]
    assert renew(registry, "third", 300, fresh=200, keep=101) == ["third", "second"]
    assert [each.id for each in registry.signing_keys.load()] == ["third", "second"]
    assert registry.signing_keys.load()[0].created_at == 300


def test_replicas_make_one_key_together(open_registry: Open) -> None:
    registries = [open_registry() for _ in range(4)]
    with ThreadPoolExecutor(len(registries)) as pool:
        jobs = [
            pool.submit(renew, each, f"key{number}", 100 + number, fresh=50)
            for number, each in enumerate(registries)
        ]
        found = {tuple(job.result()) for job in jobs}

    assert len(found) == 1
    assert len(registries[0].signing_keys.load()) == 1


def test_a_key_moved_to_another_id_is_refused(registry: Registry, tables: Database) -> None:
    renew(registry, "first", 100, fresh=50)
    with tables.writing() as connection:
        connection.execute(signing_keys.update().values(id="other"))

    with pytest.raises(StoreError, match="signing key other"):
        registry.signing_keys.load()
