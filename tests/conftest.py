"""What every test gets."""

import pytest
from hypothesis import settings

from tests.engines.left_out import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]  # a hook, see there

# Deadlines time single examples, which other work on the machine can slow down.
settings.register_profile("inhouse", deadline=None, max_examples=100)
settings.load_profile("inhouse")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The product runs on asyncio alone."""
    return "asyncio"
