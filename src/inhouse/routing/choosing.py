"""In which order the deployments of a target are asked."""

from __future__ import annotations

import hashlib
import math

from inhouse.core.catalog import Deployment
from inhouse.routing.standing import Standings
from inhouse.routing.target import Target

SLACK = 2.0
"""Requests, each weight, by which the file's own replica may be busier than the least busy one."""


def ordered(target: Target, standings: Standings, affinity: str) -> tuple[Deployment, ...]:
    """Return the deployments, the one to be asked first in front.

    A list keeps its order. In a group the same `affinity` goes to the same member, so that its
    prefix cache stays warm, unless that one is clearly busier than the others; members follow by
    how busy they are, then those of weight 0. A group's member that rests comes behind the others.
    """
    if not target.weights:
        return target.deployments
    pairs = list(zip(target.deployments, target.weights, strict=True))
    group = [(deployment, weight) for deployment, weight in pairs if weight]
    backups = [deployment for deployment, weight in pairs if not weight]
    loads = {each.name: standings[each].load / weight for each, weight in group}
    admitted = {each.name: standings[each].circuit.admits() for each, _ in group}
    tastes = {each.name: _taste(affinity, each.name, weight) for each, weight in group}
    least = min((loads[each.name] for each, _ in group if admitted[each.name]), default=0.0)
    own = max(group, key=lambda pair: (admitted[pair[0].name], tastes[pair[0].name]))[0].name
    keeps = bool(affinity) and loads[own] <= least + SLACK

    def rank(pair: tuple[Deployment, int]) -> tuple[bool, bool, float, float]:
        name = pair[0].name
        # Between equally busy ones the taste decides, and spreads requests by weight.
        return (not admitted[name], not (keeps and name == own), loads[name], -tastes[name])

    return (*(deployment for deployment, _ in sorted(group, key=rank)), *backups)


def _taste(affinity: str, name: str, weight: int) -> float:
    """Return how much a file likes a deployment: the highest taste wins.

    Weighted rendezvous hashing (C. Schindelhauer, G. Schomaker, 2005): a member that comes or goes
    moves only the files that it wins or had won.
    """
    digest = hashlib.blake2b(f"{affinity}\0{name}".encode(), digest_size=8).digest()
    share = (int.from_bytes(digest) + 1) / (2**64 + 1)
    return -weight / math.log(share)
