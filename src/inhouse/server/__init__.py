"""The HTTP edge: a raw ASGI application, and the listeners that serve it."""

from inhouse.server.app import app
from inhouse.server.listen import Addresses, listening, run, serve
from inhouse.server.supervisor import Supervisor
from inhouse.server.worker import Desk, work

__all__ = ["Addresses", "Desk", "Supervisor", "app", "listening", "run", "serve", "work"]
