"""Requests by aiohttp: another pool and another parser, for whoever doubts ours."""

from inhouse.transport.fallback.fallback import Fallback

__all__ = ["Fallback"]
