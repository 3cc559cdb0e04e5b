"""Code completion from the repository itself, without a model: a token suffix array that votes.

The method and its measurements: `completer` predicts, `suffixes` finds contexts, `vote` weighs
them, `calibration` learns when to stay silent, `builder` makes the index in a process of its own.
"""

from inhouse.providers.repository.provider import Repository

__all__ = ["Repository"]
