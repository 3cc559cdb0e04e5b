"""The answer of ``/v1/models/definitions``."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from inhouse.wire.gitlab.features import FEATURES, UNIT_PRIMITIVES


class Definition(Struct, frozen=True, kw_only=True):
    """A model that GitLab may show: `name` is ``Label - Provider``."""

    name: str
    identifier: str
    provider: str
    description: str
    deprecation: None = None
    cost_indicator: None = None


class UnitPrimitive(Struct, frozen=True, kw_only=True):
    """Which models GitLab may choose for one of its feature settings; one is always there."""

    feature_setting: str
    default_model: str
    default_models: tuple[str, ...]
    selectable_models: tuple[str, ...]
    unit_primitives: tuple[str, ...]
    beta_models: tuple[str, ...] = ()
    deprecated_models: tuple[str, ...] = ()
    models_for_tags: dict[str, str] = {}
    models_for_size_preference: dict[str, str] = {}
    dev: None = None


def answer(models: Iterable[Definition]) -> bytes:
    """Return the answer as JSON.

    Each setting's model is our feature, by its name: what serves that is decided by routes.
    """
    settings = [
        UnitPrimitive(
            feature_setting=setting,
            default_model=feature.value,
            default_models=(feature.value,),
            selectable_models=(feature.value,),
            unit_primitives=UNIT_PRIMITIVES[setting],
        )
        for setting, feature in FEATURES.items()
    ]
    return msgspec.json.encode({"models": list(models), "unit_primitives": settings})
