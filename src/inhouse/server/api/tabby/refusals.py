"""Errors as Tabby's clients know them: by the status."""

from __future__ import annotations

from inhouse.server.dialect import Dialect
from inhouse.server.errors import Problem
from inhouse.wire.tabby import answers

_STATUSES = {"model_not_found": 501, "invalid_value": 400}
"""501 is what a server without a model answers, and 422 none of Tabby's."""


def refusal(found: Problem, trace_id: str) -> tuple[int, bytes]:
    """Return status and body of an error in this dialect."""
    return _STATUSES.get(found.code, found.status), answers.error(found.message, trace_id)


TABBY = Dialect(name="tabby", refusal=refusal)
