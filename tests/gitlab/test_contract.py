"""Every case of every ``*.json`` beside this file; see `tests.gitlab.suite`."""

from pathlib import Path

import pytest

from tests.gitlab.suite import cases, load, run

CASES = cases()


@pytest.mark.parametrize("name", CASES)
async def test_contract(name: str, tmp_path: Path) -> None:
    await run(load(CASES[name], name), tmp_path)
