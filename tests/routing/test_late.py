"""Whose deadlines hold: the request's, before the deployment's, before the feature's."""

import pytest

from inhouse.core.catalog import Deployment, Role
from inhouse.core.deadlines import DeadlineOverrides, Deadlines
from inhouse.core.feature import Feature
from inhouse.core.requests import Caller
from inhouse.core.settings import Settings
from inhouse.routing.late import GRACE, Late
from inhouse.routing.target import Target
from inhouse.routing.watch import Watch

SETTINGS = Settings(
    completion_connect_timeout=1,
    completion_first_token_timeout=2,
    completion_between_tokens_timeout=3,
    completion_total_timeout=40,
)
PHASES = ("connect", "first_token", "between_tokens", "total")


def left(deployment: DeadlineOverrides, request: DeadlineOverrides) -> Deadlines:
    asked = Deployment(name="x", family="general", identifier="scripted/x", deadlines=deployment)
    target = Target(
        model="completion",
        feature=Feature.COMPLETION,
        deployments=(asked,),
        caller=Caller("ada", Role.DEVELOPER),
        deadlines=request,
    )
    return Late(target, asked, SETTINGS, Watch()).left()


@pytest.mark.parametrize("phase", PHASES)
async def test_each_level_goes_before_the_next(phase: str) -> None:
    grace = 0 if phase == "connect" else GRACE

    def told(deployment: float | None, request: float | None) -> float:
        found = left(
            DeadlineOverrides(**{phase: deployment}), DeadlineOverrides(**{phase: request})
        )
        return getattr(found, phase) - grace

    usual = {"connect": 1, "first_token": 2, "between_tokens": 3, "total": 40}[phase]
    assert told(None, None) == pytest.approx(usual, abs=0.1)
    assert told(0.7, None) == pytest.approx(0.7, abs=0.1)
    assert told(0.7, 0.4) == pytest.approx(0.4, abs=0.1)
    assert told(None, 30) == pytest.approx(30, abs=0.1)
