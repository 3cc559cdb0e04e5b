"""The refusals of a gateway as the doctor reads them."""

import pytest

from inhouse.cli.gitlab.asking import Answer

SAID = {
    b'{"error": "No header"}': "status 401: No header",
    b'{"detail": "Not Found"}': "status 401: Not Found",
    b'{"detail": [{"msg": "one", "type": "x"}, {"msg": "two"}]}': "status 401: one",
    b'{"reasons": {"routes": "none", "keys": "lost"}}': "status 401: routes: none; keys: lost",
    b'{"error": {"message": "ours", "type": "x"}}': "status 401: ours",
    b'{"detail": []}': "status 401: no reason is given",
    b"{}": "status 401: no reason is given",
    b"[]": "status 401: no reason is given",
    b'{"error": "\xff"}': "status 401: no reason is given",
    b"": "status 401: no reason is given",
}


@pytest.mark.parametrize("body", SAID)
def test_each_form_of_a_refusal_is_read(body: bytes) -> None:
    assert Answer(401, body, 0.0).said == SAID[body]


@pytest.mark.parametrize(
    ("body", "unserved"),
    [
        (b'{"detail": [{"msg": "x", "type": "model_not_found"}]}', True),
        (b'{"detail": [{"msg": "x", "type": "server"}]}', False),
        (b'{"detail": "404: Not Found - no route serves it"}', True),
        (b'{"detail": "401: Unauthorized - 404: x"}', False),
        (b"", False),
    ],
)
def test_what_no_route_serves_is_told_apart(body: bytes, unserved: bool) -> None:
    assert Answer(421, body, 0.0).unserved is unserved


@pytest.mark.parametrize(
    ("body", "value"), [(b'{"a": 1}', {"a": 1}), (b"<", None), (b'{"a": "\xff"}', None)]
)
def test_a_body_that_is_no_json_is_none(body: bytes, value: object) -> None:
    assert Answer(200, body, 0.0).json() == value
