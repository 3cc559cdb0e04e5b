"""Teams, their routes and their keys over the admin API."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from inhouse.core.feature import Feature
from tests.server.serving import AUDITOR, Served, configuration, scripted, serving

TEAMS = "/api/v1/teams"
NO_LIMITS = {"requests_per_minute": None, "tokens_per_minute": None}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[Served]:
    declared = scripted("a", tokens=["x"]) + scripted("b", tokens=["y"])
    declared += '[[teams]]\nname = "declared"\nrequests_per_minute = 9\n'
    async with serving(configuration(tmp_path, declared)) as running:
        yield running


def team(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **NO_LIMITS, "keys": [], "routes": [], "declared": False, **fields}


async def test_a_team_is_made_changed_and_removed(served: Served) -> None:
    made = await served.ask("POST", TEAMS, content={"name": "pay ments", "tokens_per_minute": 5})
    assert (made.status, made.json) == (201, team("pay ments", tokens_per_minute=5))
    again = await served.ask("POST", TEAMS, content={"name": "pay ments"})
    assert (again.status, again.error["param"]) == (409, "name")

    path = f"{TEAMS}/pay%20ments"
    changed = await served.ask("PUT", path, content={"requests_per_minute": 7})
    assert changed.json == team("pay ments", requests_per_minute=7)
    assert (await served.ask("GET", path, key=AUDITOR)).json == changed.json
    assert (await served.ask("GET", TEAMS)).json["data"] == [
        team("declared", requests_per_minute=9, declared=True),
        changed.json,
    ]
    assert (await served.ask("DELETE", path)).status == 204
    for method in ("GET", "DELETE"):
        assert (await served.ask(method, path)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "a/b"},
        {"name": "a", "tokens_per_minute": 0},
        {"name": "a", "requests_per_minute": 1.5},
        {"name": "a", "requests": 1},
    ],
)
async def test_a_wrong_team_is_refused(served: Served, body: dict[str, Any]) -> None:
    assert (await served.ask("POST", TEAMS, content=body)).status == 422


async def test_a_declared_team_is_read_only(served: Served) -> None:
    refused = await served.ask("PUT", f"{TEAMS}/declared", content={})
    assert refused.status == 409
    assert "inhouse.toml" in refused.error["message"]


async def test_a_team_has_routes_of_its_own(served: Served) -> None:
    await served.ask("PUT", f"{TEAMS}/payments", content={})
    await served.ask("PUT", "/api/v1/routes/chat", content={"deployments": ["a"]})
    path = f"{TEAMS}/payments/routes"
    expected = {
        "feature": "chat",
        "team": "payments",
        "deployments": ["a"],
        "weights": [],
        "disabled": False,
        "declared": False,
        "inherits": "chat",
        "gitlab": ["duo_chat"],
    }
    assert (await served.ask("GET", f"{path}/chat")).json == expected

    body = {"deployments": ["a", "b"], "weights": [3, 0]}
    own = await served.ask("PUT", f"{path}/chat", content=body)
    assert own.json == {**expected, **body, "inherits": None}
    fix = (await served.ask("GET", f"{path}/chat.fix")).json
    assert (fix["inherits"], fix["weights"]) == ("chat@payments", [3, 0])
    assert len((await served.ask("GET", path)).json["data"]) == len(Feature)
    assert (await served.ask("GET", f"{TEAMS}/payments")).json["routes"] == ["chat"]
    assert (await served.ask("GET", "/api/v1/routes/chat")).json["deployments"] == ["a"]

    used = await served.ask("DELETE", f"{TEAMS}/payments")
    assert used.status == 409
    assert "inhouse routes inherit chat --team payments" in used.error["message"]
    assert (await served.ask("DELETE", f"{path}/chat")).json == expected
    assert (await served.ask("DELETE", f"{path}/chat")).status == 404
    assert (await served.ask("DELETE", f"{TEAMS}/payments")).status == 204


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("declared/routes/chat", {"deployments": ["nothing"]}, 422),
        ("declared/routes/chat", {"deployments": ["a"], "weights": [0]}, 422),
        ("declared/routes/chat", {"deployments": ["a"], "weights": [1, 2]}, 422),
        ("declared/routes/chat", {"deployments": ["a"], "weights": [-1]}, 422),
        ("declared/routes/talk", {"deployments": ["a"]}, 404),
        ("nobody/routes/chat", {"deployments": ["a"]}, 404),
    ],
)
async def test_a_wrong_route_of_a_team_is_refused(
    served: Served, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await served.ask("PUT", f"{TEAMS}/{path}", content=body)).status == status


async def test_a_key_belongs_to_a_team_and_has_limits(served: Served) -> None:
    body = {"name": "ci", "role": "developer", "team": "declared", "requests_per_minute": 60}
    made = (await served.ask("POST", "/api/v1/keys", content=body)).json
    assert made["key"].startswith("ihk_")
    assert {**body, "tokens_per_minute": None, "models": []} == {
        each: value for each, value in made.items() if each != "key"
    }
    assert (await served.ask("GET", f"{TEAMS}/declared")).json["keys"] == ["ci"]

    path = "/api/v1/keys/ci"
    shown = (await served.ask("GET", path, key=AUDITOR)).json
    change = {"requests_per_minute": None, "models": ["chat"]}
    changed = await served.ask("PATCH", path, content=change)
    assert changed.json == {**shown, **change}
    assert (await served.ask("PATCH", path, content={"team": ""})).json["team"] == ""
    assert (await served.ask("PATCH", path, content={})).json["models"] == ["chat"]


@pytest.mark.parametrize(
    ("name", "body", "status", "param"),
    [
        ("ci", {"team": "nobody"}, 422, "team"),
        ("ci", {"tokens_per_minute": 0}, 422, "tokens_per_minute"),
        ("ci", {"role": "admin"}, 422, None),
        ("ci", {"models": ["a/b"]}, 422, "models"),
        ("nobody", {"models": []}, 404, "nobody"),
        ("root", {"models": ["chat"]}, 409, "root"),
    ],
)
async def test_a_wrong_change_of_a_key_is_refused(
    served: Served, name: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    made = {"name": "ci", "role": "developer"}
    assert (await served.ask("POST", "/api/v1/keys", content=made)).status == 201
    refused = await served.ask("PATCH", f"/api/v1/keys/{name}", content=body)
    assert (refused.status, refused.error["param"]) == (status, param)
    wrong = await served.ask("POST", "/api/v1/keys", content={**made, "name": "x", "team": "y"})
    assert (wrong.status, wrong.error["param"]) == (422, "team")
    assert (await served.ask("GET", "/api/v1/keys/x")).status == 404
