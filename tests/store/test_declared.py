"""What files list: declared at start, or applied once."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.core.catalog import ApiKey, Declared, Deployment, Role, Route, digest
from inhouse.core.feature import Feature
from inhouse.core.secret import Secret
from inhouse.core.settings import Settings
from inhouse.errors import ConfigError, ConflictError, NotFoundError
from inhouse.store import Kind, Registry

QWEN = Deployment(name="qwen", family="qwen-coder", identifier="x/qwen", api_key=Secret("secret"))
LLAMA = Deployment(name="llama", family="llama3", identifier="x/llama")
CHAT = Route(feature=Feature.CHAT, deployments=("qwen",))
CI = ApiKey(name="ci", role=Role.ADMIN, digest=digest("a long enough key"))
ALL = Declared(deployments=(QWEN,), routes=(CHAT,), keys=(CI,), settings={"trace_days": 7})


def test_declared_entries_are_marked_and_need_one_revision(registry: Registry) -> None:
    registry.apply(ALL, author="inhouse.toml")

    catalog = registry.snapshot()
    assert catalog.revision == 1
    assert catalog.deployments == {"qwen": msgspec.structs.replace(QWEN, declared=True)}
    assert catalog.routes == {Feature.CHAT: msgspec.structs.replace(CHAT, declared=True)}
    assert catalog.keys[CI.digest].declared
    assert catalog.settings == Settings(trace_days=7)
    assert registry.show(1).summary == "create 4 entries"


def test_declaring_the_same_again_changes_nothing(registry: Registry) -> None:
    registry.apply(ALL, author="inhouse.toml")

    assert registry.plan(ALL) == ()
    assert registry.apply(ALL, author="inhouse.toml") == ()
    assert registry.revision() == 1


def test_what_is_declared_no_more_goes_and_the_rest_stays(registry: Registry) -> None:
    registry.apply(ALL, author="inhouse.toml")
    registry.put_deployment(LLAMA, author="ada")
    registry.change_settings({"chat_total_timeout": 10.0}, author="ada")

    registry.apply(Declared(), author="inhouse.toml")

    catalog = registry.snapshot()
    assert catalog.deployments == {"llama": LLAMA}
    assert catalog.routes == {}
    assert catalog.keys == {}
    assert catalog.settings == Settings(chat_total_timeout=10.0)


def test_declared_entries_are_read_only_elsewhere(registry: Registry) -> None:
    registry.apply(ALL, author="inhouse.toml")
    registry.put_deployment(LLAMA, author="ada")
    declared = "is declared in inhouse.toml; change it there"

    with pytest.raises(ConflictError, match=f"deployment 'qwen' {declared}"):
        registry.put_deployment(QWEN, author="ada")
    with pytest.raises(ConflictError, match=f"deployment 'qwen' {declared}"):
        registry.remove_deployment("qwen", author="ada")
    with pytest.raises(ConflictError, match=f"route 'chat' {declared}"):
        registry.set_route(Route(feature=Feature.CHAT, deployments=("llama",)), author="ada")
    with pytest.raises(ConflictError, match=f"route 'chat' {declared}"):
        registry.remove_route(Feature.CHAT, author="ada")
    with pytest.raises(ConflictError, match=f"key 'ci' {declared}"):
        registry.revoke_key("ci", author="ada")
    with pytest.raises(ConflictError, match=f"setting 'trace_days' {declared}"):
        registry.change_settings({"trace_days": None}, author="ada")
    assert registry.revision() == 2


def test_declaring_takes_over_what_was_entered_by_hand(registry: Registry) -> None:
    registry.put_deployment(msgspec.structs.replace(QWEN, endpoint="http://old"), author="ada")
    registry.set_route(CHAT, author="ada")

    registry.apply(Declared(deployments=(QWEN,)), author="inhouse.toml")

    assert registry.snapshot().deployments == {"qwen": msgspec.structs.replace(QWEN, declared=True)}
    assert registry.snapshot().routes == {Feature.CHAT: CHAT}


def test_declared_deployment_in_use_elsewhere_cannot_go(registry: Registry) -> None:
    registry.apply(Declared(deployments=(QWEN,)), author="inhouse.toml")
    registry.set_route(CHAT, author="ada")

    with pytest.raises(ConflictError, match="'qwen' still serves the route 'chat'"):
        registry.apply(Declared(), author="inhouse.toml")


def test_rollback_leaves_declared_entries_alone(registry: Registry) -> None:
    registry.put_deployment(QWEN, author="ada")
    registry.put_deployment(LLAMA, author="ada")
    declared = Declared(
        deployments=(msgspec.structs.replace(QWEN, endpoint="http://file"),),
        settings={"trace_days": 7},
    )
    registry.apply(declared, author="inhouse.toml")
    registry.remove_deployment("llama", author="ada")

    registry.rollback(2, author="ada")

    catalog = registry.snapshot()
    assert catalog.deployments["qwen"].endpoint == "http://file"
    assert catalog.deployments["llama"] == LLAMA
    assert catalog.settings.trace_days == 7
    assert registry.plan(declared) == ()


def test_rollback_to_a_route_without_its_declared_deployment(registry: Registry) -> None:
    registry.apply(Declared(deployments=(QWEN,)), author="inhouse.toml")
    registry.set_route(CHAT, author="ada")
    registry.remove_route(Feature.CHAT, author="ada")
    registry.apply(Declared(), author="inhouse.toml")

    with pytest.raises(ConflictError, match=r"Revision 2 cannot be restored: The route 'chat'"):
        registry.rollback(2, author="ada")


def test_file_applied_once_is_like_entered_by_hand(registry: Registry) -> None:
    registry.put_deployment(msgspec.structs.replace(QWEN, endpoint="http://old"), author="ada")
    registry.put_deployment(LLAMA, author="ada")

    changes = registry.apply(ALL, author="grace", as_declared=False)

    assert [change.title for change in changes] == [
        "update deployment 'qwen'",
        "create route 'chat'",
        "create key 'ci'",
        "create setting 'trace_days'",
    ]
    assert registry.snapshot().deployments == {"qwen": QWEN, "llama": LLAMA}
    assert registry.plan(ALL, as_declared=False) == ()


def test_pruning_removes_others_of_the_kinds_that_are_listed(registry: Registry) -> None:
    declared = msgspec.structs.replace(LLAMA, name="declared")
    registry.apply(Declared(deployments=(declared,)), author="inhouse.toml")
    registry.put_deployment(LLAMA, author="ada")
    registry.create_key("mine", Role.ADMIN, author="ada")
    listed = Declared(deployments=(QWEN,), routes=(CHAT,))

    planned = registry.plan(listed, as_declared=False, prune=True)
    changes = registry.apply(listed, author="ada", as_declared=False, prune=True)

    assert changes == planned
    assert [change.title for change in changes] == [
        "remove deployment 'llama'",
        "create deployment 'qwen'",
        "create route 'chat'",
    ]
    assert set(registry.snapshot().deployments) == {"declared", "qwen"}
    assert len(registry.snapshot().keys) == 1


def test_file_may_repeat_what_is_declared_but_not_change_it(registry: Registry) -> None:
    registry.apply(ALL, author="inhouse.toml")

    assert registry.apply(ALL, author="ada", as_declared=False) == ()
    with pytest.raises(ConflictError, match="'qwen' is declared"):
        registry.apply(
            Declared(deployments=(msgspec.structs.replace(QWEN, endpoint="http://new"),)),
            author="ada",
            as_declared=False,
        )


@pytest.mark.parametrize("as_declared", [True, False])
def test_plan_raises_what_apply_would(registry: Registry, *, as_declared: bool) -> None:
    wrong = (
        (Declared(routes=(CHAT,)), NotFoundError),
        (Declared(settings={"nonsense": 1}), NotFoundError),
        (Declared(deployments=(msgspec.structs.replace(QWEN, name="a/b"),)), ConfigError),
        (Declared(keys=(msgspec.structs.replace(CI, name=""),)), ConfigError),
        (Declared(keys=(CI, msgspec.structs.replace(CI, name="twin"))), ConflictError),
    )
    for declared, error in wrong:
        with pytest.raises(error):
            registry.plan(declared, as_declared=as_declared)
        with pytest.raises(error):
            registry.apply(declared, author="ada", as_declared=as_declared)
    assert registry.revision() == 0


deployments = st.lists(
    st.builds(
        Deployment,
        name=st.sampled_from(["a", "b", "c"]),
        family=st.just("codestral"),
        identifier=st.just("x/y"),
        api_key=st.sampled_from(["", "one", "two"]).map(Secret),
        options=st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
    ),
    unique_by=lambda each: each.name,
).map(tuple)
listings = st.builds(
    Declared,
    deployments=deployments,
    settings=st.dictionaries(
        st.sampled_from(["trace_days", "completion_max_tokens"]), st.integers(1, 9)
    ),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(listings, st.booleans(), st.booleans()), min_size=1, max_size=5))
def test_plan_is_what_apply_does_and_then_nothing_is_left(
    registry: Registry, files: list[tuple[Declared, bool, bool]]
) -> None:
    for declared, as_declared, prune in files:
        try:
            planned = registry.plan(declared, as_declared=as_declared, prune=prune)
        except ConflictError:
            assert not as_declared
            continue
        changes = registry.apply(declared, author="ada", as_declared=as_declared, prune=prune)

        assert changes == planned
        assert registry.plan(declared, as_declared=as_declared, prune=prune) == ()
        present = registry.snapshot()
        for deployment in declared.deployments:
            found = present.deployments[deployment.name]
            assert msgspec.structs.replace(found, declared=False) == deployment
            assert found.declared or not as_declared
        if as_declared:
            marked = {name for name, each in present.deployments.items() if each.declared}
            assert marked == {each.name for each in declared.deployments}
        assert all(change.kind in Kind for change in changes)
