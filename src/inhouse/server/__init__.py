"""The HTTP edge: a raw ASGI application, and the listeners that serve it."""

from inhouse.server.app import app
from inhouse.server.listen import Addresses, listening, run, serve

__all__ = ["Addresses", "app", "listening", "run", "serve"]
