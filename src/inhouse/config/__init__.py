"""The configuration: one TOML file and a few environment variables, read here and nowhere else."""

from inhouse.config.environment import VARIABLES, Variable
from inhouse.config.gitlab import GitLab, Issuer
from inhouse.config.loading import load, load_client, load_entries, load_families_folder, secret
from inhouse.config.shape import (
    Client,
    Config,
    EgressConfig,
    LogConfig,
    MetricsConfig,
    ServerConfig,
    StoreConfig,
)

__all__ = [
    "VARIABLES",
    "Client",
    "Config",
    "EgressConfig",
    "GitLab",
    "Issuer",
    "LogConfig",
    "MetricsConfig",
    "ServerConfig",
    "StoreConfig",
    "Variable",
    "load",
    "load_client",
    "load_entries",
    "load_families_folder",
    "secret",
]
