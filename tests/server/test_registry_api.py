"""The admin API: what it changes, shows and refuses, role by role."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.feature import Feature
from tests.server.serving import (
    ADMIN,
    AUDITOR,
    DEVELOPER,
    Served,
    configuration,
    serving,
)

SECRET = "upstream-key-that-nobody-may-see"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    async with serving(configuration(tmp_path)) as running:
        yield running


@pytest.fixture
def deployment(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "code"
    folder.mkdir()
    return {
        "family": "general",
        "identifier": "repository/index",
        "endpoint": str(folder),
        "api_key": SECRET,
    }


async def test_changes_of_one_deployment_at_once_are_no_defect(
    served: Served, deployment: dict[str, Any]
) -> None:
    path = "/api/v1/deployments/contested"
    changes = [
        each
        for number in range(20)
        for each in (
            served.ask("PUT", path, content={**deployment, "api_key": f"key-{number}"}),
            served.ask("DELETE", path),
        )
    ]
    assert {reply.status for reply in await asyncio.gather(*changes)} <= {200, 204, 404}


async def test_a_deployment_is_added_changed_and_removed(
    served: Served, deployment: dict[str, Any]
) -> None:
    added = await served.ask(
        "POST", "/api/v1/deployments", content={"name": "our code", **deployment}
    )
    assert added.status == 201
    assert added.json["has_api_key"] is True
    assert "our code" in served.gateway.catalog.deployments

    again = await served.ask(
        "POST", "/api/v1/deployments", content={"name": "our code", **deployment}
    )
    assert (again.status, again.error["param"]) == (409, "name")

    del deployment["api_key"]
    deployment["family"] = "codestral"
    changed = await served.ask("PUT", "/api/v1/deployments/our%20code", content=deployment)
    assert (changed.status, changed.json["family"]) == (200, "codestral")
    assert served.gateway.catalog.deployments["our code"].api_key.reveal() == SECRET

    deployment["api_key"] = ""
    changed = await served.ask("PUT", "/api/v1/deployments/our%20code", content=deployment)
    assert changed.json["has_api_key"] is False

    assert (await served.ask("GET", "/api/v1/deployments/our%20code")).json == changed.json
    assert (await served.ask("GET", "/api/v1/deployments")).json == {"data": [changed.json]}
    removed = await served.ask("DELETE", "/api/v1/deployments/our%20code")
    assert (removed.status, removed.body) == (204, b"")
    assert (await served.ask("GET", "/api/v1/deployments/our%20code")).status == 404


async def test_a_secret_never_comes_back(served: Served, deployment: dict[str, Any]) -> None:
    seen = [(await served.ask("PUT", "/api/v1/deployments/d", content=deployment)).body]
    deployment["options"] = {"unknown": 1}
    seen.append((await served.ask("PUT", "/api/v1/deployments/d", content=deployment)).body)
    paths = ("deployments", "deployments/d", "revisions", "revisions/2", "traces", "keys")
    seen += [(await served.ask("GET", f"/api/v1/{path}")).body for path in paths]
    for body in seen:
        assert SECRET.encode() not in body
        assert ADMIN.encode() not in body


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"family": "codestrall"}, "family"),
        ({"identifier": "nobody/x"}, "identifier"),
        ({"identifier": "x"}, "identifier"),
        ({"endpoint": "nowhere"}, "endpoint"),
        ({"endpont": "x"}, None),
        ({"options": []}, "options"),
    ],
)
async def test_a_deployment_that_cannot_work_is_refused(
    served: Served, deployment: dict[str, Any], change: dict[str, Any], param: str | None
) -> None:
    reply = await served.ask("PUT", "/api/v1/deployments/d", content={**deployment, **change})
    assert (reply.status, reply.error["param"]) == (422, param)
    assert served.gateway.catalog.deployments == {}


async def test_a_deployment_is_tested_in_words(served: Served) -> None:
    down = {"family": "codestral", "identifier": "custom_openai/x", "api_key": SECRET}
    await served.ask("PUT", "/api/v1/deployments/down", content={
        **down, "endpoint": "http://127.0.0.1:1/v1"})  # fmt: skip
    tested = await served.ask("POST", "/api/v1/deployments/down/test")
    assert tested.status == 200
    assert [check["status"] for check in tested.json["data"]][-1] == "failed"
    assert "127.0.0.1:1" in tested.json["data"][-1]["sentence"]
    assert SECRET.encode() not in tested.body
    for key in (AUDITOR, DEVELOPER):
        refused = await served.ask("POST", "/api/v1/deployments/down/test", key=key)
        assert refused.status == 403
    assert (await served.ask("POST", "/api/v1/deployments/none/test")).status == 404


async def test_routes_are_set_disabled_and_inherited(
    served: Served, deployment: dict[str, Any]
) -> None:
    await served.ask("PUT", "/api/v1/deployments/d", content=deployment)
    reply = await served.ask("PUT", "/api/v1/routes/chat", content={"deployments": ["d"]})
    assert reply.json == {
        "feature": "chat",
        "team": "",
        "deployments": ["d"],
        "weights": [],
        "disabled": False,
        "declared": False,
        "inherits": None,
        "gitlab": ["duo_chat"],
    }
    inherited = (await served.ask("GET", "/api/v1/routes/chat.explain")).json
    assert (inherited["deployments"], inherited["inherits"]) == (["d"], "chat")
    off = await served.ask("PUT", "/api/v1/routes/chat.explain", content={"disabled": True})
    assert off.json["disabled"] is True
    back = await served.ask("DELETE", "/api/v1/routes/chat.explain")
    assert (back.json["inherits"], back.json["disabled"]) == ("chat", False)
    assert len((await served.ask("GET", "/api/v1/routes")).json["data"]) == len(Feature)
    used = await served.ask("DELETE", "/api/v1/deployments/d")
    assert used.status == 409


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("chat", {"deployments": ["nothing"]}, 422),
        ("chat", {"deployments": []}, 422),
        ("chat", {"deployments": "d"}, 422),
        ("chat", {"disabled": True, "weights": [1]}, 422),
        ("talk", {"deployments": ["d"]}, 404),
    ],
)
async def test_a_route_that_leads_nowhere_is_refused(
    served: Served, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await served.ask("PUT", f"/api/v1/routes/{path}", content=body)).status == status


async def test_a_key_is_shown_once_works_at_once_and_dies_at_once(served: Served) -> None:
    made = await served.ask("POST", "/api/v1/keys", content={"name": "new", "role": "auditor"})
    assert made.status == 201
    key = made.json["key"]
    listed = await served.ask("GET", "/api/v1/keys", key=key)
    assert {each["name"] for each in listed.json["data"]} >= {"new", "root"}
    assert key.encode() not in listed.body
    assert (await served.ask("DELETE", "/api/v1/keys/new")).status == 204
    assert (await served.ask("GET", "/api/v1/keys", key=key)).status == 401


async def test_a_deployment_has_deadlines_and_a_load(
    served: Served, deployment: dict[str, Any]
) -> None:
    path = "/api/v1/deployments/d"
    more = {"deadlines": {"total": 20}, "max_concurrent": 4}
    added = await served.ask("PUT", path, content={**deployment, **more})
    assert {each: added.json[each] for each in more} == {
        "deadlines": {"total": 20.0},
        "max_concurrent": 4,
    }
    changed = await served.ask("PUT", path, content=deployment)
    assert (changed.json["deadlines"], changed.json["max_concurrent"]) == ({}, None)
    for wrong in ({"deadlines": {"total": 0}}, {"deadlines": {"totl": 1}}, {"max_concurrent": 0}):
        assert (await served.ask("PUT", path, content={**deployment, **wrong})).status == 422


async def test_declared_entries_are_read_only(served: Served) -> None:
    reply = await served.ask("DELETE", "/api/v1/keys/root")
    assert reply.status == 409
    assert "inhouse.toml" in reply.error["message"]


async def test_settings_change_and_go_back(served: Served) -> None:
    path = "/api/v1/settings"
    changed = await served.ask("PATCH", path, content={"completion_max_tokens": 7})
    assert changed.json["completion_max_tokens"] == 7
    assert served.gateway.catalog.settings.completion_max_tokens == 7
    assert (await served.ask("PATCH", path, content={})).json == changed.json
    back = await served.ask("PATCH", path, content={"completion_max_tokens": None})
    assert back.json["completion_max_tokens"] == 128
    wrong = await served.ask("PATCH", path, content={"completion_max_tokens": 0})
    assert (wrong.status, wrong.error["param"]) == (422, "completion_max_tokens")
    unknown = await served.ask("PATCH", path, content={"completion_tokens": 1})
    assert unknown.status == 422


async def test_every_change_is_a_revision_that_can_be_rolled_back(served: Served) -> None:
    start = served.gateway.catalog.revision
    await served.ask("PATCH", "/api/v1/settings", content={"trace_days": 7})
    newest = (await served.ask("GET", "/api/v1/revisions?limit=1")).json["data"][0]
    assert (newest["number"], newest["author"]) == (start + 1, "root")
    shown = (await served.ask("GET", f"/api/v1/revisions/{start + 1}")).json
    assert shown["diff"][0] == "create setting 'trace_days'"
    rolled = await served.ask("POST", f"/api/v1/revisions/{start}/rollback")
    assert rolled.json["revision"] == start + 2
    assert served.gateway.catalog.settings.trace_days == 90


@pytest.mark.parametrize("number", ["0", "99", "x", "9" * 30, "-1"])
async def test_a_revision_that_is_not_there(served: Served, number: str) -> None:
    assert (await served.ask("GET", f"/api/v1/revisions/{number}")).status == 404


async def test_traces_are_listed_and_filtered(served: Served) -> None:
    sent = {"X-Request-ID": "r-17"}
    await served.ask("GET", "/api/v1/keys", key=AUDITOR, headers=sent)
    await served.ask("GET", "/api/v1/keys", key=DEVELOPER)
    await served.gateway.records.flush()
    everything = (await served.ask("GET", "/api/v1/traces")).json["data"]
    assert [each["caller"] for each in everything] == ["ada", "eve"]
    assert [each["status"] for each in everything] == [403, 200]
    one = (await served.ask("GET", "/api/v1/traces?request_id=r-17")).json["data"]
    assert [each["caller"] for each in one] == ["eve"]
    older = (await served.ask("GET", f"/api/v1/traces?before={everything[0]['id']}")).json["data"]
    assert [each["caller"] for each in older] == ["eve"]
    assert (await served.ask("GET", "/api/v1/traces?team=nobody")).json["data"] == []
    assert (await served.ask("GET", "/api/v1/traces?user=nobody")).json["data"] == []
    assert [each["user"] for each in everything] == ["", ""]
    assert [each["warnings"] for each in everything] == [[], []]
    assert (await served.ask("GET", "/api/v1/traces?outcome=odd")).status == 422
    assert (await served.ask("GET", "/api/v1/traces?limit=0")).status == 422
    assert (await served.ask("GET", "/api/v1/traces?nothing=0")).status == 422


async def test_families_are_shown(served: Served) -> None:
    listed = (await served.ask("GET", "/api/v1/families")).json["data"]
    one = (await served.ask("GET", "/api/v1/families/codestral")).json
    assert one in listed
    nearest = await served.ask("GET", "/api/v1/families/codestrall")
    assert nearest.status == 404
    assert "codestral" in nearest.error["message"]


async def test_an_auditor_reads_and_changes_nothing(served: Served) -> None:
    assert (await served.ask("GET", "/api/v1/keys", key=AUDITOR)).status == 200
    body = {"name": "x", "role": "admin"}
    reply = await served.ask("POST", "/api/v1/keys", key=AUDITOR, content=body)
    assert (reply.status, reply.error["code"]) == (403, "forbidden")


async def test_a_developer_neither_reads_nor_changes(served: Served) -> None:
    for path in (
        "deployments",
        "routes",
        "teams",
        "keys",
        "settings",
        "revisions",
        "traces",
        "families",
    ):
        assert (await served.ask("GET", f"/api/v1/{path}", key=DEVELOPER)).status == 403


async def test_errors_have_the_admin_shape_and_the_trace_id(served: Served) -> None:
    reply = await served.ask("POST", "/api/v1/keys", raw=b"{")
    assert reply.status == 400
    assert set(reply.error) == {"message", "code", "param", "trace_id"}
    assert reply.error["trace_id"] == reply.headers["x-inhouse-trace-id"]
    traces = await served.traces()
    assert reply.error["trace_id"] in {each.id for each in traces}
