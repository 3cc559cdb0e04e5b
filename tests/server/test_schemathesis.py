"""Whatever fits our own description, or nearly fits it, is answered as described."""

from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi import checks

from tests.server.serving import ADMIN, configuration, serving

GENERATE = (Phase.explicit, Phase.generate)
EXAMPLES = 15
UNFIT: Any = checks.__dict__["positive_data_acceptance"]  # its own types are incomplete


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
async def test_the_admin_api_is_as_described(
    tmp_path: Path, mode: schemathesis.GenerationMode
) -> None:
    async with serving(configuration(tmp_path)) as served:
        await anyio.to_thread.run_sync(fuzz, served.url, mode)


def fuzz(url: str, mode: schemathesis.GenerationMode) -> None:
    described: Any = schemathesis.openapi.from_url(f"{url}/api/openapi.json")
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=GENERATE,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def answered_as_described(case: Any) -> None:
            case.call_and_validate(
                headers={"Authorization": f"Bearer {ADMIN}"},
                # Names must exist, which no schema says: 422 is a right answer to fitting data.
                excluded_checks=[UNFIT],
            )

        answered_as_described()
