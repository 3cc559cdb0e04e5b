"""``inhouse deployments probe``, and where its badges are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

Call = Callable[..., Result]
Read = Callable[..., Any]

TOY = ["toy", "--family", "general", "--identifier", "scripted/toy", "--option", "window=16384"]
OTHER = ["toy", "--family", "mistral", "--identifier", "scripted/toy", "--option", "window=16384"]
ERROR = ["--option", "error=server", "--option", 'error_message="It burns."']


def test_a_probe_shows_badges_and_figures_and_is_kept(call: Call) -> None:
    added = call("deployments", "add", *TOY)
    assert "inhouse deployments probe toy" in added.stderr
    assert "inhouse deployments probe toy" in call("deployments", "show", "toy").stderr
    said = call("deployments", "probe", "toy")
    assert "completion  Partial\n            Stop sequences are not honoured.\n" in said.stdout
    assert "generation  " in said.stdout
    assert "50       50 of 50" in said.stdout
    assert "Not measured: sentinels." in said.stderr
    shown = call("deployments", "show", "toy").stdout
    assert "just now" in shown
    assert "outdated" not in shown
    assert "completion  Partial\n" in shown


def test_a_report_for_programs(call: Call, read: Read) -> None:
    call("deployments", "add", *TOY)
    report = read("deployments", "probe", "toy", "--gentle")
    assert report["deployment"] == "toy"
    assert report["version"] == 1
    assert report["gentle"] is True
    assert report["probed"] == {
        "identifier": "scripted/toy",
        "endpoint": "",
        "family": "general",
    }
    kept = read("deployments", "show", "toy")["probe"]
    assert kept["badges"] == report["badges"]
    assert kept["outdated"] == []


def test_a_changed_deployment_outdates_its_report(call: Call, read: Read) -> None:
    call("deployments", "add", *TOY)
    call("deployments", "probe", "toy", "--gentle")
    call("deployments", "add", *OTHER, "--replace")
    assert "outdated: family changed since" in call("deployments", "show", "toy").stdout
    assert read("deployments", "show", "toy")["probe"]["outdated"] == ["family"]


def test_what_does_not_work_is_limited_and_the_status_says_so(call: Call) -> None:
    call("deployments", "add", *TOY, *ERROR)
    said = call("deployments", "probe", "toy", status=1)
    assert "chat        Limited\n            It does not answer: It burns." in said.stdout
    assert "Speed was not measured." in said.stderr


def test_what_is_not_registered_cannot_be_probed(call: Call) -> None:
    call("deployments", "add", *TOY)
    said = call("deployments", "probe", "toi", status=1)
    assert "did you mean 'toy'?" in said.stderr


def test_adding_probes_where_that_is_wanted(call: Call, read: Read) -> None:
    added = call("deployments", "add", *TOY, "--probe")
    assert added.stdout.startswith("The deployment 'toy' is added.\ncompletion  Partial\n")
    again = read("deployments", "add", *TOY, "--replace", "--probe")
    assert again["name"] == "toy"
    assert len(again["probe"]["badges"]) == 3
