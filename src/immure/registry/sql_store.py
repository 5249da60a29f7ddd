"""A registry in PostgreSQL: several front ends may write, and a history can only grow.

>>> store = SqlStore("postgresql://ops@db.example/keys")   # doctest: +SKIP

Every write is one transaction, on the server's disk when it returns. Writers wait for each other (a row
lock); readers see one moment, and wait for nobody. What may never happen to a history is refused by triggers
of the database. A store may be used by several threads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Connection,
    Insert,
    Row,
    Select,
    Table,
    any_,
    bindparam,
    column,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import Text

from immure.registry.errors import RegistryError
from immure.registry.record import KeyRecord
from immure.registry.sql_engine import PATIENCE, Database, Patience
from immure.registry.sql_layout import check_layout, check_version, found_version, make, take_turn
from immure.registry.sql_rows import another_key, change_rows, check_new, key_row, records_of
from immure.registry.sql_tables import history, keys, layout, registry
from immure.registry.store import MOST_KEYS, Change, Store, check_change, in_order

if TYPE_CHECKING:  # SQLAlchemy 2.0 writes these types another way
    _Queries = tuple[Select[str, str, str, str], Select[str, str]]
    _Rows = tuple[Sequence[Row[str, str, str, str]], Sequence[Row[str, str]]]

#: Rows that are written at a time.
_ROWS: Final = 1000
_CHANGING: Final = ("kid", "issuer", "record")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ALL: Final = (
    select(keys.c.thumbprint, keys.c.kid, keys.c.issuer, keys.c.record),
    select(history.c.thumbprint, history.c.change).order_by(history.c.thumbprint, history.c.number),
)
_ONE: Final = (
    _ALL[0].where(keys.c.thumbprint == bindparam("name")),
    _ALL[1].where(history.c.thumbprint == bindparam("name")),
)
_LIKE: Final = select(keys.c.thumbprint, keys.c.kid, keys.c.issuer).where(
    or_(
        keys.c.thumbprint == any_(bindparam("thumbprints", type_=ARRAY(Text))),
        keys.c.kid == any_(bindparam("kids", type_=ARRAY(Text))),
    )
)
_HEAD: Final = (
    select(registry.c.revision, registry.c.changed, layout.c.version_num)
    .select_from(registry.join(layout, true()))
    .limit(2)
)


def _insert_into(table: Table) -> Insert:
    """A statement that takes a list for each column: triggers that count run once, and not for each row."""
    lists = (bindparam(each.name, type_=ARRAY(each.type)) for each in table.c)
    rows = (
        func.unnest(*lists).table_valued(*(column(each.name, each.type) for each in table.c)).render_derived()
    )
    return insert(table).from_select(table.c.keys(), select(rows))


_INSERTS: Final = {table: _insert_into(table) for table in (keys, history)}


class SqlStore(Store):
    """Key records in a PostgreSQL database.

    Args:
        url: such as ``postgresql://user@host:5432/database``; a password in it is never shown.
        create: make the registry if it is not there. An older one stays as it is: :func:`migrate`.
        patience: how long to wait, and for what.

    Raises:
        RegistryError: there is no registry, or it cannot be reached, or its layout is not ours.
    """

    def __init__(self, url: str, *, create: bool = False, patience: Patience = PATIENCE) -> None:
        self._database = Database(url, patience)
        self.path = self._database.name
        try:
            if create and self._database.run(partial(found_version, path=self.path)) is None:
                self._database.run(partial(make, path=self.path, upgrade=False), write=True)
            self._database.run(self._check)
        except BaseException:
            self._database.close()
            raise

    def records(self) -> tuple[KeyRecord, ...]:
        """See :meth:`Store.records`."""
        rows = self._database.run(partial(self._rows, queries=_ALL))
        return in_order(records_of(*rows, self.path))

    def get(self, thumbprint: str) -> KeyRecord:
        """See :meth:`Store.get`."""
        self._check_name(thumbprint)
        rows = self._database.run(partial(self._rows, queries=_ONE, name=thumbprint))
        return self._only(rows, thumbprint)

    def add(self, records: Iterable[KeyRecord]) -> None:
        """See :meth:`Store.add`."""
        new = list(islice(records, MOST_KEYS + 1))
        self._database.run(partial(self._insert, new=new), write=True)

    def update(self, thumbprint: str, change: Change) -> KeyRecord:
        """See :meth:`Store.update`."""
        self._check_name(thumbprint)
        return self._database.run(partial(self._replace, thumbprint=thumbprint, change=change), write=True)

    def stamp(self) -> tuple[int, ...]:
        """See :meth:`Store.stamp`. With the time: a restored backup counts on from an older revision."""
        head = self._database.run(self._head)
        return (int(head.revision), int(head.changed.timestamp() * 1_000_000))

    def close(self) -> None:
        """See :meth:`Store.close`."""
        self._database.close()

    def _check_name(self, thumbprint: str) -> None:
        if not _THUMBPRINT.fullmatch(thumbprint):  # not every text can be sent to the server
            raise self._unknown(thumbprint)

    def _check(self, connection: Connection) -> None:
        check_version(found_version(connection, self.path), self.path)
        check_layout(connection, self.path)

    def _head(self, connection: Connection) -> Row[int, object, str]:
        """The row that says how far the registry is; in every transaction, for the layout may have become
        another one since it was opened."""
        heads = connection.execute(_HEAD).all()
        if len(heads) != 1:
            raise RegistryError("its tables are not those of a registry", path=self.path)
        check_version(heads[0].version_num, self.path)
        return heads[0]

    def _take_turn(self, connection: Connection) -> None:
        """Wait until no other front end writes. What is read from here on is what they left."""
        take_turn(connection)
        self._head(connection)

    def _rows(self, connection: Connection, queries: _Queries, **names: str) -> _Rows:
        self._head(connection)
        found, changes = (connection.execute(query, names).all() for query in queries)
        return found, changes

    def _only(self, rows: _Rows, thumbprint: str) -> KeyRecord:
        for record in records_of(*rows, self.path):
            return record
        raise self._unknown(thumbprint)

    def _insert(self, connection: Connection, new: Sequence[KeyRecord]) -> None:
        self._take_turn(connection)
        names = {"thumbprints": [each.thumbprint for each in new], "kids": [each.kid for each in new]}
        check_new(new, connection.execute(_LIKE, names).all(), self.path)
        _write(connection, keys, [key_row(record, self.path) for record in new])
        _write(connection, history, [row for record in new for row in change_rows(record)])
        if (connection.scalar(select(func.count()).select_from(keys)) or 0) > MOST_KEYS:
            raise RegistryError(f"more than {MOST_KEYS} keys", path=self.path)

    def _replace(self, connection: Connection, thumbprint: str, change: Change) -> KeyRecord:
        self._take_turn(connection)
        this = keys.c.thumbprint == thumbprint
        before = self._only(self._rows(connection, _ONE, name=thumbprint), thumbprint)
        after = change(before)
        check_change(before, after, self.path)
        row = key_row(after, self.path)
        try:
            connection.execute(update(keys).where(this), {name: row[name] for name in _CHANGING})
        except IntegrityError as error:
            raise another_key(after, self.path) from error
        _write(connection, history, change_rows(after, len(before.history)))
        return after


def migrate(url: str, patience: Patience = PATIENCE) -> None:
    """Make a registry that is not there, and bring an older one up to date, in one transaction.

    Raises:
        RegistryError: it cannot be done, or the layout is a newer one.
    """
    database = Database(url, patience)
    try:
        database.run(partial(make, path=database.name, upgrade=True), write=True)
        database.run(partial(check_layout, path=database.name))
    finally:
        database.close()


def _write(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        connection.execute(_INSERTS[table], {each.name: [row[each.name] for row in part] for each in table.c})
