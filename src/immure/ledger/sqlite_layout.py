"""The tables of a ledger in SQLite."""

from __future__ import annotations

from typing import Final

#: Says of a file that it is a ledger ("IMLG"), and of which layout.
APPLICATION_ID: Final = 0x494D4C47
LAYOUT: Final = 1
#: Bytes of the longest row that is read: whoever altered one must not fill the memory.
MOST_BYTES: Final = 1 << 20

CREATE: Final = (
    """CREATE TABLE issuers (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        last INTEGER NOT NULL DEFAULT 0,
        closed INTEGER NOT NULL DEFAULT 0,
        batches INTEGER NOT NULL DEFAULT 0,
        watermark INTEGER NOT NULL DEFAULT 0,
        forgotten INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE tokens (
        issuer INTEGER NOT NULL REFERENCES issuers (id),
        seq INTEGER NOT NULL,
        digest BLOB NOT NULL,
        kid TEXT NOT NULL,
        sub TEXT NOT NULL,
        aud TEXT NOT NULL,
        tenant TEXT NOT NULL,
        client TEXT NOT NULL,
        iat INTEGER NOT NULL,
        exp INTEGER NOT NULL,
        session TEXT NOT NULL,
        PRIMARY KEY (issuer, seq)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE batches (
        issuer INTEGER NOT NULL REFERENCES issuers (id),
        number INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        watermark INTEGER NOT NULL,
        root BLOB NOT NULL,
        previous BLOB NOT NULL,
        entry INTEGER,
        PRIMARY KEY (issuer, number)
    ) STRICT""",
    """CREATE TABLE gaps (
        issuer INTEGER NOT NULL REFERENCES issuers (id),
        start INTEGER NOT NULL,
        "end" INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT""",
    """CREATE TRIGGER tokens_stay BEFORE UPDATE ON tokens
    BEGIN SELECT RAISE(ABORT, 'a row of the ledger is never changed'); END""",
    """CREATE TRIGGER tokens_are_kept BEFORE DELETE ON tokens
    WHEN old.seq > (SELECT coalesce(max(last), 0) FROM batches
                    WHERE issuer = old.issuer AND entry IS NOT NULL)
    BEGIN SELECT RAISE(ABORT, 'a row is kept until the log has its batch'); END""",
    """CREATE TRIGGER batches_are_kept BEFORE DELETE ON batches
    BEGIN SELECT RAISE(ABORT, 'a batch is never removed'); END""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {LAYOUT}",
)
