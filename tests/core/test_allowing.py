"""Patterns allow what they say, and not what merely looks like it."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.allowing import Allowed
from inhouse.core.endpoints import read_endpoint

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
STEPS = st.lists(st.sampled_from(["a", "b", "tenant-1", "v1", "x.y"]), max_size=3)


def allows(pattern: str, url: str) -> bool:
    return Allowed([pattern]).endpoint(read_endpoint(url))


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("http://gpu:8000/v1", "http://GPU:8000/v1/"),
        ("http://gpu:8000/v1", "http://gpu:8000"),
        ("http://gpu:8000/", "http://gpu:8000/v1/chat/completions"),
        ("http://gpu:8000", "http://gpu:8000/any/v1"),
        ("HTTPS://GPU.example", "https://gpu.example:443/v1"),
        ("https://*.models.internal/*", "https://a.models.internal/v1"),
        ("https://*.models.internal/*", "https://a.b.models.internal"),
        ("http://gpu-*.example:*/v1", "http://gpu-7.example:9999/v1"),
        ("http://gpu*:8000", "http://gpu7:8000/v1"),
        ("http://*:*", "http://anything.example:1234/v1"),
        ("http://gateway/tenant-*/v1", "http://gateway/tenant-7"),
        ("http://gateway/a/*", "http://gateway/a"),
        ("http://gateway/a/*", "http://gateway/a/b/v1"),
        ("http://10.0.0.*:8000", "http://10.0.0.7:8000/v1"),
        ("http://10.0.*.*:8000", "http://10.0.8.7:8000/v1"),
        ("http://[fd12::0007]:8000", "http://[FD12::7]:8000/v1"),
        ("http://bücher.example", "http://xn--bcher-kva.example/v1"),
        ("https://api.example/openai/deployments/*/v1", "https://api.example/openai/deployments/d"),
    ],
)
def test_what_a_pattern_means_is_allowed(pattern: str, url: str) -> None:
    assert allows(pattern, url)


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("http://gpu:8000/v1", "https://gpu:8000/v1"),
        ("http://gpu:8000/v1", "http://gpu/v1"),
        ("http://gpu/v1", "http://gpu:8000/v1"),
        ("http://gpu/v1", "http://gpu/other/v1"),
        ("https://good.example", "https://good.example.evil.com"),
        ("https://good.example", "https://evil-good.example"),
        ("https://good.example", "https://sub.good.example"),
        ("https://*.good.example", "https://good.example"),
        ("https://*.good.example", "https://xgood.example"),
        ("https://*.good.example", "https://a.good.example.evil.com"),
        ("https://gpu-*.example", "https://gpu-1.evil.example"),
        ("http://gpu*:8000", "http://gpu.evil.com:8000"),
        ("http://10.0.0.*", "http://10.0.0.evil"),
        ("http://10.0.0.*", "http://10.0.1.1"),
        ("http://*", "http://anything:8000"),
        ("http://gateway/a/*", "http://gateway/ab"),
        ("http://gateway/a/*", "http://gateway"),
        ("http://gateway/models/*", "http://gateway/models"),
        ("http://gateway/v1/*", "http://gateway/tenant/v1"),
        ("http://gateway/a/v1", "http://gateway/A/v1"),
        ("bedrock/*", "http://bedrock/x"),
    ],
)
def test_what_only_looks_like_it_is_not(pattern: str, url: str) -> None:
    assert not allows(pattern, url)


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "",
        "gpu",
        "*/model",
        "ftp://gpu/*",
        "https://good.example*",
        "https://good.exam*/x",
        "https://good.*/x",
        "https://a.*.example",
        "https://user@good.example/*",
        "https://good.example/*?x=1",
        "https://good..*.example",
        "https://*.bücher.example",
        "https://good.example:99999999",
        "https://good.example:99999",
        "https://good.example:0/v1",
        "https://good.example/team/../*",
    ],
)
def test_a_pattern_that_is_none_or_careless_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"is neither|is no URL|: ") as caught:
        Allowed([pattern])
    assert f"'{pattern}'" in str(caught.value)


def test_identifiers_are_matched_with_their_provider() -> None:
    allowed = Allowed(["bedrock/anthropic.*", "openai/gpt-4o", "anthropic/*-haiku-*"])
    yes = ["bedrock/anthropic.x", "bedrock/anthropic.a/b", "openai/gpt-4o", "anthropic/a-haiku-1"]
    no = ["bedrock/meta.x", "openai/gpt-4o-mini", "xbedrock/anthropic.x", "anthropic/a-haiku"]
    assert all(map(allowed.identifier, yes))
    assert not any(map(allowed.identifier, no))


def test_nothing_is_allowed_where_nothing_is_listed() -> None:
    assert not Allowed([]).endpoint(read_endpoint("http://gpu/v1"))
    assert not Allowed(["http://*:*"]).identifier("openai/gpt-4o")


@given(NAME, NAME, STEPS)
def test_a_whole_domain_is_its_subdomains_and_nothing_else(
    owned: str, other: str, steps: list[str]
) -> None:
    path = "/".join(["", *steps])
    assert allows(f"https://*.{owned}", f"https://{other}.{owned}{path}")
    found = allows(f"https://*.{owned}", f"https://{owned}.{other}{path}")
    assert found == f"{owned}.{other}".endswith(f".{owned}")


@given(NAME, STEPS, STEPS)
def test_a_folder_is_what_is_below_it(host: str, folder: list[str], steps: list[str]) -> None:
    pattern = "/".join([f"http://{host}", *folder, "*"])
    found = allows(pattern, "/".join([f"http://{host}", *steps]))
    assert found == (steps[: len(folder)] == folder)


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=8))
def test_a_star_is_anything(pattern: str, text: str) -> None:
    pattern = pattern or "*"
    expected = fnmatchcase(text, pattern)
    assert Allowed([f"p/{pattern}"]).identifier(f"p/{text}") == expected
