"""No secret lies open anywhere in a store, nor in what is shown of it."""

import contextlib
import logging
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from inhouse.core.catalog import ApiKey, Declared, Deployment, Role, Route, digest
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.errors import InhouseError, StoreError
from inhouse.store import Registry
from inhouse.store.database import Database
from inhouse.store.sealing import Seal
from inhouse.store.tables import metadata
from tests.store.conftest import Open

UPSTREAM = ["the-first-upstream-key", "the-second-upstream-key", "the-declared-upstream-key"]
CALLERS = "the-declared-key-of-a-caller"
SEALING = "the-key-that-seals-the-upstream-keys"


def deployment(key: str, name: str = "qwen") -> Deployment:
    return Deployment(name=name, family="f", identifier="x/y", api_key=Secret(key))


def fill(registry: Registry) -> list[str]:
    """Bring secrets in on every way there is; return them all."""
    registry.put_deployment(deployment(UPSTREAM[0]), author="ada")
    registry.put_deployment(deployment(UPSTREAM[1]), author="ada")
    registry.set_route(Route(feature=Feature.CHAT, deployments=("qwen",)), author="ada")
    key = ApiKey(name="ci", role=Role.ADMIN, digest=digest(CALLERS))
    declared = Declared(deployments=(deployment(UPSTREAM[2], "declared"),), keys=(key,))
    registry.apply(declared, author="inhouse.toml")
    made = registry.create_key("mine", Role.DEVELOPER, author="ada").reveal()
    registry.rollback(1, author="ada")
    return [*UPSTREAM, CALLERS, SEALING, made]


def test_no_table_holds_a_secret(
    open_registry: Open,
    tables: Database,
    key_file: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        secrets = fill(open_registry(Secret(SEALING)))
    with tables.reading() as connection:
        dump = "\n".join(
            repr(tuple(row))
            for table in metadata.tables.values()
            for row in connection.execute(select(table))
        )
    files = b"\n".join(
        path.read_bytes() for path in key_file.parent.glob("*") if key_file.parent.exists()
    )

    assert "qwen" in dump
    assert tables.sqlite == (b"qwen" in files)
    for secret in secrets:
        assert secret not in dump
        assert secret.encode() not in files
        assert secret not in caplog.text


def test_nothing_that_is_shown_holds_a_secret(open_registry: Open) -> None:
    registry = open_registry(Secret(SEALING))
    secrets = fill(registry)
    revisions = registry.revisions()
    shown = [repr(registry.snapshot()), repr(revisions), msgspec.json.encode(revisions).decode()]
    shown += [line for revision in revisions for line in revision.lines()]
    shown += [repr(registry.plan(Declared())), repr(vars(registry))]

    for text in shown:
        assert "v1." not in text
        assert "digest=" not in text or "ApiKey(" in text
        for secret in secrets:
            assert secret not in text


def test_errors_do_not_quote_secrets(registry: Registry) -> None:
    wrong = msgspec.structs.replace(deployment(UPSTREAM[0]), identifier="no slash")
    with pytest.raises(InhouseError) as caught:
        registry.put_deployment(wrong, author="ada")
    assert UPSTREAM[0] not in repr(caught.value)


@given(st.text(max_size=50).filter(lambda text: text.isprintable()), st.text(max_size=20))
def test_seal_opens_what_it_sealed_for_its_owner_alone(secret: str, owner: str) -> None:
    seal, other = Seal(Secret("1" * 32)), Seal(Secret("2" * 32))
    sealed = seal.seal(Secret(secret), owner)

    assert seal.open(sealed, owner) == Secret(secret)
    if secret:
        assert seal.seal(Secret(secret), owner) != sealed
        with pytest.raises(StoreError, match="damaged or belongs elsewhere"):
            seal.open(sealed, owner + "x")
        with pytest.raises(StoreError, match=f"sealed with the key {seal.id}, not with {other.id}"):
            other.open(sealed, owner)


@given(st.data())
def test_damaged_secrets_are_refused(data: st.DataObject) -> None:
    seal = Seal(Secret("1" * 32))
    sealed = seal.seal(Secret("a secret"), "owner")
    start = data.draw(st.integers(0, len(sealed) - 1))
    damaged = sealed[:start] + data.draw(st.text(max_size=3)) + sealed[start + 1 :]
    with contextlib.suppress(StoreError):
        # Base64 has several spellings of the same bytes.
        assert seal.open(damaged, "owner") == Secret("a secret")
