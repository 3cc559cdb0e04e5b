"""Upstreams that speak the OpenAI dialect: vLLM, llama.cpp, SGLang, TGI, Ollama and others."""

from inhouse.providers.openai_compatible.address import heal
from inhouse.providers.openai_compatible.provider import OpenAICompatible

__all__ = ["OpenAICompatible", "heal"]
