"""How long a request may take, phase by phase."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=3600)]


class Deadlines(Struct, frozen=True, kw_only=True):
    """Seconds that each phase may take.

    `connect` holds DNS, proxy and TLS. `first_token` runs from asking a deployment, its queue
    included, to the first delta; `between_tokens` from one delta to the next. `total` runs from the
    request's arrival to its end, whatever is tried on the way.
    """

    connect: float = 5.0
    first_token: float = 60.0
    between_tokens: float = 30.0
    total: float = 600.0


class DeadlineOverrides(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """The deadlines that a deployment or a request sets otherwise, in seconds; None leaves one."""

    connect: Seconds | None = None
    first_token: Seconds | None = None
    between_tokens: Seconds | None = None
    total: Seconds | None = None

    def over(self, deadlines: Deadlines) -> Deadlines:
        """Return `deadlines` with the overrides."""
        if self == _NOTHING:
            return deadlines
        given = {
            name: value for name, value in msgspec.structs.asdict(self).items() if value is not None
        }
        return msgspec.structs.replace(deadlines, **given)


_NOTHING = DeadlineOverrides()
