"""Every change is a revision that can be listed, shown and rolled back."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.core.catalog import Catalog, Deployment, Limits, Role, Route, Team
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.errors import ConflictError, NotFoundError
from inhouse.store import Registry

QWEN = Deployment(
    name="qwen",
    family="qwen-coder",
    identifier="custom_openai/qwen",
    endpoint="http://a/v1",
    api_key=Secret("the first upstream key"),
)


def changed(**fields: Any) -> Deployment:
    return msgspec.structs.replace(QWEN, **fields)


def test_revisions_say_who_and_what(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    registry.set_route(Route(feature=Feature.CHAT, deployments=("qwen",)), author="grace")
    registry.create_key("ci", Role.ADMIN, author="ada")

    listed = registry.revisions()

    assert [(each.number, each.author, each.summary) for each in listed] == [
        (3, "ada", "create key 'ci'"),
        (2, "grace", "create route 'chat'"),
        (1, "ada", "create deployment 'qwen'"),
    ]
    assert listed[0].at >= listed[1].at >= listed[2].at > 1_700_000_000
    assert registry.revisions(1, before=3) == listed[1:2]
    assert registry.show(2) == listed[1]


def test_diff_is_readable_and_hides_keys(registry: Registry) -> None:
    registry.put_deployment(changed(options={"ca": "ca.pem"}), author="ada")
    registry.put_deployment(
        changed(endpoint="http://b/v1", api_key=Secret("the second")), author="ada"
    )
    registry.put_deployment(changed(endpoint="http://b/v1", api_key=Secret()), author="ada")
    registry.put_deployment(changed(endpoint="http://b/v1"), author="ada")
    registry.put_deployment(changed(), author="ada")
    registry.remove_deployment("qwen", author="ada")

    assert [registry.show(number).lines() for number in range(1, 7)] == [
        [
            "create deployment 'qwen'",
            "  + api_key: (set)",
            "  + endpoint: http://a/v1",
            "  + family: qwen-coder",
            "  + identifier: custom_openai/qwen",
            '  + options: {"ca":"ca.pem"}',
        ],
        [
            "update deployment 'qwen'",
            "  ~ api_key: (set) -> (changed)",
            "  ~ endpoint: http://a/v1 -> http://b/v1",
            '  ~ options: {"ca":"ca.pem"} -> {}',
        ],
        ["update deployment 'qwen'", "  ~ api_key: (set) -> (none)"],
        ["update deployment 'qwen'", "  ~ api_key: (none) -> (set)"],
        ["update deployment 'qwen'", "  ~ endpoint: http://b/v1 -> http://a/v1"],
        [
            "remove deployment 'qwen'",
            "  - api_key: (set)",
            "  - endpoint: http://a/v1",
            "  - family: qwen-coder",
            "  - identifier: custom_openai/qwen",
        ],
    ]


def test_unknown_revision(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="no revision 1; the newest is 0"):
        registry.show(1)
    with pytest.raises(NotFoundError, match="no revision 7; the newest is 0"):
        registry.rollback(7, author="ada")


def test_rollback_is_a_revision_and_restores_secrets(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    registry.put_deployment(changed(api_key=Secret("other")), author="ada")
    registry.remove_deployment("qwen", author="ada")

    changes = registry.rollback(1, author="grace")

    assert [change.title for change in changes] == ["create deployment 'qwen'"]
    assert registry.snapshot().deployments == {"qwen": QWEN}
    assert registry.show(4).author == "grace"
    assert registry.show(4).summary == "roll back to revision 1: create deployment 'qwen'"


def test_rollback_to_the_present_changes_nothing(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")

    assert registry.rollback(1, author="ada") == ()
    assert registry.revision() == 1


def test_rollback_leaves_keys_alone(registry: Registry) -> None:
    registry.create_key("revoked", Role.ADMIN, author="ada")
    registry.put_deployment(QWEN, author="ada")
    registry.revoke_key("revoked", author="ada")
    registry.create_key("handed out", Role.ADMIN, author="ada")

    registry.rollback(1, author="ada")

    assert registry.snapshot().deployments == {}
    assert [each.name for each in registry.snapshot().keys.values()] == ["handed out"]


Step = Callable[[Registry], object]


def put(name: str, key: str, endpoint: str) -> Step:
    deployment = changed(name=name, api_key=Secret(key), endpoint=endpoint)
    return lambda registry: registry.put_deployment(deployment, author="ada")


def remove(name: str) -> Step:
    return lambda registry: registry.remove_deployment(name, author="ada")


def put_team(name: str, limit: int | None) -> Step:
    team = Team(name=name, limits=Limits(requests_per_minute=limit))
    return lambda registry: registry.put_team(team, author="ada")


def remove_team(name: str) -> Step:
    return lambda registry: registry.remove_team(name, author="ada")


def set_route(
    feature: Feature, team: str, served: list[str], *, weighted: bool, disabled: bool
) -> Step:
    route = Route(
        feature=feature,
        team=team,
        deployments=tuple(served),
        weights=tuple(range(len(served), 0, -1)) if weighted else (),
        disabled=disabled or not served,
    )
    return lambda registry: registry.set_route(route, author="ada")


def remove_route(feature: Feature, team: str) -> Step:
    return lambda registry: registry.remove_route(feature, team, author="ada")


def create_key(name: str, letter: str) -> Step:
    key = Secret(letter * 16)
    return lambda registry: registry.create_key(name, Role.ADMIN, author="ada", key=key)


def revoke_key(name: str) -> Step:
    return lambda registry: registry.revoke_key(name, author="ada")


def change_setting(days: int | None) -> Step:
    return lambda registry: registry.change_settings({"trace_days": days}, author="ada")


names = st.sampled_from(["a", "b", "c"])
teams = st.sampled_from(["t", "u@v"])
features = st.sampled_from([Feature.COMPLETION, Feature.CHAT, Feature.CHAT_FIX])
endpoints = st.sampled_from(["http://a", "http://b"])
steps = st.one_of(
    st.builds(put, names, st.sampled_from(["", "key", "other key"]), endpoints),
    names.map(remove),
    st.builds(put_team, teams, st.sampled_from([None, 1, 2])),
    teams.map(remove_team),
    st.builds(
        set_route,
        features,
        st.just("") | teams,
        st.lists(names, unique=True),
        weighted=st.booleans(),
        disabled=st.booleans(),
    ),
    st.builds(remove_route, features, st.just("") | teams),
    st.builds(create_key, names, st.sampled_from("xyz")),
    names.map(revoke_key),
    st.sampled_from([None, 1, 2]).map(change_setting),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.lists(steps, max_size=12), data=st.data())
def test_rollback_restores_every_state_exactly(
    registry: Registry, sequence: list[Step], data: st.DataObject
) -> None:
    registry.rollback(0, author="ada")
    for key in registry.snapshot().keys.values():
        registry.revoke_key(key.name, author="ada")
    states = {registry.revision(): _state(registry)}
    for step in sequence:
        before = registry.revision()
        try:
            step(registry)
        except (ConflictError, NotFoundError):
            assert registry.revision() == before
        assert registry.revision() in {before, before + 1}
        states.setdefault(registry.revision(), _state(registry))
        assert states[registry.revision()] == _state(registry)

    # Forth and back again, so that rollbacks are rolled back too.
    for number in data.draw(st.lists(st.sampled_from(sorted(states)), min_size=1, max_size=3)):
        keys = registry.snapshot().keys
        registry.rollback(number, author="ada")
        assert msgspec.structs.replace(_state(registry), keys=states[number].keys) == states[number]
        assert registry.snapshot().keys == keys


def _state(registry: Registry) -> Catalog:
    return msgspec.structs.replace(registry.snapshot(), revision=0)
