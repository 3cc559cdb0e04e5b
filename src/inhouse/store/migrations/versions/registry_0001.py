"""Registry, revisions and traces."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
        comment="Facts on the store itself, such as the check of its sealing key.",
    )
    op.create_table(
        "deployments",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column(
            "api_key", sa.Text(), nullable=False, comment="Sealed; empty where there is none."
        ),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_deployments"),
    )
    op.create_table(
        "routes",
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("feature", name="pk_routes"),
    )
    op.create_table(
        "route_deployments",
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="From 0, the best first."),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("feature", "position", name="pk_route_deployments"),
        sa.ForeignKeyConstraint(
            ["feature"],
            ["routes.feature"],
            name="fk_route_deployments_feature",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.ForeignKeyConstraint(
            ["deployment"],
            ["deployments.name"],
            name="fk_route_deployments_deployment",
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    op.create_table(
        "api_keys",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, comment="SHA-256 in hex."),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False, comment="Unix time in seconds."),
        sa.PrimaryKeyConstraint("name", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "revisions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="Unix time in seconds."),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column(
            "changes", sa.JSON(), nullable=False, comment="Entries before and after; keys sealed."
        ),
        sa.PrimaryKeyConstraint("number", name="pk_revisions"),
    )
    op.create_table(
        "traces",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False, comment="Unix time in seconds."),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        sa.Column("first_delta_ms", sa.Float()),
        sa.Column("deployments", sa.JSON(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False),
        sa.Column("deltas", sa.BigInteger(), nullable=False),
        sa.Column("finish_reason", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_traces"),
    )
    op.create_index("ix_traces_started_at", "traces", ["started_at", "id"])


def downgrade() -> None:
    for table in (
        "traces",
        "revisions",
        "settings",
        "api_keys",
        "route_deployments",
        "routes",
        "deployments",
        "facts",
    ):
        op.drop_table(table)
