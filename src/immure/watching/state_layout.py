"""The tables of a state."""

from __future__ import annotations

from typing import Final

#: "Imwa", and the version of the layout.
APPLICATION_ID: Final = 0x496D7761
LAYOUT: Final = 2

CREATE: Final = (
    # what a scan was asked: the manner, and names of keys
    "CREATE TABLE questions (version TEXT PRIMARY KEY, manner TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE asked (version TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (version, name))"
    " WITHOUT ROWID",
    # which content a place has, as long as its stamp is the same
    "CREATE TABLE stamps (target TEXT NOT NULL, place TEXT NOT NULL, stamp TEXT NOT NULL,"
    " content TEXT NOT NULL, seen TEXT NOT NULL, PRIMARY KEY (target, place)) WITHOUT ROWID",
    # which questions were answered for a content
    "CREATE TABLE scans (content TEXT NOT NULL, version TEXT NOT NULL, complete INTEGER NOT NULL,"
    " at TEXT NOT NULL, PRIMARY KEY (content, version)) WITHOUT ROWID",
    "CREATE TABLE gaps (content TEXT NOT NULL, version TEXT NOT NULL, number INTEGER NOT NULL,"
    " inside TEXT NOT NULL, reason TEXT NOT NULL, length INTEGER NOT NULL,"
    " PRIMARY KEY (content, version, number)) WITHOUT ROWID",
    "CREATE TABLE keys (thumbprint TEXT PRIMARY KEY, label TEXT NOT NULL, kty TEXT NOT NULL, kid TEXT,"
    " issuer TEXT) WITHOUT ROWID",
    # ``asker`` names the rules that a match is of; it is empty for what is proved, whoever asked
    "CREATE TABLE hits (content TEXT NOT NULL, key TEXT NOT NULL, inside TEXT NOT NULL, kind TEXT NOT NULL,"
    " proof TEXT NOT NULL, whole INTEGER NOT NULL, count INTEGER NOT NULL, spots TEXT NOT NULL,"
    " asker TEXT NOT NULL, PRIMARY KEY (content, key, inside, asker)) WITHOUT ROWID",
    "CREATE TABLE sightings (target TEXT NOT NULL, place TEXT NOT NULL, key TEXT NOT NULL,"
    " inside TEXT NOT NULL, content TEXT NOT NULL, path TEXT, detail TEXT,"
    " first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, gone TEXT,"
    " PRIMARY KEY (target, place, key, inside)) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {LAYOUT}",
)

#: Layout 1 did not say of a match whose rules it is of: these are forgotten, and asked again.
UPGRADES: Final = {
    1: (
        "ALTER TABLE hits RENAME TO hits_1",
        next(statement for statement in CREATE if statement.startswith("CREATE TABLE hits ")),
        "INSERT INTO hits SELECT *, '' FROM hits_1 WHERE kind <> 'rule'",
        "DROP TABLE hits_1",
        "DELETE FROM sightings WHERE key LIKE 'rule:%'",
        "DELETE FROM asked WHERE name LIKE 'rules:%' OR name LIKE 'kingfisher:%'",
        f"PRAGMA user_version = {LAYOUT}",
    )
}
