"""Upstreams that speak Anthropic's Messages API: Anthropic itself, gateways, vLLM and others."""

from inhouse.providers.anthropic.address import heal
from inhouse.providers.anthropic.provider import Anthropic
from inhouse.providers.anthropic.upstream import Options

__all__ = ["Anthropic", "Options", "heal"]
