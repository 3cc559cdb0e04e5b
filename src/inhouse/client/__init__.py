"""A client of a running gateway, for the command line."""

from inhouse.client.client import Client
from inhouse.client.failures import NO_KEY, no_gateway

__all__ = ["NO_KEY", "Client", "no_gateway"]
