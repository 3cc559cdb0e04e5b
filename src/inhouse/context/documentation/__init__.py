"""Documentation written in Markdown: cut to passages, indexed in one SQLite file, searched."""

from inhouse.context.documentation.about import About, read_about
from inhouse.context.documentation.building import Built, build
from inhouse.context.documentation.searching import Documentation, Found, search

__all__ = ["About", "Built", "Documentation", "Found", "build", "read_about", "search"]
