"""``immure ledger find``: was this token ever issued?"""

from __future__ import annotations

import json
from typing import Any

import click

from immure.cli.count_progress import count_progress
from immure.cli.exit_codes import ExitCode
from immure.cli.ledger_options import EXIT_CODES, FORMAT, PLACE, QUIET, time_words
from immure.errors import UsageError

_MOST_TOKEN = 1 << 20
_WORDS = {
    "issued": "issued",
    "never-issued": "NEVER ISSUED",
    "not-yet-known": "not known yet: issued after the watermark",
    "ledger-gap": "ledger gap: rows of that time were lost, so nobody can tell",
    "forgotten": "forgotten: rows of that time were pruned, so nobody can tell",
    "unknown": "not in the ledger; of what issuer, or when, is not known",
}


_EPILOG = f"""
\b
Examples:
  immure ledger find ledger.db token.jwt
  immure ledger find postgresql://ledger@db.example/immure 0123456789abcdef0123456789abcdef --format json
{EXIT_CODES}"""


@click.command(epilog=_EPILOG)
@PLACE
@click.argument("token", metavar="TOKEN|DIGEST")
@FORMAT
@QUIET
def find(place: str, token: str, form: str, quiet: bool) -> int:
    """Look a token up: by its file (- for standard input), or by the digest that logs have (32 hex digits).

    Not in the ledger and issued before the watermark means that it was never issued; the answer says whether
    that can be said: not of a time of which rows were lost (ledger gap) or pruned (forgotten).
    """
    from immure.ledger.opening import open_ledger
    from immure.ledger.verdict import look_up
    from immure.scanning.report.words import visible

    digest, claims = _digest_of(token)
    with open_ledger(place) as store, count_progress("rows", quiet=quiet) as told:
        answer = look_up(store, digest, issuer=_issuer(claims), issued_at=_issued_at(claims), told=told)
    if form == "json":
        rows = [json.loads(row.leaf(sequence)) for sequence, row in answer.rows]
        gap = None if answer.gap is None else answer.gap.body()
        plain = {"digest": digest.hex(), "verdict": answer.verdict, "gap": gap, "rows": rows}
        click.echo(json.dumps(plain, indent=1))
    else:
        click.echo(f"{digest.hex()}: {_WORDS[answer.verdict]}")
        if answer.gap is not None:
            click.echo(f"  {visible(answer.gap.words())}")
        for sequence, row in answer.rows:
            click.echo(f"  number {sequence} of {visible(row.issuer)}, key {visible(row.kid)}")
            click.echo(f"  issued {time_words(row.issued_at)} to {visible(row.client or '-')}")
    return ExitCode.CLEAN if answer.rows else ExitCode.FINDINGS


def _digest_of(token: str) -> tuple[bytes, dict[str, Any] | None]:
    """The digest, and what the token says of itself, if there is a token."""
    from immure.digest import SIZE, signed_digest
    from immure.tokens.parse import parse_token

    if len(token) == 2 * SIZE and all(digit in "0123456789abcdef" for digit in token):
        return bytes.fromhex(token), None
    try:
        with click.open_file(token, "rb") as stream:
            raw = stream.read(_MOST_TOKEN).strip()
    except (OSError, ValueError) as error:
        raise UsageError("neither a digest nor a file that can be read", path="TOKEN") from error
    parsed = parse_token(raw)
    return signed_digest(parsed.signing_input), parsed.claims


def _issuer(claims: dict[str, Any] | None) -> str | None:
    name = (claims or {}).get("iss")
    return name if isinstance(name, str) else None


def _issued_at(claims: dict[str, Any] | None) -> float | None:
    moment = (claims or {}).get("iat")
    try:
        return float(moment) if type(moment) in (int, float) else None  # type: ignore[arg-type]
    except OverflowError:  # so many digits: from after every watermark
        return float("inf")
