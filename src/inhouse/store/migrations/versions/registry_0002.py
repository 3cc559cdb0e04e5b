"""Teams, limits, weighted routes, deadlines by deployment; counts of a minute, and probes.

There is no way back: an older inhouse refuses the store and asks for a backup.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Entry = dict[str, Any]

SETTINGS = {
    "connect_timeout": "connect_timeout",
    "first_byte_timeout": "first_token_timeout",
    "between_bytes_timeout": "between_tokens_timeout",
    "total_timeout": "total_timeout",
}
"""Settings that each feature has now, and how its own ends."""

FEATURES = ("completion", "generation", "chat")

NEW_FIELDS: dict[str, Entry] = {
    "deployment": {"deadlines": {}, "max_concurrent": None},
    "route": {"weights": []},
    "key": {"team": "", "requests_per_minute": None, "tokens_per_minute": None},
}
"""What the entries of old revisions lack, by kind."""

TEAM_OF_ROUTE = "Empty where it is everybody's."
TEAM_OF_KEY = "Empty where the key is in none."

deployments = sa.table("deployments", sa.column("deadlines", sa.JSON))
api_keys = sa.table("api_keys", sa.column("team", sa.String))
routes = sa.table(
    "routes",
    sa.column("feature", sa.String),
    sa.column("team", sa.String),
    sa.column("disabled", sa.Boolean),
    sa.column("declared", sa.Boolean),
)
links = sa.table(
    "route_deployments",
    sa.column("feature", sa.String),
    sa.column("team", sa.String),
    sa.column("position", sa.Integer),
    sa.column("deployment", sa.String),
)
settings = sa.table(
    "settings",
    sa.column("name", sa.String),
    sa.column("value", sa.JSON),
    sa.column("declared", sa.Boolean),
)
revisions = sa.table("revisions", sa.column("number", sa.Integer), sa.column("changes", sa.JSON))


def upgrade() -> None:
    _create_tables()
    # SQLite changes a table by making it anew, and nothing may refer to it meanwhile.
    old_routes, old_links = _taken(routes), _taken(links)
    op.drop_table("route_deployments")
    op.drop_table("routes")
    _add_columns()
    _create_routes()
    _insert(routes, [{**each, "team": ""} for each in old_routes])
    _insert(links, [{**each, "team": ""} for each in old_links])
    _rename_settings()
    _rewrite_revisions()


def _create_tables() -> None:
    op.create_table(
        "teams",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("requests_per_minute", sa.Integer()),
        sa.Column("tokens_per_minute", sa.Integer()),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_teams"),
    )
    op.create_table(
        "minute_counts",
        sa.Column(
            "minute", sa.Integer(), autoincrement=False, nullable=False, comment="Since 1970."
        ),
        sa.Column("subject", sa.String(), nullable=False, comment="What is limited, and of whom."),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "subject", name="pk_minute_counts"),
    )
    op.create_table(
        "probes",
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="Unix time in seconds."),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("deployment", name="pk_probes"),
    )


def _create_routes() -> None:
    """Make the tables of routes, each of a feature and team."""
    op.create_table(
        "routes",
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False, comment=TEAM_OF_ROUTE),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("feature", "team", name="pk_routes"),
    )
    op.create_table(
        "route_deployments",
        sa.Column("feature", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="From 0, the best first."),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("weight", sa.Integer(), comment="In a group; in an ordered list none has one."),
        sa.PrimaryKeyConstraint("feature", "team", "position", name="pk_route_deployments"),
        sa.ForeignKeyConstraint(
            ["feature", "team"],
            ["routes.feature", "routes.team"],
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


def _add_columns() -> None:
    with op.batch_alter_table("deployments") as batch:
        batch.add_column(sa.Column("deadlines", sa.JSON(), comment="Seconds by phase."))
        batch.add_column(sa.Column("max_concurrent", sa.Integer()))
    op.execute(sa.update(deployments).values(deadlines={}))
    with op.batch_alter_table("deployments") as batch:
        batch.alter_column("deadlines", nullable=False)
    with op.batch_alter_table("api_keys") as batch:
        batch.add_column(sa.Column("team", sa.String(), comment=TEAM_OF_KEY))
        batch.add_column(sa.Column("requests_per_minute", sa.Integer()))
        batch.add_column(sa.Column("tokens_per_minute", sa.Integer()))
    op.execute(sa.update(api_keys).values(team=""))
    with op.batch_alter_table("api_keys") as batch:
        batch.alter_column("team", nullable=False)
    # No row of traces is written for that: there may be millions.
    team = sa.Column("team", sa.String(), nullable=False, server_default=sa.text("''"))
    op.add_column("traces", team)
    op.add_column("traces", sa.Column("failures", sa.JSON(), comment="Null before 0002."))


def _rename_settings() -> None:
    for row in _taken(settings):
        if row["name"] in SETTINGS:
            op.execute(sa.delete(settings).where(settings.c.name == row["name"]))
            _insert(settings, [{**row, "name": name} for name in _names(row["name"])])


def _rewrite_revisions() -> None:
    """Let old revisions hold what this version would have written, so that a rollback works."""
    for row in _taken(revisions):
        changes = [after for before in row["changes"] for after in _rewritten(before)]
        if changes != row["changes"]:
            where = revisions.c.number == row["number"]
            op.execute(sa.update(revisions).where(where).values(changes=changes))


def _rewritten(change: Entry) -> list[Entry]:
    if change["kind"] == "setting":
        return [{**change, "name": name} for name in _names(change["name"])]
    new = NEW_FIELDS[change["kind"]]
    states = {side: change[side] and {**change[side], **new} for side in ("before", "after")}
    return [{**change, **states}]


def _names(setting: str) -> list[str]:
    ending = SETTINGS.get(setting)
    return [f"{feature}_{ending}" for feature in FEATURES] if ending else [setting]


def _taken(table: sa.TableClause) -> Sequence[Entry]:
    """Return the rows of a table, without the columns that it does not have yet."""
    columns = [each for each in table.c if each.name != "team"]
    return [dict(row) for row in op.get_bind().execute(sa.select(*columns)).mappings()]


def _insert(table: sa.TableClause, rows: Sequence[Entry]) -> None:
    if rows:
        op.get_bind().execute(sa.insert(table), rows)
