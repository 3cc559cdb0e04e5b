"""Models that requests name: found in the registry, or made to deployments of their own."""

import pytest

from inhouse.core.allowing import Allowed
from inhouse.core.catalog import Catalog, Deployment
from inhouse.core.ports import Provider
from inhouse.core.requests import RequestedModel
from inhouse.core.secret import Secret
from inhouse.errors import ConfigError, InvalidValueError, NotFoundError
from inhouse.families import load
from inhouse.routing.requested import Requested, identified, registered, told
from inhouse.routing.single import Singles

GPU = "http://gpu:8000/v1"
FAMILIES = load(None)


def model(
    identifier: str = "", family: str = "codestral", endpoint: str = GPU, api_key: str = ""
) -> RequestedModel:
    return RequestedModel(
        family=family,
        identifier=identifier,
        endpoint=endpoint,
        api_key=Secret(api_key),
        prefix="model_metadata.",
    )


def catalog(*deployments: Deployment) -> Catalog:
    return Catalog(deployments={each.name: each for each in deployments})


def deployment(
    name: str,
    family: str = "codestral",
    identifier: str = "custom_openai/coder",
    endpoint: str = GPU,
) -> Deployment:
    return Deployment(name=name, family=family, identifier=identifier, endpoint=endpoint)


class Made:
    """`Requested`, with what it told."""

    def __init__(self, *allowed: str, most: int = 3, fault: ConfigError | None = None) -> None:
        self.changes = 0
        self.fault = fault
        self.requested = Requested(
            Allowed(allowed or ["http://gpu:8000"]),
            FAMILIES,
            singles=Singles(self.provider),
            check=self.check,
            changed=self.change,
            most=most,
        )

    def provider(self, _: Deployment) -> Provider:
        raise NotFoundError("No deployment here is asked for its models.")

    def check(self, _: Deployment) -> None:
        if self.fault is not None:
            raise self.fault

    def change(self) -> None:
        self.changes += 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("coder", "custom_openai/coder"),
        ("", "custom_openai/codestral"),
        ("custom_openai/RedHatAI/coder", "custom_openai/RedHatAI/coder"),
        ("hosted_vllm/RedHatAI/coder", "custom_openai/RedHatAI/coder"),
        ("openai/coder", "custom_openai/coder"),
        ("litellm_proxy/coder", "custom_openai/coder"),
        ("text-completion-openai/coder", "custom_openai/coder"),
        ("anthropic/claude", "anthropic/claude"),
        ("azure/coder", "azure/coder"),
        ("bedrock/anthropic.claude", "bedrock/anthropic.claude"),
    ],
)
def test_prefixes_of_others_are_understood(written: str, meant: str) -> None:
    assert identified(model(identifier=written)) == meant


def test_openai_without_a_url_is_the_cloud() -> None:
    assert identified(model(identifier="openai/gpt-4o", endpoint="")) == "openai/gpt-4o"


@pytest.mark.parametrize(
    "asked",
    [
        model(identifier="custom_openai/coder"),
        model(identifier="coder"),
        model(identifier="hosted_vllm/coder", family="no-such"),
        model(identifier="coder", endpoint="HTTP://GPU:8000/"),
        model(identifier="coder", endpoint="http://gpu:8000/v1/chat/completions"),
        model(identifier="", family="mistral"),
    ],
)
def test_a_registered_deployment_is_found(asked: RequestedModel) -> None:
    known = deployment("gpu")
    elsewhere = deployment("other", endpoint="http://other:8000/v1")
    assert registered(catalog(elsewhere, known), asked) is known


@pytest.mark.parametrize(
    "asked",
    [
        model(identifier="custom_openai/other"),
        model(identifier="coder", endpoint="http://gpu:8001/v1"),
        model(identifier="coder", endpoint="https://gpu:8000/v1"),
        model(identifier="coder", endpoint="http://gpu:8000/other/v1"),
        model(identifier="coder", endpoint=""),
        model(identifier="anthropic/coder"),
        model(identifier="scripted/coder", endpoint=""),
    ],
)
def test_what_is_not_registered_is_not_found(asked: RequestedModel) -> None:
    scripted = deployment("script", identifier="scripted/coder", endpoint="")
    assert registered(catalog(deployment("gpu"), scripted), asked) is None


def test_of_two_the_one_of_the_same_family_is_meant() -> None:
    first, second = deployment("a", family="general"), deployment("b")
    assert registered(catalog(first, second), model(identifier="coder")) is second
    assert registered(catalog(first, second), model(identifier="coder", family="x")) is first


def test_no_identifier_means_none_where_two_are_served() -> None:
    two = catalog(deployment("a"), deployment("b", identifier="custom_openai/b"))
    assert registered(two, model()) is None


def test_a_model_of_bedrock_is_known_without_its_url() -> None:
    known = deployment("cloud", identifier="bedrock/anthropic.claude", endpoint="")
    asked = model(identifier="bedrock/anthropic.claude", endpoint="http://placeholder.example")
    assert registered(catalog(known), asked) is known


def test_what_is_asked_is_told_without_secrets() -> None:
    asked = model(identifier="coder", endpoint=f"{GPU}?key=hush", api_key="hush")
    assert told(asked) == "'coder' at http://gpu:8000/v1"


def test_a_deployment_is_made_of_a_request() -> None:
    made = Made()
    found = made.requested.deployment(
        model(identifier="hosted_vllm/RedHatAI/coder", family="claude_3", api_key="hush")
    )
    assert (found.family, found.identifier, found.endpoint) == (
        "claude",
        "custom_openai/RedHatAI/coder",
        GPU,
    )
    assert found.api_key.reveal() == "hush"
    assert found.name.startswith("custom_openai/RedHatAI/coder@gpu:8000#")
    assert "hush" not in repr(found)
    assert (dict(made.requested.known), made.changes) == ({found.name: found}, 1)


def test_an_unknown_family_is_asked_as_any_model() -> None:
    assert Made().requested.deployment(model(family="brand-new")).family == "general"


def test_the_same_is_made_once_and_what_differs_has_another_name() -> None:
    made = Made(most=9)
    asked = [
        model(identifier="a"),
        model(identifier="b"),
        model(identifier="a", api_key="one"),
        model(identifier="a", api_key="two"),
        model(identifier="a", family="mistral"),
        model(identifier="a", endpoint="http://gpu:8000/other/v1"),
    ]
    found = [made.requested.deployment(each) for each in asked]
    again = [made.requested.deployment(each) for each in asked]
    assert all(one is two for one, two in zip(found, again, strict=True))
    assert len({each.name for each in found}) == len(asked) == made.changes


def test_names_do_not_tell_keys_to_who_guesses() -> None:
    asked = model(identifier="a", api_key="1234")
    assert Made().requested.deployment(asked).name != Made().requested.deployment(asked).name


def test_the_one_not_asked_for_longest_is_forgotten() -> None:
    made = Made(most=2)
    a, b, c = (model(identifier=name) for name in "abc")
    first = made.requested.deployment(a)
    second = made.requested.deployment(b)
    made.requested.deployment(a)
    third = made.requested.deployment(c)
    assert list(made.requested.known) == [first.name, third.name]
    assert second.name not in made.requested.known


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        (model(endpoint="http://evil:8000/v1"), "endpoint", "allowed_endpoints"),
        (model(endpoint=""), "endpoint", "is missing"),
        (model(identifier="RedHatAI/coder"), "identifier", "custom_openai/RedHatAI/coder"),
        (model(identifier="scripted/x"), "identifier", "no provider of models"),
        (model(identifier="repository/x"), "identifier", "no provider of models"),
        (model(identifier="/x"), "identifier", "no provider of models"),
        (model(identifier="custom_openai/"), "identifier", "is not PROVIDER/MODEL"),
        (model(identifier="bedrock/anthropic.x"), "identifier", "bedrock/*"),
        (model(identifier="azure/d"), "identifier", "allowed_endpoints"),
        (model(identifier="openai/gpt-4o", endpoint=""), "endpoint", "is missing"),
    ],
)
def test_what_may_not_be_asked_is_refused_by_its_field(
    asked: RequestedModel, field: str, says: str
) -> None:
    made = Made()
    with pytest.raises(InvalidValueError, match=says) as caught:
        made.requested.deployment(asked)
    assert caught.value.param == f"model_metadata.{field}"
    assert f"'model_metadata.{field}'" in caught.value.message
    assert not made.requested.known


def test_a_field_has_the_name_that_the_request_gives_it() -> None:
    asked = RequestedModel(family="x", endpoint="http://evil/v1", prefix="model_")
    with pytest.raises(InvalidValueError) as caught:
        Made().requested.deployment(asked)
    assert caught.value.param == "model_endpoint"


@pytest.mark.parametrize(
    ("asked", "endpoint"),
    [
        (model(identifier="bedrock/anthropic.x", endpoint="http://placeholder.example"), ""),
        (model(identifier="openai/gpt-4o", endpoint="", api_key="k"), ""),
        (model(identifier="azure/d"), GPU),
        (model(identifier="azure/other", api_key="k"), GPU),
    ],
)
def test_models_without_a_url_and_our_own_credentials_are_allowed_by_identifier(
    asked: RequestedModel, endpoint: str
) -> None:
    made = Made("http://gpu:8000", "bedrock/*", "openai/gpt-*", "azure/d")
    assert made.requested.deployment(asked).endpoint == endpoint


@pytest.mark.parametrize(
    ("param", "field"), [("api_key", "api_key"), ("endpoint", "endpoint"), ("options.x", "")]
)
def test_what_cannot_work_is_not_remembered(param: str, field: str) -> None:
    made = Made(fault=ConfigError("It cannot work.", param=param))
    with pytest.raises(InvalidValueError, match="It cannot work") as caught:
        made.requested.deployment(model())
    assert caught.value.param == f"model_metadata.{field or 'identifier'}"
    assert not made.requested.known
