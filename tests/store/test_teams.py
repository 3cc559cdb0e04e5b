"""Teams, their limits and routes; weighted groups; deadlines and load of a deployment."""

import msgspec
import pytest

from inhouse.core.catalog import Declared, Deployment, Limits, Role, Route, Team
from inhouse.core.deadlines import DeadlineOverrides
from inhouse.core.feature import Feature
from inhouse.errors import ConfigError, ConflictError, NotFoundError
from inhouse.store import KeyChange, Registry

QWEN = Deployment(
    name="qwen",
    family="qwen-coder",
    identifier="x/qwen",
    deadlines=DeadlineOverrides(first_token=2.5, total=20),
    max_concurrent=8,
)
LLAMA = Deployment(name="llama", family="llama3", identifier="x/llama")
PAYMENTS = Team(name="pay@ments", limits=Limits(requests_per_minute=600, tokens_per_minute=10**9))
GROUP = Route(feature=Feature.CHAT, team="pay@ments", deployments=("llama", "qwen"), weights=(0, 3))


@pytest.fixture
def filled(registry: Registry) -> Registry:
    """The registry with two deployments and a team, as revision 3."""
    registry.put_deployment(QWEN, author="ada")
    registry.put_deployment(LLAMA, author="ada")
    registry.put_team(PAYMENTS, author="ada")
    return registry


def test_what_was_put_comes_out(filled: Registry) -> None:
    everybodys = Route(feature=Feature.CHAT, deployments=("qwen", "llama"))
    off = Route(feature=Feature.CHAT_FIX, team="pay@ments", disabled=True)
    for route in (GROUP, everybodys, off):
        filled.set_route(route, author="ada")
    limits = Limits(tokens_per_minute=5)
    filled.create_key("ci", Role.DEVELOPER, author="ada", team="pay@ments", limits=limits)

    catalog = filled.snapshot()

    assert catalog.deployments == {"qwen": QWEN, "llama": LLAMA}
    assert catalog.teams == {"pay@ments": PAYMENTS}
    assert catalog.routes == {Feature.CHAT: everybodys}
    assert catalog.team_routes == {
        ("pay@ments", Feature.CHAT): GROUP,
        ("pay@ments", Feature.CHAT_FIX): off,
    }
    (key,) = catalog.keys.values()
    assert (key.name, key.team, key.limits) == ("ci", "pay@ments", limits)
    assert filled.put_team(PAYMENTS, author="ada") == ()
    assert filled.set_route(GROUP, author="ada") == ()
    assert filled.put_deployment(QWEN, author="ada") == ()


def test_changes_are_told_by_name_and_rolled_back(filled: Registry) -> None:
    filled.set_route(GROUP, author="ada")
    filled.put_team(Team(name="pay@ments", limits=Limits(requests_per_minute=1)), author="ada")
    filled.remove_route(Feature.CHAT, "pay@ments", author="ada")
    filled.remove_team("pay@ments", author="ada")

    assert filled.show(3).lines() == [
        "create team 'pay@ments'",
        "  + requests_per_minute: 600",
        "  + tokens_per_minute: 1000000000",
    ]
    assert filled.show(4).lines()[0] == "create route 'chat@pay@ments'"
    assert filled.show(5).lines() == [
        "update team 'pay@ments'",
        "  ~ requests_per_minute: 600 -> 1",
        "  ~ tokens_per_minute: 1000000000 -> (none)",
    ]
    filled.rollback(4, author="ada")
    assert filled.snapshot().teams == {"pay@ments": PAYMENTS}
    assert filled.snapshot().team_routes == {("pay@ments", Feature.CHAT): GROUP}


def test_a_team_in_use_stays(filled: Registry) -> None:
    filled.create_key("ci", Role.DEVELOPER, author="ada", team="pay@ments")
    filled.set_route(GROUP, author="ada")

    with pytest.raises(ConflictError, match=r"inhouse routes inherit chat --team pay@ments$"):
        filled.remove_team("pay@ments", author="ada")
    filled.remove_route(Feature.CHAT, "pay@ments", author="ada")
    with pytest.raises(ConflictError, match=r"'ci'; take it away first: inhouse keys set ci --no-"):
        filled.remove_team("pay@ments", author="ada")
    filled.change_key("ci", KeyChange(team=""), author="ada")
    filled.remove_team("pay@ments", author="ada")
    assert filled.snapshot().teams == {}


def test_a_deployment_that_serves_a_team_stays(filled: Registry) -> None:
    filled.set_route(GROUP, author="ada")

    with pytest.raises(ConflictError, match=r"'chat@pay@ments'.*set chat DEPLOYMENT... --team pay"):
        filled.remove_deployment("qwen", author="ada")


def test_a_team_must_exist(filled: Registry) -> None:
    with pytest.raises(NotFoundError, match="team 'payments', which does not exist; did you mean"):
        filled.create_key("ci", Role.DEVELOPER, author="ada", team="payments")
    with pytest.raises(NotFoundError, match="team 'x', which does not exist; make it with"):
        filled.set_route(msgspec.structs.replace(GROUP, team="x"), author="ada")
    filled.create_key("ci", Role.DEVELOPER, author="ada")
    with pytest.raises(NotFoundError, match="key 'ci' names the team 'x'"):
        filled.change_key("ci", KeyChange(team="x"), author="ada")
    with pytest.raises(NotFoundError, match="no team 'payments'; did you mean 'pay@ments'"):
        filled.remove_team("payments", author="ada")


def test_a_key_changes_only_where_it_is_told_to(filled: Registry) -> None:
    limits = Limits(requests_per_minute=5, tokens_per_minute=7)
    filled.create_key("ci", Role.DEVELOPER, ("chat",), author="ada", limits=limits)
    (before,) = filled.snapshot().keys.values()

    filled.change_key("ci", KeyChange(team="pay@ments", tokens_per_minute=None), author="ada")

    (after,) = filled.snapshot().keys.values()
    assert after == msgspec.structs.replace(
        before, team="pay@ments", limits=Limits(requests_per_minute=5)
    )
    assert filled.change_key("ci", KeyChange(), author="ada") == ()
    filled.change_key("ci", KeyChange(models=("qwen",)), author="ada")
    assert filled.snapshot().keys[before.digest].models == ("qwen",)
    with pytest.raises(NotFoundError, match="no key 'cj'; did you mean 'ci'"):
        filled.change_key("cj", KeyChange(), author="ada")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        (KeyChange(models=("a/b",)), "models"),
        (KeyChange(requests_per_minute=0), "requests_per_minute"),
        (KeyChange(tokens_per_minute=10**10), "tokens_per_minute"),
    ],
)
def test_a_wrong_change_of_a_key_is_refused(
    filled: Registry, change: KeyChange, param: str
) -> None:
    filled.create_key("ci", Role.DEVELOPER, author="ada")

    with pytest.raises(ConfigError) as caught:
        filled.change_key("ci", change, author="ada")
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1,), "1 for 2 deployments; write one for each"),
        ((0, 0), "all are 0"),
        ((1, 1001), r"weights\[1\]: Expected int <= 1000"),
        ((1, -1), r"weights\[1\]: Expected int >= 0"),
    ],
)
def test_weights_that_do_not_fit(filled: Registry, weights: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        filled.set_route(msgspec.structs.replace(GROUP, weights=weights), author="ada")


@pytest.mark.parametrize(
    ("deployment", "param"),
    [
        (msgspec.structs.replace(QWEN, max_concurrent=0), "max_concurrent"),
        (msgspec.structs.replace(QWEN, deadlines=DeadlineOverrides(total=0)), "deadlines.total"),
        (msgspec.structs.replace(QWEN, deadlines=DeadlineOverrides(connect=9e9)), "deadlines.conn"),
    ],
)
def test_wrong_deadlines_and_loads(filled: Registry, deployment: Deployment, param: str) -> None:
    with pytest.raises(ConfigError) as caught:
        filled.put_deployment(deployment, author="ada")
    assert caught.value.param is not None
    assert caught.value.param.startswith(param)


def test_wrong_teams(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="team cannot be stored: the name is empty"):
        registry.put_team(Team(name=""), author="ada")
    with pytest.raises(ConfigError, match="tokens_per_minute: Expected int >= 1"):
        registry.put_team(Team(name="a", limits=Limits(tokens_per_minute=0)), author="ada")


def test_a_rollback_keeps_the_teams_of_its_keys(filled: Registry) -> None:
    filled.put_team(Team(name="docs"), author="ada")
    filled.create_key("ci", Role.DEVELOPER, author="ada", team="pay@ments")

    filled.rollback(0, author="ada")

    assert filled.snapshot().teams == {"pay@ments": PAYMENTS}
    assert filled.snapshot().deployments == {}


def test_teams_can_be_declared(registry: Registry) -> None:
    declared = Declared(deployments=(QWEN, LLAMA), teams=(PAYMENTS,), routes=(GROUP,))
    registry.apply(declared, author="inhouse.toml")

    catalog = registry.snapshot()
    assert catalog.teams == {"pay@ments": msgspec.structs.replace(PAYMENTS, declared=True)}
    assert catalog.team_routes["pay@ments", Feature.CHAT].declared
    assert registry.plan(declared) == ()
    assert registry.apply(declared, author="ada", as_declared=False) == ()
    with pytest.raises(ConflictError, match=r"team 'pay@ments' is declared in inhouse\.toml"):
        registry.put_team(Team(name="pay@ments"), author="ada")
    registry.create_key("ci", Role.DEVELOPER, author="ada", team="pay@ments")
    with pytest.raises(ConflictError, match="'pay@ments' still has the key 'ci'"):
        registry.apply(Declared(), author="inhouse.toml")
