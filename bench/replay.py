"""Replay the typing sessions, with memory and superseding and without.

    python bench/replay.py [--dialects openai gitlab] [--debounce 0 75 250] [--unknown 0.15]

The upstream is `typing/oracle.py`, which writes what the files say in the end, but for some words.
An editor waits for each answer, so that nothing is hung up and every figure but the milliseconds
is the same in each run. Each answer is compared with what the oracle says at that place.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import msgspec

from inhouse.client import Client
from inhouse.core.secret import Secret
from inhouse.replay import DIALECTS, Dialect, Figures, Pace, Player, Session, read
from inhouse.replay.figures import Tally
from inhouse.replay.session import EDITS
from processes import SERVER_CORE, TOOL_CORE, free_port, running, wait_for_port
from typing_oracle import author

TYPING = Path(__file__).resolve().parent / "typing"
SESSIONS = tuple(sorted(TYPING.glob("*.jsonl")))
DEBOUNCES = (0, 75, 250)
KEY = "ihk_{}_0123456789abcdef"
