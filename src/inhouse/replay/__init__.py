"""Play recorded or generated typing against a running gateway, as an editor would."""

from inhouse.replay.asking import DIALECTS, Dialect
from inhouse.replay.buffer import Buffer, State
from inhouse.replay.figures import Figures, Percentiles, Wrong
from inhouse.replay.metered import Meter, Metered
from inhouse.replay.playing import Pace, Player
from inhouse.replay.session import Session, SessionError, read

__all__ = [
    "DIALECTS",
    "Buffer",
    "Dialect",
    "Figures",
    "Meter",
    "Metered",
    "Pace",
    "Percentiles",
    "Player",
    "Session",
    "SessionError",
    "State",
    "Wrong",
    "read",
]
