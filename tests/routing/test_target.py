"""A model name resolves to what may answer it, for those who may ask."""

import pytest

from inhouse.core.catalog import Catalog, Deployment, Role, Route
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.errors import ForbiddenError, UnknownModelError
from inhouse.routing.target import resolve, usable

FAST = Deployment(name="fast", family="codestral", identifier="custom_openai/a")
DEEP = Deployment(name="deep", family="general", identifier="custom_openai/b")
CATALOG = Catalog(
    deployments={"fast": FAST, "deep": DEEP},
    routes={
        Feature.COMPLETION: Route(feature=Feature.COMPLETION, deployments=("fast", "deep")),
        Feature.GENERATION: Route(feature=Feature.GENERATION, disabled=True),
        Feature.CHAT: Route(feature=Feature.CHAT, deployments=("deep",)),
        Feature.CHAT_FIX: Route(feature=Feature.CHAT_FIX, deployments=("fast",)),
    },
)
ANYONE = Caller("someone", Role.DEVELOPER)


def test_a_feature_is_served_by_its_route_in_order() -> None:
    assert resolve(CATALOG, "completion", ANYONE, Feature.CHAT).deployments == (FAST, DEEP)


def test_a_sub_feature_has_its_own_route_or_inherits() -> None:
    assert resolve(CATALOG, "chat.fix", ANYONE, Feature.CHAT).deployments == (FAST,)
    explain = resolve(CATALOG, "chat.explain", ANYONE, Feature.CHAT)
    assert (explain.feature, explain.deployments) == (Feature.CHAT_EXPLAIN, (DEEP,))


def test_a_deployment_is_asked_by_name_as_the_endpoint_says() -> None:
    target = resolve(CATALOG, "deep", ANYONE, Feature.COMPLETION)
    assert (target.feature, target.deployments) == (Feature.COMPLETION, (DEEP,))


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("generation", "disabled"),
        ("fsat", "Did you mean: fast"),
        ("zzz", "/v1/models"),
        ("", "no model"),
    ],
)
def test_what_is_not_served_is_told_in_words(model: str, says: str) -> None:
    with pytest.raises(UnknownModelError, match=says):
        resolve(CATALOG, model, ANYONE, Feature.CHAT)


def test_a_feature_without_route_says_how_to_make_one() -> None:
    with pytest.raises(UnknownModelError, match="inhouse routes set completion"):
        resolve(Catalog(), "completion", ANYONE, Feature.CHAT)


def test_a_key_holds_for_its_models_only() -> None:
    caller = Caller("ci", Role.DEVELOPER, ("completion",))
    assert resolve(CATALOG, "completion", caller, Feature.CHAT).deployments
    with pytest.raises(
        ForbiddenError, match="'ci' may not use the model 'deep'; it may use: completion"
    ):
        resolve(CATALOG, "deep", caller, Feature.CHAT)
    assert usable(CATALOG, caller) == ["completion"]


def test_an_auditor_asks_no_model() -> None:
    with pytest.raises(ForbiddenError, match="auditor"):
        resolve(CATALOG, "chat", Caller("eve", Role.AUDITOR), Feature.CHAT)


def test_lists_what_can_be_asked() -> None:
    names = usable(CATALOG, ANYONE)
    assert "generation" not in names
    assert {"completion", "chat", "chat.explain", "fast", "deep"} <= set(names)
