"""Markdown as a reader sees it: without what only the site's generator acts on."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SHORTCODE = re.compile(r"\{\{[<%]\s*/?\s*[\w-]+(?P<attributes>[^{}]*?)/?\s*[>%]\}\}")
_SHOWN = re.compile(r'\b(?:title|name)\s*=\s*"(?P<value>[^"]*)"')
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


def readable(text: str) -> str:
    """Return a passage without comments and shortcodes; of a tab or an icon, its name is left."""
    return _BLANK_LINES.sub("\n\n", _SHORTCODE.sub(_shown, _COMMENT.sub("", text))).strip()


def _shown(shortcode: re.Match[str]) -> str:
    found = _SHOWN.search(shortcode["attributes"])
    return found["value"] if found is not None else ""
