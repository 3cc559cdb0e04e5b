"""What upstreams have taught, in sentences that are the same for every dialect."""

from __future__ import annotations


def left_out(name: str) -> str:
    """Tell that a field is no longer sent, since the upstream does not take it."""
    return f"It does not take {name}: inhouse leaves it out."


def ended_here(name: str) -> str:
    """Tell that stop sequences, which the upstream calls `name`, are watched here."""
    return f"It does not take {name}: inhouse ends the answer there by itself."
