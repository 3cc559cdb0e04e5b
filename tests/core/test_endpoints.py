"""URLs of strangers are brought to one form, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.endpoints import read_endpoint


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("http://gpu:8000/v1", "http://gpu:8000/v1"),
        ("  HTTP://GPU.Example:80/v1/ ", "http://gpu.example/v1"),
        ("https://gpu.example.:443//a//v1//", "https://gpu.example/a/v1"),
        ("http://gpu/v1/chat/completions", "http://gpu/v1"),
        ("http://gpu/models", "http://gpu"),
        ("http://bücher.example/v1", "http://xn--bcher-kva.example/v1"),
        ("http://\uff47pu\u3002example/v1", "http://gpu.example/v1"),
        ("http://[FD12::0007]:8000/v1", "http://[fd12::7]:8000/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
            "https://r.openai.azure.com/openai/deployments/d?api-version=1",
        ),
    ],
)
def test_a_url_is_brought_to_one_form(written: str, url: str) -> None:
    assert read_endpoint(written).url == url


def test_a_query_is_not_shown() -> None:
    assert read_endpoint("http://gpu/v1?key=hush").shown == "http://gpu/v1"


@pytest.mark.parametrize("path", ["", "/v1", "/v1/", "/v1/v1", "/v2", "/v1/completions"])
def test_a_version_is_not_told_apart_from_none(path: str) -> None:
    assert read_endpoint(f"http://gpu{path}").root == read_endpoint("http://gpu").root


@pytest.mark.parametrize(
    "written",
    [
        "",
        "gpu:8000/v1",
        "ftp://gpu/v1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://good.example@evil.example/v1",
        "http://good.example\\@evil.example/v1",
        "http://good.example\\.evil.example/v1",
        "http://good.example#@evil.example/",
        "http://good.example/v1#x",
        "http://good.example/../admin",
        "http://good.example/team/..;/admin",
        "http://good.example/team/.;x=1/admin",
        "http://good.example/./v1",
        "http://good.example/%2e%2e/admin",
        "http://good.example%2eevil.example/v1",
        "http://go\tod.example/v1",
        "http://good.example/v 1",
        "http://good.example/v1?x=ä",
        "http://good.example/ä",
        "http://good.example:0/v1",
        "http://good.example:65536/v1",
        "http://good.example:80:90/v1",
        "http://good.example:\uff18\uff10/v1",
        "http://good..example/v1",
        "http://-good.example/v1",
        "http://2130706433/v1",
        "http://0x7f000001/v1",
        "http://0x7f.1/v1",
        "http://127.1/v1",
        "http://127.0.0.01/v1",
        "http://[::1%25eth0]/v1",
        "http://[::g]/v1",
        "http://[::1/v1",
        "http://" + "a" * 64 + "/v1",
    ],
)
def test_what_two_programs_might_read_differently_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"^(it|its|what|there) "):
        read_endpoint(written)


def test_credentials_are_called_what_they_are() -> None:
    with pytest.raises(ValueError, match="credentials belong into the field of the key") as caught:
        read_endpoint("http://user:hush@gpu:8000/v1")
    assert "hush" not in str(caught.value)


@given(st.text(alphabet="aA.:/@\\%?#*v1-[]0x_ \tä。", max_size=30))
def test_the_form_is_final_and_shows_no_credentials(text: str) -> None:
    try:
        found = read_endpoint(f"http://{text}")
    except ValueError:
        return
    assert read_endpoint(found.url) == found
    assert "@" not in found.url
    assert found.host.isascii()
