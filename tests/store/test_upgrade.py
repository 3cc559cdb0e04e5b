"""A store that an earlier version wrote goes on, with everything in it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from inhouse.core.catalog import ApiKey, Deployment, Limits, Role, Route, Team
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.core.trace import Outcome, Trace
from inhouse.store import Filter
from inhouse.store.database import Database
from inhouse.store.migration import FOLDER
from inhouse.store.sealing import Seal, make_key
from tests.store.conftest import Open

QWEN = Deployment(
    name="qwen",
    family="qwen-coder",
    identifier="custom_openai/qwen",
    endpoint="http://a/v1",
    api_key=Secret("the upstream's key"),
    options={"window": 4096},
)
LLAMA = Deployment(name="llama", family="llama3", identifier="x/llama", declared=True)
SETTINGS = {"total_timeout": 50.0, "first_byte_timeout": 7, "trace_days": 30}


@pytest.fixture
def old(tables: Database, key_file: Path) -> None:
    """Writes what 0001 wrote: three entries by hand, as many declared, and how they came about."""
    key = make_key(key_file)
    seal = Seal(key)
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with tables.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    sealed = seal.seal(QWEN.api_key, "deployment/qwen")
    entries: dict[tuple[str, str], dict[str, Any]] = {
        ("deployment", "qwen"): _deployment(QWEN, sealed),
        ("deployment", "llama"): _deployment(LLAMA, ""),
        ("route", "chat"): {"deployments": ["qwen", "llama"], "disabled": False, "declared": False},
        ("route", "chat.fix"): {"deployments": [], "disabled": True, "declared": False},
        ("key", "ci"): {
            "role": "developer",
            "digest": "d" * 64,
            "models": ["chat"],
            "declared": False,
            "created_at": 1_700_000_000.5,
        },
    }
    for name, value in SETTINGS.items():
        entries["setting", name] = {"value": value, "declared": name == "trace_days"}
    with tables.writing() as connection:
        for (kind, name), document in entries.items():
            _write(connection, kind, name, document)
        for number, ((kind, name), document) in enumerate(entries.items(), start=1):
            change = {"kind": kind, "name": name, "before": None, "after": document}
            connection.execute(
                text("INSERT INTO revisions VALUES (:number, :at, 'ada', :summary, :changes)"),
                {
                    "number": number,
                    "at": 1_700_000_000.0 + number,
                    "summary": f"create {kind} '{name}'",
                    "changes": msgspec.json.encode([change]).decode(),
                },
            )
        connection.execute(
            text(
                "INSERT INTO traces VALUES ('t1', 'r', 1.5, '/v1/completions', 'ci', 'chat',"
                " 'chat', 'ok', 200, 3.5, NULL, '[\"qwen\"]', 'qwen-coder', :off, 1, 2, 3,"
                " 'stop', '')"
            ),
            {"off": False},
        )


@pytest.fixture
def between(old: None, tables: Database) -> None:
    """Upgrades to 0002, and writes what is new there: a team, its key and route, a trace of it."""
    del old
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with tables.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    with tables.writing() as connection:
        for statement in (
            "INSERT INTO teams VALUES ('payments', 60, NULL, :off)",
            (
                "INSERT INTO routes (feature, team, disabled, declared)"
                " VALUES ('chat', 'payments', :off, :off)"
            ),
            (
                "INSERT INTO route_deployments (feature, team, position, deployment, weight)"
                " VALUES ('chat', 'payments', 0, 'llama', 3)"
            ),
            "UPDATE api_keys SET team = 'payments'",
            (
                "INSERT INTO traces (id, request_id, started_at, endpoint, caller, model, feature,"
                " outcome, status, duration_ms, deployments, family, stream, prompt_tokens,"
                " completion_tokens, deltas, finish_reason, error, team, failures)"
                " VALUES ('t2', 'r', 2.5, '/v1/chat/completions', 'ci', 'chat', 'chat', 'failed',"
                " 502, 3.5, '[\"qwen\", \"llama\"]', 'llama3', :off, 1, 2, 3, '', 'timeout',"
                " 'payments',"
                ' \'["timeout", "timeout"]\')'
            ),
        ):
            connection.execute(text(statement), {"off": False} if ":off" in statement else {})


def _deployment(deployment: Deployment, sealed: str) -> dict[str, Any]:
    return {
        "family": deployment.family,
        "identifier": deployment.identifier,
        "endpoint": deployment.endpoint,
        "api_key": sealed,
        "options": deployment.options,
        "declared": deployment.declared,
    }


def _write(connection: Any, kind: str, name: str, document: dict[str, Any]) -> None:
    document = dict(document)
    served: list[str] = document.pop("deployments", [])
    table, key = {
        "deployment": ("deployments", "name"),
        "route": ("routes", "feature"),
        "key": ("api_keys", "name"),
        "setting": ("settings", "name"),
    }[kind]
    plain = {
        each: msgspec.json.encode(value).decode()
        if each in {"options", "models", "value"}
        else value
        for each, value in {key: name, **document}.items()
    }
    columns, values = ", ".join(plain), ", ".join(f":{each}" for each in plain)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), plain)  # noqa: S608 -- names from above
    for position, deployment in enumerate(served):
        connection.execute(
            text("INSERT INTO route_deployments VALUES (:feature, :position, :deployment)"),
            {"feature": name, "position": position, "deployment": deployment},
        )


@pytest.mark.usefixtures("old")
def test_everything_is_there_after_the_upgrade(open_registry: Open) -> None:
    catalog = open_registry().snapshot()

    assert catalog.deployments == {"qwen": QWEN, "llama": LLAMA}
    assert catalog.routes == {
        Feature.CHAT: Route(feature=Feature.CHAT, deployments=("qwen", "llama")),
        Feature.CHAT_FIX: Route(feature=Feature.CHAT_FIX, disabled=True),
    }
    assert catalog.keys == {
        "d" * 64: ApiKey(
            name="ci",
            role=Role.DEVELOPER,
            digest="d" * 64,
            models=("chat",),
            created_at=1_700_000_000.5,
        )
    }
    assert (catalog.teams, catalog.team_routes) == ({}, {})
    assert catalog.revision == 8


@pytest.mark.usefixtures("old")
def test_a_timeout_becomes_that_of_each_feature(open_registry: Open) -> None:
    assert open_registry().snapshot().settings == Settings(
        completion_total_timeout=50.0,
        generation_total_timeout=50.0,
        chat_total_timeout=50.0,
        completion_first_token_timeout=7.0,
        generation_first_token_timeout=7.0,
        chat_first_token_timeout=7.0,
        trace_days=30,
    )


@pytest.mark.usefixtures("old")
def test_old_traces_can_be_read(open_registry: Open) -> None:
    (trace,) = open_registry().traces.list_traces()

    assert (trace.id, trace.team, trace.deployments, trace.failures) == ("t1", "", ("qwen",), ())


@pytest.mark.usefixtures("between")
def test_everything_of_0002_is_there_after_the_upgrade(open_registry: Open) -> None:
    registry = open_registry()
    catalog = registry.snapshot()
    newest, oldest = registry.traces.list_traces()

    assert catalog.teams == {
        "payments": Team(name="payments", limits=Limits(requests_per_minute=60))
    }
    route = Route(feature=Feature.CHAT, deployments=("llama",), weights=(3,), team="payments")
    assert list(catalog.team_routes.values()) == [route]
    assert [key.team for key in catalog.keys.values()] == ["payments"]
    assert catalog.deployments == {"qwen": QWEN, "llama": LLAMA}
    assert newest == Trace(
        id="t2",
        request_id="r",
        started_at=2.5,
        endpoint="/v1/chat/completions",
        caller="ci",
        team="payments",
        user="",
        model="chat",
        feature="chat",
        outcome=Outcome.FAILED,
        status=502,
        duration_ms=3.5,
        deployments=("qwen", "llama"),
        failures=("timeout", "timeout"),
        family="llama3",
        prompt_tokens=1,
        completion_tokens=2,
        deltas=3,
        error="timeout",
    )
    assert (oldest.id, oldest.user, oldest.warnings) == ("t1", "", ())


@pytest.mark.usefixtures("between")
def test_traces_of_both_ages_stand_side_by_side(open_registry: Open) -> None:
    registry = open_registry()
    (old, *_) = registry.traces.list_traces()
    new = msgspec.structs.replace(old, id="t3", started_at=9.5, user="4711", warnings=("Odd.",))
    registry.traces.append([new])

    assert registry.traces.list_traces(where=Filter(user="4711")) == (new,)
    assert [each.id for each in registry.traces.list_traces(where=Filter(user=""))] == ["t2", "t1"]


@pytest.mark.usefixtures("old")
def test_what_was_before_the_upgrade_can_be_brought_back(open_registry: Open) -> None:
    registry = open_registry()
    before = registry.snapshot()
    assert registry.rollback(8, author="ada") == ()

    registry.put_team(Team(name="payments", limits=Limits(tokens_per_minute=5)), author="ada")
    registry.remove_route(Feature.CHAT, author="ada")
    registry.change_settings({"chat_total_timeout": None}, author="ada")
    registry.put_deployment(msgspec.structs.replace(QWEN, max_concurrent=3), author="ada")
    registry.rollback(8, author="ada")

    assert msgspec.structs.replace(registry.snapshot(), revision=8) == before
    registry.rollback(0, author="ada")
    emptied = registry.snapshot()
    assert set(emptied.deployments) == {"llama"}
    assert emptied.settings == Settings(trace_days=30)
