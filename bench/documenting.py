"""Put reports into the documentation, each between marks of its own."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def document(part: str, text: str) -> None:
    """Put a report in place of the one before it; raises `ValueError` where its marks are gone."""
    begin, end = f"<!-- {part}: make bench writes this -->", f"<!-- {part}: end -->"
    whole = DOCS.read_text()
    before, after = whole.index(begin), whole.index(end)
    DOCS.write_text(f"{whole[:before]}{begin}\n\n{text.strip()}\n\n{whole[after:]}")
