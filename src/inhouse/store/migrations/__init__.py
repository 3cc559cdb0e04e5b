"""Alembic's scripts, run by `inhouse.store.migration`; no alembic.ini is needed."""
