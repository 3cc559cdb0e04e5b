"""Azure OpenAI: a platform of the OpenAI dialect with its own addresses, credentials and words."""

from inhouse.providers.openai_compatible.azure.options import AzureOptions
from inhouse.providers.openai_compatible.azure.platform import azure

__all__ = ["AzureOptions", "azure"]
