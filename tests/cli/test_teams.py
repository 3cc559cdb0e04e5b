"""Teams, limits, groups and the routes of teams, as an administrator sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from inhouse.core.feature import Feature

Call = Callable[..., Result]
Read = Callable[..., Any]

TOY = ("--family", "general", "--identifier", "scripted/toy")


def lines(result: Result) -> list[str]:
    """Return the lines of an answer, blanks between columns as one."""
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


@pytest.fixture
def models(call: Call) -> None:
    """Registers three deployments, one of an odd name."""
    for name in ("a", "b", "c=3"):
        call("deployments", "add", name, *TOY)


def test_a_team_is_made_shown_changed_and_removed(call: Call, read: Read) -> None:
    assert "There are no teams yet" in call("teams", "list").stderr
    made = call("teams", "create", "payments", "--tokens-per-minute", "2000000")
    assert made.stdout == "The team 'payments' is made.\n"
    assert "'inhouse teams set' changes it" in call("teams", "create", "payments", status=1).stderr
    call("keys", "create", "ada", "--role", "developer", "--team", "payments")

    call("teams", "set", "payments", "--requests-per-minute", "600")
    expected = {
        "name": "payments",
        "requests_per_minute": 600,
        "tokens_per_minute": 2_000_000,
        "keys": ["ada"],
        "routes": [],
        "declared": False,
    }
    assert read("teams", "show", "payments") == expected
    assert read("teams", "list") == [expected]
    assert lines(call("teams", "list"))[1] == "payments 600 2 000 000 ada"
    assert "own routes none: everybody's hold" in lines(call("teams", "show", "payments"))
    changed = read("teams", "set", "payments", "--requests-per-minute", "none")
    assert changed["requests_per_minute"] is None

    used = call("teams", "remove", "payments", status=1).stderr
    assert "inhouse keys set ada --no-team" in used
    call("keys", "set", "ada", "--no-team")
    assert read("teams", "remove", "payments") == {"removed": "payments"}
    assert "'inhouse teams list' shows all" in call("teams", "show", "payments", status=1).stderr


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["teams", "create", "a/b"], 1, "slash"),
        (
            ["teams", "create", "a", "--tokens-per-minute", "0"],
            2,
            "'0' is not a number from 1 to 1000000000, nor",
        ),
        (["teams", "create", "a", "--tokens-per-minute", "many"], 2, "'many' is not a number"),
        (["teams", "set", "payment", "--tokens-per-minute", "5"], 1, "did you mean 'payments'"),
        (["teams", "set", "payments"], 2, "Say what to change"),
        (["keys", "create", "x", "--role", "admin", "--team", "payment"], 1, "did you mean 'pay"),
        (["keys", "set", "ada", "--team", "payment"], 1, "did you mean 'payments'"),
        (["keys", "set", "ad", "--no-team"], 1, "There is no key 'ad'; did you mean 'ada'?"),
        (["keys", "set", "ada"], 2, "Say what to change"),
        (["keys", "set", "ada", "--team", "payments", "--no-team"], 2, "--no-team goes without"),
        (["keys", "set", "ada", "--model", "a", "--all-models"], 2, "--all-models without"),
        (["routes", "list", "--team", "payment"], 1, "There is no team 'payment'; did you mean"),
        (["routes", "inherit", "chat", "--team", "payments"], 1, "no route 'chat@payments'"),
        (["routes", "disable", "chat", "--team", "payment"], 1, "did you mean 'payments'"),
    ],
)
def test_wrong_calls(call: Call, args: list[str], status: int, said: str) -> None:
    call("teams", "create", "payments")
    call("keys", "create", "ada", "--role", "developer")
    assert said in call(*args, status=status).stderr


def test_a_key_changes_only_where_it_is_told_to(call: Call, read: Read) -> None:
    call("teams", "create", "payments")
    made = read(
        *("keys", "create", "ada", "--role", "developer", "--team", "payments"),
        *("--requests-per-minute", "300", "--model", "chat"),
    )
    assert made.pop("key").startswith("ihk_")
    assert (made["team"], made["requests_per_minute"], made["tokens_per_minute"]) == (
        "payments",
        300,
        None,
    )
    assert read("keys", "list") == [made]
    changed = read("keys", "set", "ada", "--tokens-per-minute", "5000", "--no-team")
    assert changed == {**made, "tokens_per_minute": 5000, "team": ""}
    assert read("keys", "set", "ada", "--all-models")["models"] == []
    remarked = call("keys", "set", "ada", "--model", "completon", "--requests-per-minute", "none")
    assert "did you mean 'completion'?" in remarked.stderr
    assert remarked.stdout == "The key 'ada' is changed.\n"
    (shown,) = read("keys", "list")
    assert (shown["models"], shown["requests_per_minute"]) == (["completon"], None)
    assert "no limit 5 000" in lines(call("keys", "list"))[1]


@pytest.mark.usefixtures("models")
def test_a_group_shares_the_load(call: Call, read: Read) -> None:
    said = call("routes", "set", "chat", "--weighted", "a=0", "b=3", "c=3=1").stdout
    assert said == "chat: b 75%, c=3 25%, a if these fail\n"
    found = {each["feature"]: each for each in read("routes", "list")}
    assert found["chat"]["deployments"] == ["a", "b", "c=3"]
    assert found["chat"]["weights"] == [0, 3, 1]
    assert found["chat.fix"]["inherits"] == "chat"
    assert call("routes", "set", "chat", "c=3", "a").stdout == "chat: c=3, a\n"


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["a=3", "b=1"], 2, "there is no deployment 'a=3'; for weights add --weighted"),
        (["--weighted", "a"], 2, "'a' is not NAME=WEIGHT, as in codestral=3"),
        (["--weighted", "a=much"], 2, "'a=much' is not NAME=WEIGHT"),
        (["--weighted", "a=1", "a=2"], 2, "'a' is listed twice"),
        (["--weighted", "a=0"], 1, "all are 0, so that nothing would be asked"),
        (["--weighted", "a=1001"], 1, "Expected int <= 1000"),
        (["--weighted", "d=1"], 1, "the deployment 'd', which does not exist"),
    ],
)
def test_wrong_groups(call: Call, args: list[str], status: int, said: str) -> None:
    assert said in call("routes", "set", "chat", *args, status=status).stderr


@pytest.mark.usefixtures("models")
def test_a_team_has_routes_of_its_own(call: Call, read: Read) -> None:
    call("teams", "create", "payments")
    call("routes", "set", "chat", "a")
    assert lines(call("routes", "list"))[0] == "FEATURE SERVED BY IN GITLAB"
    own = call("routes", "set", "chat", "b", "--team", "payments")
    assert own.stdout == "chat@payments: b\n"
    call("routes", "disable", "completion", "--team", "payments")

    listed = lines(call("routes", "list"))
    assert listed[0] == "FEATURE TEAM SERVED BY IN GITLAB"
    assert {
        "chat a duo_chat",
        "chat payments b duo_chat",
        "completion payments disabled code_completions",
        "embedding nothing yet",
    } <= set(listed)
    assert len(read("routes", "list")) == len(Feature) + 2
    theirs = lines(call("routes", "list", "--team", "payments"))
    assert "chat.fix payments b (as chat) duo_chat_fix_code" in theirs
    assert read("deployments", "show", "b")["serves"] == ["chat@payments"]
    assert read("teams", "show", "payments")["routes"] == ["completion", "chat"]

    back = call("routes", "inherit", "chat", "--team", "payments")
    assert back.stdout == "chat@payments: a (as everybody's)\n"
    assert "chat.fix payments a (as everybody's chat) duo_chat_fix_code" in (
        lines(call("routes", "list", "--team", "payments"))
    )
    found = {each["feature"]: each for each in read("routes", "list", "--team", "payments")}
    assert (found["chat.fix"]["inherits"], found["completion"]["inherits"]) == ("chat", None)


def test_a_deployment_has_deadlines_and_a_load(call: Call, read: Read) -> None:
    more = ("--deadline", "first_token=2.5", "--deadline", "total=20", "--max-concurrent", "8")
    call("deployments", "add", "a", *TOY, *more)
    shown = read("deployments", "show", "a")
    assert (shown["deadlines"], shown["max_concurrent"]) == ({"first_token": 2.5, "total": 20}, 8)
    told = lines(call("deployments", "show", "a"))
    assert {"deadline first_token 2.5 s", "at once 8 requests a process"} <= set(told)

    call("deployments", "add", "a", *TOY, "--replace")
    assert read("deployments", "show", "a")["deadlines"] == {}
    for wrong, said in (
        ("totl=1", "did you mean 'total'?"),
        ("total", "total: Expected float"),
        ("total=0", "total: Expected float > 0"),
        ("total=soon", "total: Expected float"),
    ):
        refused = call("deployments", "add", "b", *TOY, "--deadline", wrong, status=2)
        assert said in refused.stderr


def test_a_file_brings_teams(call: Call, home: Path, read: Read) -> None:
    listing = home / "teams.toml"
    listing.write_text(
        '[[teams]]\nname = "payments"\ntokens_per_minute = 5\n'
        '[[routes]]\nfeature = "chat"\nteam = "payments"\ndisabled = true\n'
        '[[keys]]\nname = "ci"\nrole = "developer"\nkey = "0123456789abcdef"\nteam = "payments"\n'
    )
    applied = read("apply", str(listing))
    assert [(each["kind"], each["name"]) for each in applied["changes"]] == [
        ("team", "payments"),
        ("route", "chat@payments"),
        ("key", "ci"),
    ]
    assert "Nothing to change" in call("apply", str(listing)).stderr
    assert "create team 'payments'" in call("revisions", "show", "1").stdout
