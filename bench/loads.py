"""What is asked: the loads, their bodies, and the three phases in which callers hang up."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

KEY = "ihk_" + "bench-key-that-guards-nothing".ljust(43, "0")
"""Declared by the bench for its own gateway, which serves a fake upstream on loopback."""

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
GITLAB = "/v2/code/completions"

CODE = "def add(a, b):\n    return a + b\n"
SMALL = 70
"""Repetitions of `CODE` for a body of about 2.3 kB: what an editor sends around the cursor."""
NUMBER = "########"
"""loadgen puts another number there for each request."""
LARGE = 1480
"""Likewise for 50 kB: a chat with some files in it."""


class Load(NamedTuple):
    """One kind of load; `model` steers the fake upstream by its name.

    `connections` are always busy, as far as the server lets them. `seconds` is how long it takes.
    `whole` tells the gateway that this upstream notices hang-ups without streaming, as vLLM does
    and the fake one too: answers that nobody streams are then asked for in one piece.
    `beside` names the load that asks for the same at another door. Requests of GitLab and Tabby
    name no model: there the route of completions leads to `model`. `headline` loads stand in the
    table that everybody sees. `segments` asks as Tabby's editors do. Completions differ from each
    other, except where they are `known`: those an earlier answer implies.
    """

    name: str
    title: str
    path: str
    model: str
    connections: int
    stream: bool = False
    whole: bool = False
    repetitions_of_code: int = SMALL
    family: str = "general"
    seconds: float = 3.0
    beside: str = ""
    headline: bool = False
    segments: bool = False
    known: bool = False

    @property
    def ours(self) -> bool:
        """Whether only a gateway of ours has this door, or this memory."""
        return self.path == GITLAB or self.segments or self.known

    @property
    def unframed(self) -> bool:
        """Whether its streams end without saying so."""
        return self.path == GITLAB

    def body(self, before: str = "") -> bytes:
        """Return the request that every connection sends; `before` stands before the model."""
        code = CODE * self.repetitions_of_code
        number = "0" if self.known else NUMBER
        above, below = f"# {number}\n{code}def subtract(a, b):\n    ", "\n\n\n" + CODE
        if self.path == GITLAB:
            file = {"content_above_cursor": above, "content_below_cursor": below}
            # Another file each time: a later completion of the same would end the earlier one.
            named = {"current_file": {"file_name": f"sums{number}.py", **file}}
            return json.dumps(named | {"stream": self.stream}).encode()
        if self.segments:
            segments = {"prefix": above, "suffix": below}
            return json.dumps({"language": "python", "segments": segments}).encode()
        asked: dict[str, Any] = {"model": before + self.model}
        if self.path == CHAT:
            asked["messages"] = [{"role": "user", "content": code}]
        else:
            asked |= {"prompt": above, "suffix": below}
        return json.dumps(
            asked | {"max_tokens": 64, "temperature": 0.2, "stream": self.stream}
        ).encode()


# Where a title says nothing else, an answer has 64 tokens, which come as fast as they can.
LOADS = (
    Load(
        "chat c1",
        "chat, 1 connection",
        CHAT,
        "general-t64",
        1,
        whole=True,
        seconds=2,
        headline=True,
    ),
    Load("chat c32", "chat, 32 connections", CHAT, "general-t64", 32, whole=True, headline=True),
    Load(
        "chat short c32",
        "chat, one token, 32 connections",
        CHAT,
        "general-t1",
        32,
        whole=True,
        headline=True,
    ),
    # The same for the caller as "chat c32"; the name differs, since deployments go by it.
    Load(
        "chat streamed c32",
        "chat, 32 connections, upstream streams",
        CHAT,
        "general-t64-u0",
        32,
    ),
    # What a model takes for 64 tokens at 20 ms, whichever way it is asked.
    Load(
        "chat slow c100",
        "chat, a token every 20 ms, 100 connections",
        CHAT,
        "general-t64-d20-r1280",
        100,
        whole=True,
    ),
    Load(
        "chat 50 kB c32",
        "chat, a body of 50 kB, 32 connections",
        CHAT,
        "general-t64",
        32,
        whole=True,
        repetitions_of_code=LARGE,
    ),
    Load("completion c1", "completion, 1 connection", TEXT, "codestral-t64", 1, family="codestral"),
    Load(
        "completion c32",
        "completion, 32 connections",
        TEXT,
        "codestral-t64",
        32,
        family="codestral",
        headline=True,
    ),
    # Right behind what they are compared with, so that all meet with the same disturbances.
    Load(
        "GitLab completion c32",
        "completion by GitLab, 32 connections",
        GITLAB,
        "codestral-t64",
        32,
        family="codestral",
        beside="completion c32",
        headline=True,
    ),
    Load(
        "Tabby completion c32",
        "completion by Tabby, 32 connections",
        TEXT,
        "codestral-t64",
        32,
        family="codestral",
        beside="completion c32",
        headline=True,
        segments=True,
    ),
    Load(
        "known completion c1",
        "completion from memory, 1 connection",
        TEXT,
        "codestral-t64",
        1,
        family="codestral",
        seconds=2,
        headline=True,
        known=True,
    ),
    Load(
        "known completion c32",
        "completion from memory, 32 connections",
        TEXT,
        "codestral-t64",
        32,
        family="codestral",
        headline=True,
        known=True,
    ),
    Load(
        "chat paced",
        "chat, 100 streams, a token every 20 ms",
        CHAT,
        "general-t100-d20-j1",
        100,
        stream=True,
        seconds=4,
        headline=True,
    ),
    Load(
        "chat burst",
        "chat, 32 streams, tokens without a gap",
        CHAT,
        "general-t64-d0",
        32,
        stream=True,
        headline=True,
    ),
    Load(
        "completion paced",
        "completion, 100 streams, a token every 20 ms",
        TEXT,
        "codestral-t100-d20-j1",
        100,
        stream=True,
        family="codestral",
        seconds=4,
        headline=True,
    ),
    Load(
        "completion burst",
        "completion, 32 streams, tokens without a gap",
        TEXT,
        "codestral-t64-d0",
        32,
        stream=True,
        family="codestral",
    ),
    Load(
        "GitLab completion burst",
        "completion by GitLab, 32 streams, tokens without a gap",
        GITLAB,
        "codestral-t64",
        32,
        stream=True,
        family="codestral",
        beside="completion burst",
        headline=True,
    ),
)

CARRIED = Load(
    "chat carried",
    "chat, streams of 50 tokens/s",
    CHAT,
    "general-t100-d20",
    1000,
    stream=True,
)
"""What `carrying.py` asks, on fewer connections where so many are too much."""


class Cancellation(NamedTuple):
    """One phase in which a caller hangs up; `after_first` reads a first piece of the answer.

    `whole` is as in `Load`.
    """

    title: str
    model: str
    stream: bool
    after_first: bool = False
    whole: bool = False
    family: str = "general"

    def body(self, before: str = "") -> bytes:
        """Return the request; `before` stands before the model."""
        return json.dumps(
            {
                "model": before + self.model,
                "messages": [{"role": "user", "content": CODE}],
                "stream": self.stream,
            }
        ).encode()


CANCELLATIONS = (
    Cancellation("in mid-stream", "general-t200-d50", stream=True, after_first=True),
    Cancellation("before the first token", "general-t200-d50-f8000", stream=True),
    # Both knobs: a gateway may stream from its upstream for a caller who does not.
    Cancellation("not streaming", "general-t64-f8000-r8000", stream=False),
    Cancellation("not streaming, asked whole", "general-t64-r8000", stream=False, whole=True),
)
