"""A model that embeds, from its registration to the doctor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cli.conftest import TOY, Call

BGE = ["--family", "embedding", "--identifier", "scripted/bge"]


def test_an_embedding_deployment_breaks_nothing(call: Call, read: Callable[..., Any]) -> None:
    added = call("deployments", "add", "bge", *BGE)
    assert "inhouse routes set embedding bge" in added.stderr
    assert "not made for" not in call("routes", "set", "embedding", "bge").stderr
    tested = read("deployments", "test", "bge")
    assert [each["status"] for each in tested["checks"]] == ["ok"] * 4
    (badge,) = read("deployments", "probe", "bge")["badges"]
    assert (badge["feature"], badge["support"]) == ("embedding", "full")
    assert "embedding" in call("deployments", "show", "bge").stdout
    checks = read("doctor")["checks"]
    assert not [each for each in checks if each["status"] == "failed"]


def test_a_model_that_writes_is_no_embedding_model(call: Call) -> None:
    call("deployments", "add", "toy", *TOY)
    assert "not made for embedding" in call("routes", "set", "embedding", "toy").stderr
