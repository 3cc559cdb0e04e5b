"""Choices that are left before their end are ended, each once."""

from collections.abc import AsyncGenerator

import pytest

from inhouse.core.delta import Delta, Usage
from inhouse.errors import InhouseError, SupersededError, UpstreamError, UpstreamFailure
from inhouse.features.lines import WholeLines
from inhouse.features.shaping import shaped


async def left(error: InhouseError) -> AsyncGenerator[Delta]:
    """Two choices, of which one has ended; a third is never heard of."""
    yield Delta(text="a\n")
    yield Delta(finish_reason="stop")
    yield Delta(text="b\nc", index=1)
    raise error


async def ends(error: InhouseError, found: list[tuple[int, str]]) -> None:
    deltas = shaped(
        left(error),
        lambda: WholeLines(first=False),
        3,
        lambda _: Usage(),
        ends_at_deadline=True,
    )
    async for delta in deltas:
        if (reason := delta.finish_reason) is not None:
            found += [(delta.index, reason)]


async def test_who_is_superseded_ends_what_had_begun() -> None:
    found: list[tuple[int, str]] = []
    with pytest.raises(SupersededError):
        await ends(SupersededError("Another one came."), found)
    assert found == [(0, "stop"), (1, "stop")]


async def test_a_deadline_ends_what_had_begun() -> None:
    found: list[tuple[int, str]] = []
    await ends(UpstreamError(UpstreamFailure.DEADLINE, "Its time is up."), found)
    assert found == [(0, "stop"), (1, "length")]
