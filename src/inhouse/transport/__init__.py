"""Bytes to an upstream and back: our pooled HTTP/1.1 client."""

from inhouse.transport.egress import Policy, nameable, unservable
from inhouse.transport.limits import MAX_CONNECTIONS
from inhouse.transport.origin import header_block, split
from inhouse.transport.proxy import Proxy, is_direct, parse_proxy, proxy_for
from inhouse.transport.response import Response
from inhouse.transport.tls import Tls
from inhouse.transport.transport import Transport

__all__ = [
    "MAX_CONNECTIONS",
    "Policy",
    "Proxy",
    "Response",
    "Tls",
    "Transport",
    "header_block",
    "is_direct",
    "nameable",
    "parse_proxy",
    "proxy_for",
    "split",
    "unservable",
]
