"""The registry and the traces in a database: SQLite by default, PostgreSQL by URL."""

from inhouse.store.changes import Change, Kind, Revision, route_name
from inhouse.store.keys import KeyChange
from inhouse.store.probes import Probe
from inhouse.store.registry import Registry
from inhouse.store.traces import Filter, Traces

__all__ = [
    "Change",
    "Filter",
    "KeyChange",
    "Kind",
    "Probe",
    "Registry",
    "Revision",
    "Traces",
    "route_name",
]
