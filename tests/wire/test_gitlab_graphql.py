"""GraphQL as editors write it: what is asked for, and the answer in its shape."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.errors import InvalidValueError
from inhouse.wire.gitlab.graphql import DEEPEST, LONGEST, Field, answered, selected


def told(query: str) -> dict[str, Any]:
    """Return the answer to a query in which each field holds its own name and arguments."""
    return answered(selected(query), lambda each: [each.name, each.arguments])


A: dict[str, Any] = {"a": ["a", {}]}

WRITTEN: dict[str, dict[str, Any]] = {
    "{ a }": A,
    "query { a }": A,
    "query q($x: [Int!]! = [1], $y: In = {a: {b: 1}}) @live { a }": A,
    "{ k: a }": {"k": ["a", {}]},
    "{ a, b }": {**A, "b": ["b", {}]},
    "{ _a __typename }": {"_a": ["_a", {}], "__typename": ["__typename", {}]},
    # Comments, and texts with signs of the language in them.
    "# all } of it\n{ a # }\n }": A,
    '{ a(t: "} \\" {") }': {"a": ["a", {"t": '} \\" {'}]},
    '{ a(t: """one " {\ntwo""") }': {"a": ["a", {"t": 'one " {\ntwo'}]},
    '{ a(t: "") }': {"a": ["a", {"t": ""}]},
    # Arguments: words and texts; what has more in it is left out.
    '{ a(n: -1.5, v: $v, e: ON, t: "x") }': {
        "a": ["a", {"n": "-1.5", "v": "$v", "e": "ON", "t": "x"}]
    },
    "{ a(o: {p: {q: 1}}, l: [1, [2]], n: 1) }": {"a": ["a", {"n": "1"}]},
    # Directives are passed over, fragments in place are not.
    "{ a @include(if: $x) @skip(if: {a: [1]}) b @c { d } }": {**A, "b": {"d": ["d", {}]}},
    "{ ... on User { a } b }": {**A, "b": ["b", {}]},
    "{ ... { a } }": A,
    "{ ... @include(if: true) { a } }": A,
    "{ ... on User @include(if: true) { a } }": A,
    "{ a ...Named ...Other @include(if: true) }": A,
    "{ a } fragment Named on User { b }": A,
    # Lists are empty, whatever they are called in the answer.
    "{ nodes { a } edges { node { a } } e: errors }": {"nodes": [], "edges": [], "e": []},
    "{ u: user { p(id: 1) { a } } }": {"u": {"p": A}},
    "{ a { } }": A,
    "{}": {},
}


@pytest.mark.parametrize("query", WRITTEN)
def test_what_is_asked_is_answered(query: str) -> None:
    assert told(query) == WRITTEN[query]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "there is '' where '{' was"),
        ("query q($a", "where 'more' was expected"),
        ("{ a(b: [1", "where 'more' was expected"),
        ("{ a(b 1) }", "where ':' was expected"),
        ("{ 1 }", "'1' where a name"),
        ("{ $a }", "where a name was expected"),
        ("{ a: @b }", "where a name was expected"),
        ('{ "a" }', "where a name was expected"),
        ("{ a(-1: 2) }", "where a name was expected"),
        ('{ a(b: "\n") }', "no meaning from character 7 on"),
        ("{ a; }", "no meaning from character 3 on"),
    ],
)
def test_what_cannot_be_read_is_told(query: str, why: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        selected(query)
    assert why in str(caught.value)


@pytest.mark.parametrize("opening", ["{ a ", "{ ... "])
def test_how_deep_a_query_may_be(opening: str) -> None:
    assert selected(opening * (DEEPEST - 1) + "{ a " + "}" * DEEPEST)
    with pytest.raises(InvalidValueError, match=f"more than {DEEPEST} deep"):
        selected(opening * DEEPEST + "{ a " + "}" * (DEEPEST + 1))


def test_how_long_a_query_may_be() -> None:
    query = "{ a }".ljust(LONGEST)
    assert selected(query) == (Field("a", "a", {}, ()),)
    with pytest.raises(InvalidValueError, match=f"longer than {LONGEST}"):
        selected(query + " ")


PARTS = ("{", "}", "(", ")", "[", "]", ":", "...", "on", "a", "@b", "$c", '"', "1", "#", "\n", "!")


@given(st.lists(st.sampled_from(PARTS), max_size=30).map(" ".join) | st.text(max_size=40))
def test_any_query_is_answered_or_refused(query: str) -> None:
    with contextlib.suppress(InvalidValueError):
        fields = selected(query)
        assert answered(fields, lambda each: each.name).keys() == {each.key for each in fields}
