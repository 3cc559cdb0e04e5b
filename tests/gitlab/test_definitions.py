"""``/v1/models/definitions`` holds together: what it names is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inhouse.wire.gitlab.features import FEATURES, UNIT_PRIMITIVES
from tests.server.serving import configuration, route, scripted, serving


@pytest.mark.parametrize("text", ["", scripted("toy") + route("chat", "toy")])
async def test_every_model_that_a_setting_names_is_listed_once(tmp_path: Path, text: str) -> None:
    async with serving(configuration(tmp_path, text)) as served:
        reply = await served.ask("GET", "/v1/models/definitions", key=None)
        assert not await served.traces()
    listed = [each["identifier"] for each in reply.json["models"]]
    assert len(listed) == len(set(listed))
    settings = {each["feature_setting"]: each for each in reply.json["unit_primitives"]}
    assert settings.keys() == FEATURES.keys()
    for each in settings.values():
        assert {each["default_model"], *each["selectable_models"]} <= set(listed)
    assert ("toy" in listed) is bool(text)


def test_every_setting_has_its_scopes() -> None:
    assert UNIT_PRIMITIVES.keys() == FEATURES.keys()
