"""In which order the deployments of a target are asked."""

from __future__ import annotations

import hashlib
import math

from inhouse.core.catalog import Deployment
from inhouse.routing.standing import Standing, Standings
from inhouse.routing.target import Target

SLACK = 2.0
"""Requests by which a file's own replica, of average weight, may be busier than the others."""


def ordered(target: Target, standings: Standings, affinity: str) -> tuple[Deployment, ...]:
    """Return the deployments, the one to be asked first in front.

    A list keeps its order. In a group the same `affinity` goes to the same member, so that its
    prefix cache stays warm, unless that one is clearly busier than the others, or full where others
    are not; members follow by how busy they are, then those of weight 0. A group's member that
    rests comes behind the others.
    """
    if not target.weights:
        return target.deployments
    pairs = list(zip(target.deployments, target.weights, strict=True))
    average = sum(target.weights) / sum(map(bool, target.weights))
    # Shares of 50 and 50 mean the same as 1 and 1, also for the slack.
    group = [(deployment, weight / average) for deployment, weight in pairs if weight]
    backups = [deployment for deployment, weight in pairs if not weight]
    loads = {each.name: standings[each].load / weight for each, weight in group}
    admitted = {each.name: standings[each].circuit.admits() for each, _ in group}
    tastes = {each.name: _taste(affinity, each.name, weight) for each, weight in group}
    full = {each.name: _is_full(standings[each], each) for each, _ in group}
    least = min((loads[each.name] for each, _ in group if admitted[each.name]), default=0.0)
    own = max(group, key=lambda pair: (admitted[pair[0].name], tastes[pair[0].name]))[0].name
    free = not full[own] or all(full[name] for name in full if admitted[name])
    keeps = bool(affinity) and free and loads[own] <= least + SLACK

    def rank(pair: tuple[Deployment, float]) -> tuple[bool, bool, bool, float, float]:
        name = pair[0].name
        first = keeps and name == own
        # Between equally busy ones the taste decides, and spreads requests by weight.
        return (not admitted[name], not first, full[name], loads[name], -tastes[name])

    return (*(deployment for deployment, _ in sorted(group, key=rank)), *backups)


def _is_full(standing: Standing, deployment: Deployment) -> bool:
    """Tell whether a request would have to wait there."""
    limit = deployment.max_concurrent
    return limit is not None and standing.load >= limit


def _taste(affinity: str, name: str, weight: float) -> float:
    """Return how much a file likes a deployment: the highest taste wins.

    Weighted rendezvous hashing (C. Schindelhauer, G. Schomaker, 2005): a member that comes or goes
    moves only the files that it wins or had won.
    """
    digest = hashlib.blake2b(f"{affinity}\0{name}".encode(), digest_size=8).digest()
    share = (int.from_bytes(digest) + 1) / (2**64 + 1)
    return -weight / math.log(share)
