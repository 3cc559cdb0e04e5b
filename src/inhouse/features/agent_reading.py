"""What a model writes in one step of an agent, read while it streams.

The grammar is ``Thought: … Action: <tool> Action Input: <text>`` or ``Thought: … Final Answer:
<text>``; a line that begins with ``Observation:`` is not the model's to write, and ends the step.
Models decorate these words with Markdown, write them small or all on one line; that is understood.
"""

from __future__ import annotations

import re

from msgspec import Struct

_MARKS = " \t>*_#`-"
_WORDS = r"(?i:action[ \t]{0,4}\\?_?input|action|final[ \t]{0,4}\\?_?answer|thought)|Observation"
_LINE = (
    r"^[ \t>]{0,12}(?:[-+*][ \t]{1,4}|-|\#{1,6}[ \t]{0,4})?(?P<mark>\*{1,3}|_{1,3}|`)?"
    rf"(?P<word>{_WORDS})(?P<shut>(?(mark)(?P=mark)|(?!)))?[ \t]{{0,4}}:"
)
_TITLE = (
    r"^[ \t]{0,4}(?:\#{1,6}[ \t]{0,4}|\*\*)(?P<title>(?i:final[ \t]{1,4}answer))"
    r"(?:\*\*)?[ \t]{0,4}\n"
)
_SENTENCE = r"(?<=[.!?:;)\]\"'`\u3002\uff01\uff1f])[ \t]{0,4}(?P<inside>Final Answer|Action):"
_ON_THE_LINE = r"(?<=[ \t])-?[ \t]{0,4}(?P<inside>Action Input):"

_KEYWORDS = {
    "thought": re.compile(f"{_LINE}|{_TITLE}|{_SENTENCE}", re.MULTILINE),
    "action": re.compile(f"{_LINE}|{_TITLE}|{_ON_THE_LINE}", re.MULTILINE),
    "actioninput": re.compile(f"{_LINE}|{_TITLE}", re.MULTILINE),
}
"""What may follow in each section."""
_OBSERVATION = re.compile(rf"\n[{_MARKS}]{{0,8}}Observation[*_`]{{0,3}}[ \t]*:")
_NO_TOOL = frozenset({"", "none", "n/a", "na", "no", "no tool", "null", "nothing"})
_FENCE = "```"
_LONGEST = 64
"""Characters that a keyword has at most, with all that belongs to it."""


class Called(Struct, frozen=True, kw_only=True):
    """A tool as the model names it; `tool_input` is None where it wrote none."""

    thought: str
    tool: str
    tool_input: str | None


class Reading:
    """Shows the final answer as it is written, and keeps whatever else the model writes."""

    def __init__(self) -> None:
        """Begin with a thought, whether or not the model says so."""
        self.done = False
        """Whether the step is complete: what follows is not wanted."""
        self.answered = False
        """Whether anything of a final answer was shown."""
        self._held = ""
        self._section = "thought"
        self._mark = ""
        self._begin = 0
        self._thoughts: list[str] = []
        self._tool: str | None = None
        self._input: str | None = None
        self._answering = False
        self._fenced = False

    @property
    def called(self) -> Called | None:
        """The tool that the model asked for, once the step has ended."""
        if self._answering or self._tool is None:
            return None
        return Called(thought=self._thought, tool=self._tool, tool_input=self._input)

    @property
    def text(self) -> str:
        """What was written, for a step that has ended in neither an answer nor a tool."""
        return self._thought if self._tool is None else self._held.strip()

    def feed(self, text: str) -> str:
        """Take the next piece and return what may be shown of the final answer."""
        if self.done:
            return ""
        unread = max(self._begin, len(self._held) - _LONGEST)
        self._held += text
        while not self._answering:
            found = _KEYWORDS[self._section].search(self._held, unread)
            if found is None:
                return ""
            self._turn(found)
            if self.done:
                return ""
            unread = self._begin
        return self._answer()

    def finish(self) -> str:
        """The model stopped: return what is left of the final answer."""
        if self.done:
            return ""
        self.done = True
        if not self._answering:
            self._close(len(self._held))
            return ""
        rest = (self._held if self.answered else self._begun() or "").rstrip()
        if self._fenced:
            rest = rest.removesuffix(_FENCE).rstrip()
        self.answered = self.answered or bool(rest)
        return rest

    def _turn(self, found: re.Match[str]) -> None:
        """Go on to the section that a keyword opens, unless it ends the step."""
        word = _word(found)
        if word == "actioninput" and self._section == "thought":
            # An input for no tool is something that the model thought.
            word = "thought"
        self._close(found.start())
        whole = self._input is not None
        if word == "observation" or (whole and self._tool is not None):
            self._held = self._held[: found.start()]
            self.done = True
            return
        if word == "action" and self._tool is not None:
            self._thoughts.append(self._tool)
        if word in ("thought", "finalanswer", "action"):
            self._tool = self._input = None
        if not self._begin:
            self._fenced = _is_fence(self._held[: found.start()])
        mark = found.groupdict().get("mark") or ""
        self._mark = "" if found.groupdict().get("shut") else mark
        self._section, self._begin = word, found.end()
        if word == "finalanswer":
            self._answering, self._held = True, self._held[found.end() :]

    def _close(self, end: int) -> None:
        """Keep what stands in the section that ends here."""
        text = self._held[self._begin : end].lstrip().removeprefix(self._mark).strip()
        match self._section:
            case "thought":
                self._thoughts.append("" if _is_fence(text) else text)
            case "action":
                tool = text.partition("\n")[0].strip()
                self._tool = None if tool.strip(_MARKS + ".").lower() in _NO_TOOL else tool
            case _:
                self._input = text.strip("`").strip()

    def _answer(self) -> str:
        """Return what is certain to belong to the answer; blanks at its end are not shown."""
        if not self.answered:
            begun = self._begun()
            if begun is None:
                return ""
            self._held = begun
        found = _OBSERVATION.search(self._held)
        if found is not None:
            shown, self._held, self.done = self._held[: found.start()].rstrip(), "", True
        else:
            certain = self._certain()
            shown, self._held = self._held[:certain], self._held[certain:]
        self.answered = self.answered or bool(shown)
        return shown

    def _begun(self) -> str | None:
        """Return the answer without what stands before it, None while that is not certain."""
        text = self._held.lstrip()
        if self._mark and text.startswith(self._mark):
            text = text.removeprefix(self._mark).lstrip()
        elif self._mark.startswith(text):
            return None
        return text or None

    def _certain(self) -> int:
        """Return how much of the text no end of the step, nor of the answer, can take back."""
        above, _, line = self._held.rpartition("\n")
        core = line.strip(_MARKS)
        opens = len(line) < 24 and ("Observation".startswith(core) or not core)
        closes = self._fenced and _FENCE.startswith(line.strip())
        if "\n" in self._held and (opens or closes):
            return len(above.rstrip())
        return len(self._held.rstrip())

    @property
    def _thought(self) -> str:
        return "\n".join(each for each in self._thoughts if each)


def _is_fence(text: str) -> bool:
    """Tell whether a text is one line that opens a code block."""
    return text.strip().startswith(_FENCE) and "\n" not in text.strip()


def _word(found: re.Match[str]) -> str:
    """Return the keyword without its blanks, in small letters."""
    groups = found.groupdict()
    word = groups.get("word") or groups.get("title") or groups.get("inside") or ""
    return re.sub(r"[\s\\_]+", "", word).lower()
