"""Run migrations on the connection that the caller opened, in its transaction."""

from alembic import context

from inhouse.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
