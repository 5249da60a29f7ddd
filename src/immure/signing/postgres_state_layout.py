"""Tables of the state in PostgreSQL."""

from __future__ import annotations

from typing import Final

#: As in what follows.
LAYOUT: Final = 1
CREATE: Final = """
CREATE TABLE immure_signing_layout (version integer NOT NULL);
INSERT INTO immure_signing_layout VALUES (1);
CREATE TABLE immure_signing_once (
    kind text, digest bytea, until bigint NOT NULL, PRIMARY KEY (kind, digest)
);
CREATE INDEX ON immure_signing_once (until);
CREATE TABLE immure_signing_families (
    family bytea PRIMARY KEY, revoked boolean NOT NULL DEFAULT false, until bigint NOT NULL
);
CREATE INDEX ON immure_signing_families (until);
CREATE TABLE immure_signing_kept (
    kind text,
    digest bytea,
    family bytea NOT NULL,
    plain text NOT NULL,
    until bigint NOT NULL,
    used boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, digest)
);
CREATE INDEX ON immure_signing_kept (until);
CREATE TABLE immure_signing_revoked (digest bytea PRIMARY KEY, until bigint NOT NULL);
CREATE INDEX ON immure_signing_revoked (until);
CREATE TABLE immure_signing_leases (work text PRIMARY KEY, who text NOT NULL, until bigint NOT NULL);
CREATE TABLE immure_signing_beats (
    boot text PRIMARY KEY, uptime double precision NOT NULL, at bigint NOT NULL
);
CREATE TABLE immure_signing_fetches (
    issuer text, party text, kids text, first bigint NOT NULL, last bigint NOT NULL,
    PRIMARY KEY (issuer, party, kids)
);
"""
