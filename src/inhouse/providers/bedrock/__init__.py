"""Models at Amazon Bedrock: conversations by Converse, raw prompts by InvokeModel."""

from inhouse.providers.bedrock.options import Options
from inhouse.providers.bedrock.provider import Bedrock

__all__ = ["Bedrock", "Options"]
