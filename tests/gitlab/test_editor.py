"""An editor's GitLab where there is none: what its extension asks besides suggestions."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.openai import FakeOpenAI
from tests.server.serving import AUDITOR, DEVELOPER, Served, configuration, route, scripted, serving

EDITOR_API = "[gitlab]\nserve_editor_api = true\n"
DEPLOYMENTS = (
    scripted("filler", family="codestral", tokens=["return", " 1"])
    + scripted("talker", tokens=["def f():\n", "    return 1\n"])
    + route("completion", "filler")
    + route("generation", "talker")
)
PATHS = [
    ("GET", "/api/v4/personal_access_tokens/self"),
    ("GET", "/oauth/token/info"),
    ("GET", "/api/v4/version"),
    ("GET", "/api/v4/metadata"),
    ("POST", "/api/graphql"),
    ("POST", "/api/v4/code_suggestions/completions"),
    ("POST", "/api/v4/code_suggestions/direct_access"),
    ("POST", "/api/v4/code_suggestions/enabled"),
    ("POST", "/api/v4/code_suggestions/connection_details"),
    ("POST", "/api/v4/usage_data/track_event"),
]
FILE = {"file_name": "a.py", "content_above_cursor": "def f():\n    ", "content_below_cursor": ""}


def editing(folder: Path, text: str = "") -> Any:
    return serving(configuration(folder, EDITOR_API + text + DEPLOYMENTS))


async def suggested(served: Served, headers: dict[str, str] | None = None, **body: Any) -> Any:
    path = "/api/v4/code_suggestions/completions"
    content = {"current_file": FILE, **body}
    return await served.ask("POST", path, key=DEVELOPER, headers=headers, content=content)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nothing_is_there_unless_it_is_switched_on(
    tmp_path: Path, method: str, path: str
) -> None:
    async with serving(configuration(tmp_path)) as served:
        answer = await served.ask(method, path, key=DEVELOPER, content={})
        assert (answer.status, answer.json) == (404, {"message": "404 Not Found"})


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_wrong_token_is_told_in_gitlabs_words(
    tmp_path: Path, method: str, path: str
) -> None:
    async with editing(tmp_path) as served:
        for headers in ({}, {"PRIVATE-TOKEN": "glpat-unknown"}, {"Authorization": "Bearer x"}):
            answer = await served.ask(method, path, key=None, headers=headers, content={})
            assert (answer.status, answer.json) == (401, {"message": "401 Unauthorized"})


@pytest.mark.parametrize("name", ["PRIVATE-TOKEN", "Authorization"])
async def test_a_key_is_a_token(tmp_path: Path, name: str) -> None:
    async with editing(tmp_path) as served:
        shown = {name: f"{'Bearer ' if name == 'Authorization' else ''}{DEVELOPER}"}
        personal = await served.ask("GET", PATHS[0][1], key=None, headers=shown)
        oauth = await served.ask("GET", PATHS[1][1], key=None, headers=shown)
        assert personal.json["active"] is True
        assert (personal.json["name"], personal.json["scopes"]) == ("ada", ["api"])
        assert oauth.json["scope"] == ["api"]


async def test_the_key_of_an_auditor_is_a_token_that_extensions_refuse(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        assert (await served.ask("GET", PATHS[0][1], key=AUDITOR)).json["scopes"] == ["read_api"]
        path = "/api/v4/code_suggestions/direct_access"
        assert (await served.ask("POST", path, key=AUDITOR)).status == 403


@pytest.mark.parametrize("name", ["version", "metadata"])
async def test_the_version_passes_the_gate_of_extensions(tmp_path: Path, name: str) -> None:
    async with editing(tmp_path) as served:
        told = (await served.ask("GET", f"/api/v4/{name}", key=DEVELOPER)).json
        major, minor, patch = map(int, told["version"].split("."))
        assert (major, minor, patch) >= (18, 0, 0)
        assert told["enterprise"] is True


async def test_graphql_is_answered_by_the_names_of_fields(tmp_path: Path) -> None:
    query = """
    query q($flag: String!) {
      currentUser { me: id username duoCodeSuggestionsAvailable duoChatAvailable state }
      on: featureFlagEnabled(name: $flag)
      off: featureFlagEnabled(name: "duo_workflow")
      unnamed: featureFlagEnabled
      listed: featureFlagEnabled(name: $list)
      project(fullPath: "a/b") { duoFeaturesEnabled }
    }"""
    variables: dict[str, object] = {"flag": "code_suggestions_context", "list": []}
    body = {"query": query, "variables": variables}
    async with editing(tmp_path) as served:
        answer = await served.ask("POST", "/api/graphql", key=DEVELOPER, content=body)
        user = answer.json["data"]["currentUser"]
        assert user.pop("me").startswith("gid://gitlab/User/")
        assert user == {
            "username": "ada",
            "duoCodeSuggestionsAvailable": True,
            "duoChatAvailable": False,
            "state": None,
        }
        assert answer.json["data"] | {"currentUser": None} == {
            "currentUser": None,
            "on": True,
            "off": False,
            "unnamed": False,
            "listed": False,
            "project": {"duoFeaturesEnabled": True},
        }


@pytest.mark.parametrize(
    "query",
    ["", "{", "{ a ", "{a" * 50 + "}" * 50, "{ a \x00 }", "{" + "x " * 15_000 + "}"],
    ids=["empty", "open", "unclosed", "deep", "control", "long"],
)
async def test_a_query_that_cannot_be_read_is_told(tmp_path: Path, query: str) -> None:
    async with editing(tmp_path) as served:
        answer = await served.ask("POST", "/api/graphql", key=DEVELOPER, content={"query": query})
        assert answer.status == 422
        assert answer.json["message"].startswith("422 Unprocessable Entity - The query cannot be")


@pytest.mark.parametrize("path", ["code_suggestions/enabled", "usage_data/track_event"])
async def test_what_only_wants_to_be_heard_is_heard(tmp_path: Path, path: str) -> None:
    async with editing(tmp_path) as served:
        answer = await served.ask("POST", f"/api/v4/{path}", key=DEVELOPER, raw=b"event=x")
        assert (answer.status, answer.json) == (200, {})
        assert not await served.traces()


async def test_the_connection_has_details(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        path = "/api/v4/code_suggestions/connection_details"
        first = await served.ask("POST", path, key=DEVELOPER)
        again = await served.ask("POST", path, key=DEVELOPER)
        assert first.status == 201
        assert first.json == again.json
        assert first.json["host_name"] == f"127.0.0.1:{served.port}"
        assert {each for each in first.json if first.json[each] is None} == set()


async def test_a_completion(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        answer = await suggested(served, choices_count=1, project_id=-1, project_path="")
        assert answer.status == 200
        assert [each["text"] for each in answer.json["choices"]] == ["return 1"]
        assert answer.json["model"]["lang"] == "python"
        (trace,) = await served.traces()
        assert (trace.caller, trace.feature) == ("ada", "completion")


async def test_a_generation(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        answer = await suggested(served, intent="generation", user_instruction="Write f.")
        assert "def f():" in answer.json["choices"][0]["text"]
        (trace,) = await served.traces()
        assert trace.feature == "generation"


@pytest.mark.parametrize(
    ("said", "understands"), [("true", True), (" TRUE ", True), ("false", False), (None, False)]
)
async def test_a_stream_has_events_where_they_are_understood(
    tmp_path: Path, said: str | None, understands: bool
) -> None:
    headers = {} if said is None else {"X-Supports-Sse-Streaming": said}
    async with editing(tmp_path) as served:
        answer = await suggested(served, headers, intent="generation", stream=True)
        assert (answer.headers.get("X-Streaming-Format") == "sse") is understands
        assert answer.body.startswith(b"event: stream_start\r\n") is understands
        assert b"def f():" in answer.body


async def test_who_understands_events_gets_none_without_a_stream(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        answer = await suggested(served, {"X-Supports-Sse-Streaming": "true"})
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json["choices"][0]["text"] == "return 1"


async def test_the_extension_s_own_token_goes_before_another(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        shown = {"PRIVATE-TOKEN": DEVELOPER, "Authorization": f"Bearer {AUDITOR}"}
        answer = await served.ask("GET", PATHS[0][1], key=None, headers=shown)
        assert answer.json["name"] == "ada"


async def test_users_are_told_apart(tmp_path: Path) -> None:
    path = "/api/v4/code_suggestions/connection_details"
    async with editing(tmp_path) as served:
        one, other = [await served.ask("GET", PATHS[0][1], key=key) for key in (DEVELOPER, AUDITOR)]
        here, there = [
            await served.ask("POST", path, key=key, headers={"Host": host})
            for key, host in ((DEVELOPER, "one.example"), (AUDITOR, "other.example"))
        ]
        assert one.json["user_id"] != other.json["user_id"]
        assert here.json["global_user_id"] != there.json["global_user_id"]
        assert here.json["instance_id"] != there.json["instance_id"]


async def test_a_malformed_request_is_told_in_gitlabs_shape(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        answer = await suggested(served, intent="poetry")
        assert answer.status == 422
        assert "'intent'" in answer.json["message"]


async def test_what_is_not_served_is_told_with_what_to_do(tmp_path: Path) -> None:
    async with serving(configuration(tmp_path, EDITOR_API)) as served:
        answer = await suggested(served)
        assert answer.status == 404
        assert "inhouse routes set completion" in answer.json["message"]


async def test_direct_access_leads_to_completions(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        path = "/api/v4/code_suggestions/direct_access"
        # Whom the extension calls its user counts for nothing: the key says who it is.
        spoofed = {"X-Gitlab-Global-User-Id": "mallory"}
        access = await served.ask("POST", path, key=DEVELOPER, headers=spoofed, content={})
        assert access.status == 201
        assert access.json["base_url"] == served.url
        headers = {**access.json["headers"], "Authorization": f"Bearer {access.json['token']}"}
        body = {"current_file": FILE}
        answer = await served.ask(
            "POST", "/v2/completions", key=None, headers=headers, content=body
        )
        assert answer.json["choices"][0]["text"] == "return 1"
        trace, issued = await served.traces()
        assert (trace.caller, issued.caller) == ("ada", "ada")
        # By either way it is the same user, whose later completions take the place of earlier.
        assert trace.user == issued.user == access.json["headers"]["X-Gitlab-Global-User-Id"]
        assert issued.endpoint == path


@pytest.mark.parametrize(
    ("text", "headers", "base_url"),
    [
        ('public_url = "https://ai.example/inhouse/"\n', {}, "https://ai.example/inhouse"),
        ("", {"Host": "ai.example"}, "http://ai.example"),
        ("", {"Host": "ai.example:8443", "X-Forwarded-Proto": "https"}, "https://ai.example:8443"),
        ("", {"Host": "[fd12::7]:5052"}, "http://[fd12::7]:5052"),
    ],
)
async def test_direct_access_is_where_the_gateway_was_reached(
    tmp_path: Path, text: str, headers: dict[str, str], base_url: str
) -> None:
    async with editing(tmp_path, text) as served:
        path = "/api/v4/code_suggestions/direct_access"
        access = await served.ask("POST", path, key=DEVELOPER, headers=headers)
        assert access.json["base_url"] == base_url


@pytest.mark.parametrize("host", ["ai.example/evil", "user@ai.example", "ai example"])
async def test_a_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    async with editing(tmp_path) as served:
        path = "/api/v4/code_suggestions/direct_access"
        answer = await served.ask("POST", path, key=DEVELOPER, headers={"Host": host})
        assert answer.status in {400, 422}


async def test_pages_of_other_origins_may_ask(tmp_path: Path) -> None:
    async with editing(tmp_path) as served:
        answer = await served.ask("OPTIONS", "/api/graphql", key=None)
        assert answer.status == 204
        told = await served.ask("GET", "/api/v4/version", key=DEVELOPER)
        assert told.headers["Access-Control-Allow-Origin"] == "*"


async def test_an_upstreams_failure_is_an_error_and_no_suggestion(tmp_path: Path) -> None:
    async with FakeOpenAI(model="other") as upstream:
        text = f"""
[[deployments]]
name = "gpu"
family = "codestral"
identifier = "custom_openai/tiny-coder"
endpoint = "{upstream.endpoint}"
"""
        configured = configuration(tmp_path, EDITOR_API + text + route("completion", "gpu"))
        async with serving(configured) as served:
            answer = await suggested(served)
            assert answer.status == 502
            assert "tiny-coder" in answer.json["message"]
