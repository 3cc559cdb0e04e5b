"""How a door speaks: the shape of its errors, and what its clients expect besides."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from inhouse.server.errors import Headers, Problem

Refusal = Callable[[Problem, str], tuple[int, bytes]]
"""Returns status and body for a problem and the id of its trace."""


class Dialect(Struct, frozen=True, kw_only=True):
    """What all endpoints of one dialect have in common.

    `late` makes of a refusal's body what ends a stream that has begun; where it is None, such a
    stream is cut, since its clients know no other sign. `headers` go with each answer. `timed`
    answers tell in ``X-Process-Time`` the seconds until they began. `shared` ones may be asked
    by pages of any origin.
    """

    name: str
    refusal: Refusal
    late: Callable[[bytes], bytes] | None = None
    timed: bool = False
    shared: bool = False
    headers: Headers = ()
