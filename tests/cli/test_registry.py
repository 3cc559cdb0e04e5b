from __future__ import annotations

import contextlib
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result

from inhouse.core.trace import Outcome, Trace
from inhouse.store import Registry

Call = Callable[..., Result]
Read = Callable[..., Any]

CODESTRAL = [
    *("codestral", "--family", "codestral", "--endpoint", "http://127.0.0.1:1/v1"),
    *("--identifier", "custom_openai/codestral"),
]
UPSTREAM_KEY = "sk-upstream-0123456789"


def add(call: Call, *more: str) -> None:
    call("deployments", "add", *CODESTRAL, *more)


def test_a_deployment_is_added_shown_routed_and_removed(call: Call, read: Read) -> None:
    assert "There are no deployments yet" in call("deployments", "list").stderr
    added = call("deployments", "add", *CODESTRAL)
    assert added.stdout == "The deployment 'codestral' is added.\n"
    assert "inhouse routes set completion codestral" in added.stderr
    call("routes", "set", "completion", "codestral")
    assert "completion" in call("deployments", "list").stdout
    assert "codestral" in call("deployments", "show", "codestral").stdout
    assert read("deployments", "show", "codestral") == {
        "name": "codestral",
        "family": "codestral",
        "identifier": "custom_openai/codestral",
        "endpoint": "http://127.0.0.1:1/v1",
        "has_api_key": False,
        "options": {},
        "deadlines": {},
        "max_concurrent": None,
        "serves": ["completion"],
        "declared": False,
        "probe": None,
    }
    refused = call("deployments", "remove", "codestral", status=1).stderr
    assert "still serves the route 'completion'" in refused
    call("routes", "inherit", "completion")
    removed = call("deployments", "remove", "codestral")
    assert read("deployments", "list") == []
    rollback = re.search(r"inhouse revisions rollback \d+", removed.stderr)
    assert rollback is not None
    call(*rollback[0].split()[1:])
    assert [each["name"] for each in read("deployments", "list")] == ["codestral"]


def test_an_alias_of_a_family_becomes_its_name(call: Call, read: Read) -> None:
    call("deployments", "add", "x", "--family", "codestral-22b", "--identifier", "scripted/x")
    assert read("deployments", "show", "x")["family"] == "codestral"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--family", "codestrl"], "The nearest are: codestral"),
        (["--identifier", "nothing"], "PROVIDER/MODEL"),
        (["--identifier", "bedrok/x"], "No provider is installed for identifiers 'bedrok/"),
        (["--endpoint", "ftp://x"], "http"),
        (["--option", "ca_file=/nowhere/ca.pem"], "there is no file '/nowhere/ca.pem'"),
        (["--option", "ca_fil=x"], "ca_fil"),
    ],
)
def test_a_wrong_deployment_is_refused(
    change: list[str], said: str, call: Call, read: Read
) -> None:
    assert said in call("deployments", "add", *CODESTRAL, *change, status=1).stderr
    assert read("deployments", "list") == []


def test_the_upstream_key_comes_from_anywhere_but_an_argument(
    call: Call, home: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = call("deployments", "add", *CODESTRAL, "--api-key", UPSTREAM_KEY, status=2)
    assert "can be read by every process" in refused.stderr
    assert UPSTREAM_KEY not in refused.output
    assert "VLLM_API_KEY is not set" in (
        call("deployments", "add", *CODESTRAL, "--api-key", "env:VLLM_API_KEY", status=1).stderr
    )
    monkeypatch.setenv("VLLM_API_KEY", UPSTREAM_KEY)
    (home / "key").write_text(UPSTREAM_KEY + "\n")
    assert read("deployments", "list") == []
    for reference, given in [("env:VLLM_API_KEY", None), ("file:key", None), ("-", UPSTREAM_KEY)]:
        call("deployments", "add", *CODESTRAL, "--replace", "--api-key", reference, given=given)
        assert read("deployments", "show", "codestral")["has_api_key"]
    call("deployments", "add", *CODESTRAL, "--api-key", "-", given="", status=2)


def test_replacing_keeps_the_key(call: Call, read: Read) -> None:
    call("deployments", "add", *CODESTRAL, "--api-key", "-", given=UPSTREAM_KEY)
    assert "--replace replaces it" in call("deployments", "add", *CODESTRAL, status=1).stderr
    add(call, "--replace", "--option", "window=4096")
    found = read("deployments", "show", "codestral")
    assert found["has_api_key"]
    assert found["options"] == {"window": 4096}


def test_options_are_json_where_they_read_as_it(call: Call, read: Read) -> None:
    call(
        *("deployments", "add", "toy", "--family", "general", "--identifier", "scripted/toy"),
        *("--option", 'tokens=["a"]', "--option", "delay=0.5", "--option", "error_message=why"),
    )
    options = read("deployments", "show", "toy")["options"]
    assert options == {"tokens": ["a"], "delay": 0.5, "error_message": "why"}
    call("deployments", "add", *CODESTRAL, "--option", "novalue", status=2)


def test_no_command_shows_a_secret(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "header-secret-0123456789"
    monkeypatch.setenv("VLLM_API_KEY", UPSTREAM_KEY)
    add(call, "--api-key", "env:VLLM_API_KEY", "--option", f'headers={{"x-key": "{header}"}}')
    key = call("keys", "create", "me", "--role", "admin").stdout.strip()
    assert re.fullmatch(r"ihk_[\w-]{43}", key)
    listing = home / "more.toml"
    listing.write_text(f'[[keys]]\nname = "ci"\nrole = "admin"\nkey = "{key}x"\n')
    shown = [
        call(*args, *more, status=status).output
        for more in ([], ["--json"])
        for status, args in [
            (0, ["deployments", "list"]),
            (0, ["deployments", "show", "codestral"]),
            (1, ["deployments", "test", "codestral"]),
            (0, ["keys", "list"]),
            (0, ["apply", str(listing), "--plan"]),
            (0, ["revisions", "list"]),
            (0, ["revisions", "show", "2"]),
            (0, ["routes", "list"]),
            (0, ["traces", "list"]),
            (1, ["doctor"]),
        ]
    ]
    for secret in (UPSTREAM_KEY, key, key + "x", header):
        assert not [text for text in shown if secret in text]


def test_routes_inherit_and_can_be_disabled(call: Call, read: Read) -> None:
    call("deployments", "add", "a", "--family", "general", "--identifier", "scripted/a")
    call("deployments", "add", "b", "--family", "general", "--identifier", "scripted/b")
    assert call("routes", "set", "chat", "a", "b").stdout == "chat: a, b\n"
    assert "chat.explain a, b (as chat) duo_chat_explain_code" in (
        " ".join(call("routes", "list").stdout.split())
    )
    assert call("routes", "disable", "chat.explain").stdout == "chat.explain: disabled\n"
    found = {each["feature"]: each for each in read("routes", "list")}
    assert found["chat.explain"]["disabled"]
    assert found["chat.fix"]["inherits"] == "chat"
    assert found["chat.fix"]["gitlab"] == ["duo_chat_fix_code"]
    assert read("routes", "inherit", "chat.explain")["inherits"] == "chat"
    assert "did you mean 'a'" in call("routes", "set", "chat", "a", "aa", status=1).stderr


def test_a_route_to_models_that_cannot_is_remarked(call: Call) -> None:
    call("deployments", "add", "base", "--family", "starcoder2", "--identifier", "scripted/a")
    for feature in ("chat", "chat.fix"):
        said = call("routes", "set", feature, "base").stderr
        assert f"'base' are not made for {feature}" in said
        assert "inhouse families show starcoder2" in said
    assert call("routes", "set", "completion", "base").stderr == ""


def test_a_key_is_printed_once_and_alone(call: Call, read: Read) -> None:
    made = read("keys", "create", "ci", "--role", "developer", "--model", "completion")
    assert made["key"].startswith("ihk_")
    listed = read("keys", "list")
    assert [each["name"] for each in listed] == ["ci"]
    assert listed[0]["models"] == ["completion"]
    assert "There is a key 'ci' already" in (
        call("keys", "create", "ci", "--role", "admin", status=1).stderr
    )
    call("keys", "revoke", "ci")
    assert read("keys", "list") == []
    call("keys", "revoke", "ci", status=1)


def test_settings_change_and_go_back(call: Call, read: Read) -> None:
    assert call("settings", "set", "completion_max_tokens", "64").stdout == (
        "completion_max_tokens = 64\n"
    )
    assert read("settings", "list")["completion_max_tokens"]["value"] == 64
    assert read("settings", "reset", "completion_max_tokens") == {"completion_max_tokens": 128}
    assert call("settings", "set", "completion_superseding", "false").stdout == (
        "completion_superseding = false\n"
    )
    assert read("settings", "list")["completion_superseding"]["value"] is False
    call("settings", "set", "completion_superseding", "0", status=1)
    call("settings", "set", "completion_max_tokens", "many", status=2)
    call("settings", "set", "completion_max_tokens", "0", status=1)
    assert "did you mean" in call("settings", "set", "completion_tokens", "1", status=1).stderr
    assert "trace_days" in call("settings", "list").stdout


def test_a_setting_may_be_a_list(call: Call, read: Read) -> None:
    patterns = '["vendor/", "größe*"]'
    assert call("settings", "set", "completion_exclude", patterns).stdout == (
        f"completion_exclude = {patterns}\n"
    )
    assert read("settings", "list")["completion_exclude"]["value"] == ["vendor/", "größe*"]
    assert patterns in call("settings", "list").stdout
    assert "'completion_exclude'" in call("revisions", "list").stdout
    assert "vendor/" in call("settings", "set", "completion_exclude", "vendor/", status=2).stderr
    said = call("settings", "set", "completion_exclude", '["!keep"]', status=1).stderr
    assert "The setting 'completion_exclude' is wrong" in said
    call("settings", "set", "completion_max_tokens", "[]", status=1)
    assert read("settings", "reset", "completion_exclude") == {"completion_exclude": []}


def test_a_file_is_planned_applied_and_pruned(call: Call, home: Path, read: Read) -> None:
    call("deployments", "add", "old", "--family", "general", "--identifier", "scripted/old")
    listing = home / "models.toml"
    listing.write_text(
        '[[deployments]]\nname = "new"\nfamily = "general"\nidentifier = "scripted/new"\n'
        '[[routes]]\nfeature = "chat"\ndeployments = ["new"]\n'
    )
    planned = read("apply", str(listing), "--plan")
    assert not planned["applied"]
    assert [(each["action"], each["name"]) for each in planned["changes"]] == [
        ("create", "new"),
        ("create", "chat"),
    ]
    assert "Nothing has been changed yet" in call("apply", str(listing), "--plan").stderr
    assert "create deployment 'new'" in call("apply", str(listing)).stdout
    assert "Nothing to change" in call("apply", str(listing)).stderr
    pruned = read("apply", str(listing), "--prune")
    assert [(each["action"], each["name"]) for each in pruned["changes"]] == [("remove", "old")]


def test_a_file_with_a_wrong_deployment_changes_nothing(call: Call, home: Path, read: Read) -> None:
    listing = home / "models.toml"
    listing.write_text(
        '[[deployments]]\nname = "new"\nfamily = "nonsense"\nidentifier = "scripted/new"\n'
    )
    assert "no model family 'nonsense'" in call("apply", str(listing), status=1).stderr
    assert "nowhere.toml: cannot be read" in call("apply", "nowhere.toml", status=1).stderr
    assert read("revisions", "list") == []


def test_revisions_tell_who_did_what_and_go_back(call: Call, read: Read) -> None:
    call("settings", "set", "trace_days", "7")
    call("settings", "set", "trace_days", "8")
    newest, first = read("revisions", "list")
    assert (newest["number"], first["number"]) == (2, 1)
    assert pwd.getpwnam(newest["author"])
    assert newest["summary"] == "update setting 'trace_days'"
    assert "~ value: 7 -> 8" in call("revisions", "show", "2").stdout
    assert read("revisions", "show", "2")["changes"][0]["before"] == {
        "value": 7,
        "declared": False,
    }
    assert "restores revision 1" in call("revisions", "rollback", "1").stderr
    assert read("settings", "list")["trace_days"]["value"] == 7
    assert "no revision 99" in call("revisions", "rollback", "99", status=1).stderr


def test_families_are_listed_and_shown(call: Call, read: Read) -> None:
    assert "codestral" in call("families", "list").stdout
    assert {"name", "licences", "completion"} <= read("families", "list")[0].keys()
    shown = call("families", "show", "codestral").stdout
    assert "[SUFFIX] [PREFIX]" in shown or "[PREFIX] [SUFFIX]" in shown
    assert "LicenseRef-MNPL-0.1" in shown
    assert read("families", "show", "qwen2.5-coder")["name"] == "qwen-coder"


def test_what_the_file_declares_is_announced(call: Call, home: Path) -> None:
    with (home / "inhouse.toml").open("a") as file:
        file.write("[settings]\ntrace_days = 5\n")
    assert "declares changes that do not hold yet" in call("settings", "list").stderr


def test_json_goes_to_stdout_alone(call: Call) -> None:
    for args in (["deployments", "list"], ["traces", "list"], ["revisions", "list"]):
        result = call(*args, "--json")
        assert msgspec.json.decode(result.stdout) == []
        assert result.stderr == ""


def test_traces_show_for_whom_they_were_and_what_was_otherwise_than_asked(
    call: Call, read: Read, home: Path
) -> None:
    call("settings", "list")
    (store,) = home.rglob("inhouse.db")
    hashed = "a1b2c3d4e5f60718" * 4
    warning = "The registry has no model 'x': the route of 'chat' answered."
    plain = Trace(
        id="1" * 32,
        request_id="r",
        started_at=1.5,
        endpoint="/v1/chat/completions",
        caller="gitlab",
        team="",
        user="",
        model="chat",
        feature="chat",
        outcome=Outcome.OK,
        status=200,
        duration_ms=3.5,
    )
    warned = msgspec.structs.replace(plain, id="2" * 32, user=hashed, warnings=(warning,))
    registry = Registry.open(
        f"sqlite:///{store}", secret=None, key_file=store.with_name("inhouse.key")
    )
    with contextlib.closing(registry):
        registry.traces.append([plain, warned])

    shown = call("traces", "list")
    rows = {line.split()[-1]: line for line in shown.stdout.splitlines()[1:]}
    assert "gitlab for a1b2c3d4e5f6…" in rows["2" * 8]
    assert "ok (200) !" in rows["2" * 8]
    assert " for " not in rows["1" * 8]
    assert "ok (200) " in rows["1" * 8]
    assert "!" not in rows["1" * 8]
    assert shown.stderr == f"{'2' * 8}: {warning}\n"
    (only,) = read("traces", "list", "--user", hashed)
    assert (only["id"], only["warnings"]) == (warned.id, [warning])
    assert read("traces", "list", "--user", "nobody") == []


def test_ages_of_traces(call: Call) -> None:
    call("traces", "list", "--since", "2h")
    assert "30m, 2h or 7d" in call("traces", "list", "--since", "soon", status=2).stderr


def test_a_key_for_a_model_that_is_not_there_is_made_and_remarked(call: Call) -> None:
    remark = "There is no feature or deployment 'completon' yet; did you mean 'completion'?"
    made = call("keys", "create", "ci", "--role", "developer", "--model", "completon")
    assert remark in made.stderr
    assert made.stdout.startswith("ihk_")


def test_a_wrong_feature_is_named_and_so_are_the_right_ones(call: Call) -> None:
    refused = call("routes", "set", "completon", "toy", status=2).stderr
    assert "Invalid value for 'FEATURE': 'completon'" in refused
    assert "'completion'" in refused


def test_a_missing_endpoint_is_asked_for(call: Call) -> None:
    named = ("--family", "codestral", "--identifier", "custom_openai/x")
    refused = call("deployments", "add", "x", *named, status=1).stderr
    assert "endpoint: it is missing; write it as http://HOST:PORT/v1" in refused


def test_correcting_leaves_the_rest(call: Call, read: Read) -> None:
    more = ["--option", "window=4096", "--deadline", "total=9", "--max-concurrent", "4"]
    call("deployments", "add", *CODESTRAL, *more, "--api-key", "-", given=UPSTREAM_KEY)
    change = ["--endpoint", "http://gpu.example/v1", "--option", 'proxy=""']
    call("deployments", "set", "codestral", *change, "--deadline", "connect=1")
    found = read("deployments", "show", "codestral")
    assert found["endpoint"] == "http://gpu.example/v1"
    assert found["options"] == {"window": 4096, "proxy": ""}
    assert found["deadlines"] == {"total": 9.0, "connect": 1.0}
    assert (found["max_concurrent"], found["has_api_key"]) == (4, True)
    less = ["--no-option", "window", "--no-deadline", "total", "--max-concurrent", "none"]
    call("deployments", "set", "codestral", *less, "--no-api-key")
    found = read("deployments", "show", "codestral")
    assert (found["options"], found["deadlines"]) == ({"proxy": ""}, {"connect": 1.0})
    assert (found["max_concurrent"], found["has_api_key"]) == (None, False)


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ([], 2, "Say what to change"),
        (["--api-key", "-", "--no-api-key"], 2, "without --api-key"),
        (["--no-option", "windw"], 2, "did you mean 'window'?"),
        (["--max-concurrent", "0"], 2, "nor 'none'"),
        (["--option", "ca_fil=x"], 1, "ca_fil"),
        (["--family", "codestrl"], 1, "The nearest are: codestral"),
    ],
)
def test_a_wrong_correction_changes_nothing(
    change: list[str], status: int, said: str, call: Call, read: Read
) -> None:
    add(call, "--option", "window=4096")
    before = read("deployments", "show", "codestral")
    refused = call("deployments", "set", "codestral", *change, given=UPSTREAM_KEY, status=status)
    assert said in refused.stderr
    assert read("deployments", "show", "codestral") == before


def test_who_replaces_is_checked_with_the_key_that_stays(call: Call) -> None:
    on_azure = ["--family", "gpt", "--identifier", "azure/x", "--endpoint", "https://x.example"]
    call("deployments", "add", "x", *on_azure, "--api-key", "-", given=UPSTREAM_KEY)
    identity = ["--option", "auth=managed_identity"]
    refused = call("deployments", "add", "x", *on_azure, *identity, "--replace", status=1)
    assert "api_key" in refused.stderr
    call("deployments", "set", "x", *identity, "--no-api-key")


def test_a_model_that_only_chats_is_offered_for_chat(call: Call) -> None:
    claude = ["--family", "claude", "--identifier", "anthropic/claude-sonnet-4-5"]
    added = call("deployments", "add", "claude", *claude, "--api-key", "-", given=UPSTREAM_KEY)
    assert "inhouse routes set chat claude" in added.stderr
    assert "inhouse routes set completion codestral" in (
        call("deployments", "add", *CODESTRAL).stderr
    )


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("api_verison=v1", "options.api_verison: there is no such option; did you mean 'api_ver"),
        ("api_version=v2", "options.api_version: write it as in v1, preview, 2024-10-21."),
        ("auth=managed-identity", "options.auth: it takes key, client_secret, workload_identity"),
        ("nothing_like_it=1", "options.nothing_like_it: there is no such option."),
        ("window=wide", "options.window: Expected `int | null`, got `str`."),
    ],
)
def test_a_wrong_option_is_told_with_what_would_be_right(
    option: str, said: str, call: Call
) -> None:
    on_azure = ["--family", "gpt", "--identifier", "azure/x", "--endpoint", "https://x.example"]
    refused = call("deployments", "add", "x", *on_azure, "--option", option, status=1)
    assert said in refused.stderr
