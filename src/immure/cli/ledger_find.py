"""``immure ledger find``: was this token ever issued?"""

from __future__ import annotations

import json
from typing import Any

import click

from immure.cli.exit_codes import ExitCode
from immure.cli.ledger_options import EXIT_CODES, FORMAT, PLACE, time_words
from immure.errors import UsageError

_MOST_TOKEN = 1 << 20


@click.command(epilog=EXIT_CODES)
@PLACE
@click.argument("token", metavar="TOKEN|DIGEST")
@FORMAT
def find(place: str, token: str, form: str) -> int:
    """Look a token up: by its file (- for standard input), or by the digest that logs have (32 hex digits).

    Not in the ledger and issued before the watermark means that it was never issued; the answer says whether
    that can be said.
    """
    from immure.ledger.opening import open_ledger
    from immure.scanning.report.words import visible

    digest, claims = _digest_of(token)
    with open_ledger(place) as store:
        found = store.find(digest)
        marks = {one.issuer: one.watermark for one in store.standings()}
    verdict = "issued" if found else _verdict(claims, marks)
    if form == "json":
        rows = [json.loads(row.leaf(sequence)) for sequence, row in found]
        click.echo(json.dumps({"digest": digest.hex(), "verdict": verdict, "rows": rows}, indent=1))
    else:
        click.echo(f"{digest.hex()}: {verdict}")
        for sequence, row in found:
            click.echo(f"  number {sequence} of {visible(row.issuer)}, key {visible(row.kid)}")
            click.echo(f"  issued {time_words(row.issued_at)} to {visible(row.client or '-')}")
    return ExitCode.CLEAN if found else ExitCode.FINDINGS


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


def _verdict(claims: dict[str, Any] | None, marks: dict[str, int]) -> str:
    if claims is None:
        return "not in the ledger"
    issued_at, mark = claims.get("iat"), marks.get(str(claims.get("iss")))
    if mark is None or type(issued_at) not in (int, float):
        return "not in the ledger, which has no such issuer, or the token no time"
    return "NEVER ISSUED" if float(str(issued_at)) < mark else "not known yet: issued after the watermark"
