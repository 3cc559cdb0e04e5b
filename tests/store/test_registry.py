"""Deployments, routes, keys and settings: what goes in comes out, and nonsense does not go in."""

import msgspec
import pytest

from inhouse.core.catalog import Catalog, Deployment, Role, Route, digest
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.errors import ConfigError, ConflictError, NotFoundError
from inhouse.store import Registry
from tests.store.conftest import Open

CODESTRAL = Deployment(
    name="codestral on vLLM",
    family="codestral",
    identifier="custom_openai/codestral",
    endpoint="http://127.0.0.1:8000/v1",
    api_key=Secret("sk-upstream-secret"),
    options={"ca": "ca.pem", "headers": {"x": ["ü", 1, 2.5, None, True]}},
)
QWEN = Deployment(name="qwen", family="qwen-coder", identifier="custom_openai/qwen")


def test_new_registry_is_empty(registry: Registry) -> None:
    assert registry.snapshot() == Catalog()
    assert registry.revision() == 0
    assert registry.revisions() == ()


def test_snapshot_returns_what_was_put(registry: Registry) -> None:
    registry.put_deployment(CODESTRAL, author="ada")
    registry.put_deployment(QWEN, author="ada")
    chat = Route(feature=Feature.CHAT, deployments=("qwen", "codestral on vLLM"))
    fix = Route(feature=Feature.CHAT_FIX, disabled=True)
    registry.set_route(chat, author="ada")
    registry.set_route(fix, author="ada")
    key = registry.create_key("ci", Role.DEVELOPER, ("chat", "qwen"), author="ada")
    registry.change_settings({"trace_days": 7, "chat_connect_timeout": 2}, author="ada")

    catalog = registry.snapshot()

    assert catalog.deployments == {"codestral on vLLM": CODESTRAL, "qwen": QWEN}
    assert catalog.routes == {Feature.CHAT: chat, Feature.CHAT_FIX: fix}
    assert catalog.settings == Settings(trace_days=7, chat_connect_timeout=2)
    assert catalog.revision == registry.revision() == 6
    (stored,) = catalog.keys.values()
    assert stored.digest == digest(key.reveal())
    assert (stored.name, stored.role, stored.models) == ("ci", Role.DEVELOPER, ("chat", "qwen"))
    assert stored.created_at > 1_700_000_000


def test_order_of_a_route_is_kept(registry: Registry) -> None:
    names = tuple(f"model {number}" for number in (3, 1, 4, 2, 5))
    for name in sorted(names):
        registry.put_deployment(msgspec.structs.replace(QWEN, name=name), author="ada")

    for wanted in (names, names[::-1], names[2:]):
        route = Route(feature=Feature.COMPLETION, deployments=wanted)
        registry.set_route(route, author="ada")
        assert registry.snapshot().routes[Feature.COMPLETION] == route


def test_put_replaces(registry: Registry) -> None:
    registry.put_deployment(CODESTRAL, author="ada")
    registry.set_route(
        Route(feature=Feature.CHAT, deployments=("codestral on vLLM",)), author="ada"
    )
    changed = msgspec.structs.replace(CODESTRAL, endpoint="https://new/v1", api_key=Secret("other"))

    registry.put_deployment(changed, author="ada")

    assert registry.snapshot().deployments == {"codestral on vLLM": changed}


def test_what_is_as_wanted_already_makes_no_revision(registry: Registry) -> None:
    route = Route(feature=Feature.CHAT, deployments=("qwen",))
    for _ in range(2):
        registry.put_deployment(QWEN, author="ada")
        registry.put_deployment(CODESTRAL, author="ada")
        registry.set_route(route, author="ada")
        registry.change_settings({"trace_days": 7}, author="ada")

    assert registry.revision() == 4
    assert registry.put_deployment(CODESTRAL, author="ada") == ()


def test_none_gives_a_setting_its_default_back(registry: Registry) -> None:
    registry.change_settings({"trace_days": 7, "chat_total_timeout": 10.0}, author="ada")
    registry.change_settings({"trace_days": None}, author="ada")

    assert registry.snapshot().settings == Settings(chat_total_timeout=10.0)


def test_deployment_in_use_is_not_removed(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    registry.set_route(Route(feature=Feature.CHAT, deployments=("qwen",)), author="ada")

    with pytest.raises(ConflictError, match=r"'qwen' still serves the route 'chat'"):
        registry.remove_deployment("qwen", author="ada")

    registry.remove_route(Feature.CHAT, author="ada")
    registry.remove_deployment("qwen", author="ada")
    assert registry.snapshot().deployments == {}


def test_unknown_names_are_told_with_the_nearest(registry: Registry) -> None:
    registry.put_deployment(CODESTRAL, author="ada")

    with pytest.raises(NotFoundError, match=r"no deployment 'codestral'; did you mean 'codestral "):
        registry.remove_deployment("codestral", author="ada")
    with pytest.raises(NotFoundError, match=r"no key 'ci'\.$"):
        registry.revoke_key("ci", author="ada")
    with pytest.raises(NotFoundError, match=r"no route 'chat'\.$"):
        registry.remove_route(Feature.CHAT, author="ada")
    with pytest.raises(NotFoundError, match=r"the deployment 'codestral onvLLM', which"):
        registry.set_route(
            Route(feature=Feature.CHAT, deployments=("codestral onvLLM",)), author="ada"
        )
    with pytest.raises(NotFoundError, match=r"no setting 'trace_day'; did you mean 'trace_days'"):
        registry.change_settings({"trace_day": 3}, author="ada")
    assert registry.revision() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " padded"),
        ("name", "a/b"),
        ("name", "two\nlines"),
        ("name", "nul\0"),
        ("name", "x" * 101),
        ("name", "completion"),
        ("name", "chat.fix"),
        ("family", ""),
        ("identifier", "codestral"),
        ("identifier", "/codestral"),
        ("identifier", "custom_openai/"),
        ("endpoint", "http://a\nb"),
        ("endpoint", "x" * 2001),
        ("options", {"text": "\ud800"}),
        ("options", {"object": object()}),
    ],
)
def test_wrong_deployment_is_refused_by_field(
    registry: Registry, field: str, value: object
) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.put_deployment(msgspec.structs.replace(QWEN, **{field: value}), author="ada")

    assert caught.value.param == field
    assert registry.revision() == 0


def test_wrong_route_is_refused(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    with pytest.raises(ConfigError, match="lists no deployment"):
        registry.set_route(Route(feature=Feature.CHAT), author="ada")
    with pytest.raises(ConfigError, match="twice"):
        registry.set_route(Route(feature=Feature.CHAT, deployments=("qwen", "qwen")), author="ada")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trace_days": 0}, "'trace_days' is wrong: Expected int >= 1"),
        ({"trace_days": "7"}, "'trace_days' is wrong: Expected int, got str"),
        ({"chat_total_timeout": 4000}, "'chat_total_timeout' is wrong"),
    ],
)
def test_wrong_setting_is_refused(
    registry: Registry, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        registry.change_settings(values, author="ada")


def test_keys_are_long_random_and_of_one_name(registry: Registry) -> None:
    first = registry.create_key("one", Role.ADMIN, author="ada").reveal()
    second = registry.create_key("two", Role.ADMIN, author="ada").reveal()

    assert first != second
    assert first.startswith("ihk_")
    assert len(first) == 47
    with pytest.raises(ConflictError, match="a key 'one' already"):
        registry.create_key("one", Role.AUDITOR, author="ada")
    with pytest.raises(ConflictError, match="same as"):
        registry.create_key("three", Role.AUDITOR, author="ada", key=Secret(first))
    with pytest.raises(ConfigError, match="shorter than 16"):
        registry.create_key("four", Role.AUDITOR, author="ada", key=Secret("short"))
    with pytest.raises(ConfigError, match="models"):
        registry.create_key("five", Role.AUDITOR, ("a\0",), author="ada")


def test_given_key_is_taken_and_revoked(registry: Registry) -> None:
    given = Secret("a key from elsewhere")

    assert registry.create_key("ci", Role.ADMIN, author="ada", key=given) == given
    assert digest(given.reveal()) in registry.snapshot().keys

    registry.revoke_key("ci", author="ada")
    assert registry.snapshot().keys == {}


def test_another_opening_sees_the_change(open_registry: Open, registry: Registry) -> None:
    registry.put_deployment(CODESTRAL, author="ada")

    assert open_registry().snapshot().deployments == {CODESTRAL.name: CODESTRAL}
