"""inhouse: the AI gateway that a software team hosts itself."""

__version__ = "0.1.0"
