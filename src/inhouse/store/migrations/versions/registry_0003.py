"""Users and warnings in traces; keys by which we sign tokens.

There is no way back: an older inhouse refuses the store and asks for a backup.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "traces", sa.Column("user", sa.String(), nullable=False, server_default=sa.text("''"))
    )
    op.add_column("traces", sa.Column("warnings", sa.JSON(), comment="Null before 0003."))
    op.create_table(
        "signing_keys",
        sa.Column(
            "id", sa.String(), nullable=False, comment="The kid of the tokens that it signs."
        ),
        sa.Column("created_at", sa.Float(), nullable=False, comment="Unix time in seconds."),
        sa.Column("private_key", sa.Text(), nullable=False, comment="PEM, sealed."),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
        comment="Keys by which we sign tokens, the newest for new ones.",
    )
