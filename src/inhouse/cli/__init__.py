"""The command line: one file a noun, each imported when it is called."""

from inhouse.cli.program import main

__all__ = ["main"]
