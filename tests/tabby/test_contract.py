"""Every case of every ``*.json`` beside this file; see `tests.gitlab.suite`."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.gitlab.suite import Stage, cases, load, play, run, stage

CASES = cases(Path(__file__).parent)


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """Yield a stage for all cases that leave it as it was."""
    async with stage(tmp_path_factory.mktemp("shared")) as plain:
        yield plain


@pytest.mark.parametrize("name", CASES)
async def test_contract(name: str, shared: Stage, tmp_path: Path) -> None:
    case = load(CASES[name], name)
    if case.plain:
        await play(case, shared)
    else:
        await run(case, tmp_path)
