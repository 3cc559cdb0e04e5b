"""Who may ask in GitLab's name: its tokens, their keys, and tokens of our own."""

from inhouse.identity.callers import Callers
from inhouse.identity.claims import Claims
from inhouse.identity.clock import Clock
from inhouse.identity.discovery import WELL_KNOWN, Discovery
from inhouse.identity.identity import Identity
from inhouse.identity.instance import Instance
from inhouse.identity.keys import read_public
from inhouse.identity.signing import ISSUER, Issued
from inhouse.identity.tokens import LEEWAY, Verified

__all__ = [
    "ISSUER",
    "LEEWAY",
    "WELL_KNOWN",
    "Callers",
    "Claims",
    "Clock",
    "Discovery",
    "Identity",
    "Instance",
    "Issued",
    "Verified",
    "read_public",
]
