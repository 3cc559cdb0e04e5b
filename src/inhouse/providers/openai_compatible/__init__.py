"""Upstreams that speak the OpenAI dialect: many servers, OpenAI's cloud, Azure's."""

from functools import partial

from inhouse.providers.openai_compatible.address import heal
from inhouse.providers.openai_compatible.azure import AzureOptions, azure
from inhouse.providers.openai_compatible.provider import OpenAICompatible
from inhouse.providers.openai_compatible.servers import cloud
from inhouse.providers.openai_compatible.site import Options

OpenAI = partial(OpenAICompatible, platform=cloud)
Azure = partial(OpenAICompatible, platform=azure)

__all__ = ["Azure", "AzureOptions", "OpenAI", "OpenAICompatible", "Options", "heal"]
