"""The tables of a registry in PostgreSQL, as queries name them; they are made by the migrations.

>>> str(keys)
'immure_registry.keys'
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Table, Text

#: Every table is in this schema, and every query says so: no search path decides whose tables are read.
SCHEMA: Final = "immure_registry"
#: Bytes of the longest record, as in SQLite.
MOST_BYTES: Final = 1 << 20

_metadata = MetaData(schema=SCHEMA)

keys: Final = Table(
    "keys",
    _metadata,
    Column("thumbprint", Text, primary_key=True),
    Column("kid", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("record", Text, nullable=False),
)
history: Final = Table(
    "history",
    _metadata,
    Column("thumbprint", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("change", Text, nullable=False),
)
#: One row. Triggers count its revision up with whatever is written into the other two.
registry: Final = Table(
    "registry",
    _metadata,
    Column("single", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("changed", DateTime(timezone=True), nullable=False),
)
#: One row, kept by Alembic: the number of the layout.
layout: Final = Table("layout", _metadata, Column("version_num", Text, primary_key=True))
