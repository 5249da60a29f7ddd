"""How the layout of a registry in PostgreSQL is made, step by step (Alembic)."""
