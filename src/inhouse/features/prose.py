"""Is a line of an answer prose about code, or code?

Asked for code, a model may describe it. Only what reads like a sentence is taken for one: a
suggestion that is dropped wrongly costs more than a sentence that is shown. Lines of code, comments
and strings among them, are told apart by their marks; languages whose statements end in a full stop
need more than that.
"""

from __future__ import annotations

import re

SENTENCE_WORDS = 4
"""Fewer words before a full stop are as often code or data."""
UNENDED_WORDS = 6
"""A sentence that breaks off has at least so many words."""

_BACKTICKS = re.compile(r"`[^`]+`")
_BULLET = re.compile(r"^\s{0,3}(?:[-*•+]|\d{1,2}[.)])\s+(?=\S)")
_HEADING = re.compile(r"^#{2,4} (?=[A-Z])")
_EMPHASIS = re.compile(r"^[*_]{1,3}(?=\w)|[*_]{1,3}$")
_EAST = "\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_EASTERN = re.compile(f"[{_EAST}]")
_EAST_CODE = re.compile(r"[=;{}\[\]\"'()<>#/\\]")
_EAST_ENDS = ("。", "\uff1a", "\uff01", "\uff1f", "…")
_ENDS = (".", ":", "!", "?", "…")
_LEADS = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|got it|alright|great|here(?:'s| is| are| you)"
    r"|natürlich|gerne?|klar|selbstverständlich|hier(?: ist| sind)|voici|bien sûr|claro|aquí)\b"
    r"[\w\s,'\u2019]*[.!:…]?",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"(?:nothing|no (?:additional |further |more )?(?:code|completion|text|changes?|output))\b"
    r"(?:[\s\w,'\u2019]*)",
    re.IGNORECASE,
)
_INSIDE_WORDS = str.maketrans(dict.fromkeys("'\u2019-"))
_SMALL_WORDS = (
    "a an the this that these those is are was were be been has have had it its you your i we to of"
    " should would can could will may must does do there here which what where when since because"
    " not and or with for from in on at as by if so however"
    " der die das den dem ein eine einen ist sind wird werden hier und oder nicht kein keine sie"
    " ich du zu zum zur mit für auf im von da weil dass"
    " le la les un une est et pour dans el los una es y para en"
)
_OPENING_WORDS = (
    "the this that these it you your there here i i'm i'll we to since sorry it's in"
    " der die das hier ich sie es an um da"
)
_SMALL = frozenset(_SMALL_WORDS.split())
_OPENERS = frozenset(_OPENING_WORDS.split())


def is_prose(line: str, *, dotted: bool = False) -> bool:
    """Tell whether a line surely is prose, in a European or an East Asian language.

    `dotted` languages end statements with a full stop, which then tells nothing.
    """
    if line[:1] in {" ", "\t"} and len(line) - len(line.lstrip()) >= 4:
        return False
    text = _bared(line)
    if not text:
        return False
    if _EASTERN.search(text):
        return _is_eastern(text)
    if _says_little(text):
        return True
    words = text.split()
    if not _are_plain(words) or (dotted and any(_is_symbol(word) for word in words)):
        return False
    small = sum(word.strip(".,:;!?()").lower() in _SMALL for word in words)
    ends = text.endswith(_ENDS)
    if text[0].isupper() and not text[1:2].isupper():
        if ends and len(words) >= SENTENCE_WORDS:
            return not dotted or small > 1
        return len(words) >= UNENDED_WORDS and small > 1 and text[-1].isalnum()
    opened = words[0].strip(",").lower() in _OPENERS
    return opened and len(words) > SENTENCE_WORDS and small > 1 and (ends or text[-1].isalnum())


def may_be_prose(begun: str) -> bool:
    """Tell whether a line that has begun so may turn out to be prose; once False, it stays so."""
    text = begun.lstrip()
    if not text:
        return len(begun) < 4
    if len(begun) - len(text) >= 4:
        return False
    first = text[0]
    if first.isalpha():
        word = re.split(r"\s", text, maxsplit=1)[0]
        whole = len(word) < len(text)
        return not whole or _EASTERN.search(word) is not None or _is_plain(word)
    return first.isdigit() or first in "-*•+#_`([\"'" or first in _EAST_ENDS


def is_lead_in(line: str) -> bool:
    """Tell whether a line merely announces code: "Sure!", "Here you go:"."""
    return _LEADS.fullmatch(line.strip()) is not None


def is_heading(line: str) -> bool:
    """Tell whether a line may be a heading of Markdown."""
    return _HEADING.match(line) is not None and len(line.split()) <= SENTENCE_WORDS


def is_word(line: str) -> bool:
    """Tell whether a line is one word that ends like a sentence: "Done."."""
    text = line.strip()
    return text[:1].isupper() and text.endswith((".", "!")) and text[:-1].isalpha()


def is_wordy(line: str) -> bool:
    """Tell whether a line is made of words alone, three or more."""
    words = line.split()
    return len(words) > 2 and _are_plain(words)


def is_listed(line: str) -> bool:
    """Tell whether a line is an item of a list in words."""
    found = _BULLET.match(line)
    return found is not None and len(line[found.end() :].split()) >= 2


def _bared(line: str) -> str:
    """Return a line without the marks of Markdown, its code spans as single words."""
    text = _BULLET.sub("", _HEADING.sub("", line)).strip()
    text = _EMPHASIS.sub("", text)
    return _BACKTICKS.sub("code", text).replace("**", "")


def _says_little(text: str) -> bool:
    """Tell whether a line says that there is nothing to say, or that something comes."""
    bare = text.strip("()[]<>*_ .")
    found = _NOTHING.fullmatch(bare)
    return is_lead_in(text) or (found is not None and len(bare.split()) > 1)


def _is_eastern(text: str) -> bool:
    letters = len(_EASTERN.findall(text))
    if text.endswith(_EAST_ENDS):
        return letters >= 2 and not _EAST_CODE.match(text[0])
    return letters >= 4 and letters >= 0.4 * len(text) and not _EAST_CODE.search(text)


def _are_plain(words: list[str]) -> bool:
    plain = sum(map(_is_plain, words))
    return plain > 0.7 * len(words) and _is_plain(words[0])


def _is_plain(word: str) -> bool:
    bare = word.strip(".,:;!?'\"`()*_…")
    return bare.translate(_INSIDE_WORDS).isalpha()


def _is_symbol(word: str) -> bool:
    return not any(each.isalnum() for each in word)
