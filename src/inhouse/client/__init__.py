"""A client of a running gateway, for the command line."""

from inhouse.client.client import Client

__all__ = ["Client"]
