"""The tables of a ledger in PostgreSQL."""

from __future__ import annotations

from typing import Final

#: Of these tables.
LAYOUT: Final = 1

CREATE: Final = """
CREATE TABLE immure_ledger_layout (version integer NOT NULL);
INSERT INTO immure_ledger_layout VALUES (1);
CREATE TABLE immure_ledger_issuers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    last bigint NOT NULL DEFAULT 0,
    closed bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    watermark bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0
);
CREATE TABLE immure_ledger_tokens (
    issuer integer NOT NULL REFERENCES immure_ledger_issuers,
    seq bigint NOT NULL,
    digest bytea NOT NULL,
    kid text NOT NULL,
    sub text NOT NULL,
    aud text NOT NULL,
    tenant text NOT NULL,
    client text NOT NULL,
    iat bigint NOT NULL,
    exp bigint NOT NULL,
    session text NOT NULL,
    PRIMARY KEY (issuer, seq)
);
CREATE TABLE immure_ledger_batches (
    issuer integer NOT NULL REFERENCES immure_ledger_issuers,
    number bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    watermark bigint NOT NULL,
    root bytea NOT NULL,
    previous bytea NOT NULL,
    entry bigint,
    PRIMARY KEY (issuer, number)
);
CREATE TABLE immure_ledger_gaps (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer integer NOT NULL REFERENCES immure_ledger_issuers,
    start bigint NOT NULL,
    until bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    reason text NOT NULL
);
CREATE FUNCTION immure_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'immure_ledger_tokens' THEN
        IF OLD.seq <= (
            SELECT coalesce(max(last), 0) FROM immure_ledger_batches
            WHERE issuer = OLD.issuer AND entry IS NOT NULL
        ) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'rows and batches of the ledger are kept as they are';
END $$;
CREATE TRIGGER tokens_stay BEFORE UPDATE OR DELETE ON immure_ledger_tokens
    FOR EACH ROW EXECUTE FUNCTION immure_ledger_refuse();
CREATE TRIGGER tokens_are_kept BEFORE TRUNCATE ON immure_ledger_tokens
    FOR EACH STATEMENT EXECUTE FUNCTION immure_ledger_refuse();
CREATE TRIGGER batches_are_kept BEFORE DELETE ON immure_ledger_batches
    FOR EACH ROW EXECUTE FUNCTION immure_ledger_refuse();
"""

#: Writes rows of one issuer: its number, and the columns as arrays. The row of the issuer is locked first, so
#: that ``taken`` is what the last writer left, whenever this statement began. Gives place and sequence number
#: of each row that is not below the watermark, and the watermark.
APPEND: Final = """
WITH taken AS (
    SELECT id, last, watermark FROM immure_ledger_issuers WHERE id = %s FOR UPDATE
), fresh AS (
    SELECT given.*, row_number() OVER (ORDER BY place) AS number
    FROM taken, unnest(
        %s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::bigint[], %s::bigint[], %s::text[]
    ) WITH ORDINALITY AS given (digest, kid, sub, aud, tenant, client, iat, exp, session, place)
    WHERE given.iat >= taken.watermark
), counted AS (
    UPDATE immure_ledger_issuers SET last = taken.last + (SELECT count(*) FROM fresh)
    FROM taken WHERE immure_ledger_issuers.id = taken.id
), written AS (
    INSERT INTO immure_ledger_tokens
        (issuer, seq, digest, kid, sub, aud, tenant, client, iat, exp, session)
    SELECT taken.id, taken.last + number, digest, kid, sub, aud, tenant, client, iat, exp, session
    FROM fresh, taken
)
SELECT place, taken.last + number, watermark FROM taken LEFT JOIN fresh ON true
"""
