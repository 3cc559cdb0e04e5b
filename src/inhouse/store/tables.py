"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

SCHEMA = "0003"
"""The migration that these tables belong to; a test compares the two."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

facts = Table(
    "facts",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
    comment="Facts on the store itself, such as the check of its sealing key.",
)

deployments = Table(
    "deployments",
    metadata,
    Column("name", String, primary_key=True),
    Column("family", String, nullable=False),
    Column("identifier", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("api_key", Text, nullable=False, comment="Sealed; empty where there is none."),
    Column("options", JSON, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("deadlines", JSON, nullable=False, comment="Seconds by phase."),
    Column("max_concurrent", Integer),
)

teams = Table(
    "teams",
    metadata,
    Column("name", String, primary_key=True),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("declared", Boolean, nullable=False),
)

routes = Table(
    "routes",
    metadata,
    Column("feature", String, primary_key=True),
    Column("team", String, primary_key=True, comment="Empty where it is everybody's."),
    Column("disabled", Boolean, nullable=False),
    Column("declared", Boolean, nullable=False),
)

# Deferred, so that a change may be written in any order.
route_deployments = Table(
    "route_deployments",
    metadata,
    Column("feature", String, primary_key=True),
    Column("team", String, primary_key=True),
    Column("position", Integer, primary_key=True, comment="From 0, the best first."),
    Column(
        "deployment",
        String,
        ForeignKey(deployments.c.name, deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column("weight", Integer, comment="In a group; in an ordered list none has one."),
    ForeignKeyConstraint(
        ["feature", "team"],
        [routes.c.feature, routes.c.team],
        deferrable=True,
        initially="DEFERRED",
    ),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 in hex."),
    Column("models", JSON, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("created_at", Float, nullable=False, comment="Unix time in seconds."),
    Column("team", String, nullable=False, comment="Empty where the key is in none."),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("declared", Boolean, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False, comment="Unix time in seconds."),
    Column("author", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("changes", JSON, nullable=False, comment="Entries before and after; keys sealed."),
)

traces = Table(
    "traces",
    metadata,
    Column("id", String, primary_key=True),
    Column("request_id", String, nullable=False),
    Column("started_at", Float, nullable=False, comment="Unix time in seconds."),
    Column("endpoint", String, nullable=False),
    Column("caller", String, nullable=False),
    Column("model", String, nullable=False),
    Column("feature", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("duration_ms", Float, nullable=False),
    Column("first_delta_ms", Float),
    Column("deployments", JSON, nullable=False),
    Column("family", String, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("deltas", BigInteger, nullable=False),
    Column("finish_reason", String, nullable=False),
    Column("error", String, nullable=False),
    # So that an upgrade need not write millions of rows anew.
    Column("team", String, nullable=False, server_default=text("''")),
    Column("failures", JSON, comment="Null before 0002."),
    Column("user", String, nullable=False, server_default=text("''")),
    Column("warnings", JSON, comment="Null before 0003."),
    Index("ix_traces_started_at", "started_at", "id"),
)

minute_counts = Table(
    "minute_counts",
    metadata,
    Column("minute", Integer, primary_key=True, comment="Since 1970.", autoincrement=False),
    Column("subject", String, primary_key=True, comment="What is limited, and of whom."),
    Column("granted", BigInteger, nullable=False),
)

# No foreign key: a changed deployment is written anew, and keeps its report.
probes = Table(
    "probes",
    metadata,
    Column("deployment", String, primary_key=True),
    Column("at", Float, nullable=False, comment="Unix time in seconds."),
    Column("report", JSON, nullable=False),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", String, primary_key=True, comment="The kid of the tokens that it signs."),
    Column("created_at", Float, nullable=False, comment="Unix time in seconds."),
    Column("private_key", Text, nullable=False, comment="PEM, sealed."),
    comment="Keys by which we sign tokens, the newest for new ones.",
)
