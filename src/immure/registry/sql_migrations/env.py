"""Alembic runs this: the steps, in the transaction that :mod:`immure.registry.sql_layout` has begun."""

from __future__ import annotations

from alembic import context

from immure.registry.sql_tables import SCHEMA

context.configure(
    connection=context.config.attributes["connection"], version_table="layout", version_table_schema=SCHEMA
)
with context.begin_transaction():
    context.run_migrations()
