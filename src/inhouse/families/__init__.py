"""Facts about model families, as data: one TOML file each, no code."""

from inhouse.families.catalogue import Families
from inhouse.families.family import (
    BlueOak,
    CompletionMode,
    Family,
    GenerationMode,
    Hardware,
    Licence,
    Model,
    Order,
    Ratings,
    Repository,
    Sampling,
    Samplings,
    Sentinels,
    Support,
    SystemRole,
)
from inhouse.families.reader import load, read

__all__ = [
    "BlueOak",
    "CompletionMode",
    "Families",
    "Family",
    "GenerationMode",
    "Hardware",
    "Licence",
    "Model",
    "Order",
    "Ratings",
    "Repository",
    "Sampling",
    "Samplings",
    "Sentinels",
    "Support",
    "SystemRole",
    "load",
    "read",
]
