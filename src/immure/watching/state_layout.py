"""The tables of a state."""

from __future__ import annotations

from typing import Final

#: "Imwa", and the version of the layout.
APPLICATION_ID: Final = 0x496D7761
LAYOUT: Final = 1

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
    "CREATE TABLE hits (content TEXT NOT NULL, key TEXT NOT NULL, inside TEXT NOT NULL, kind TEXT NOT NULL,"
    " proof TEXT NOT NULL, whole INTEGER NOT NULL, count INTEGER NOT NULL, spots TEXT NOT NULL,"
    " PRIMARY KEY (content, key, inside)) WITHOUT ROWID",
    "CREATE TABLE sightings (target TEXT NOT NULL, place TEXT NOT NULL, key TEXT NOT NULL,"
    " inside TEXT NOT NULL, content TEXT NOT NULL, path TEXT, detail TEXT,"
    " first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, gone TEXT,"
    " PRIMARY KEY (target, place, key, inside)) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {LAYOUT}",
)
