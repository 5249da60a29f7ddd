"""Models of hardware keys that a room takes: each a pair of AAGUID and root certificates.

The AAGUID alone is what an authenticator says of itself; a root alone vouches for whatever its vendor makes,
synced passkeys among them. Together they name one model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immure.access.webauthn.chain import parse_pem
from immure.errors import UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from immure.toml_file import Table

_AAGUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Model:
    """A model. ``unique``: each piece has an attestation certificate of its own (enterprise attestation), so
    that two credentials with one certificate are one piece of hardware."""

    aaguid: bytes
    name: str
    roots: tuple[Certificate, ...]
    unique: bool = False


def parse_aaguid(text: str) -> bytes:
    """The 16 bytes of an AAGUID, written as a UUID in lower case; raises UsageError."""
    if not _AAGUID.fullmatch(text) or not int(text.replace("-", ""), 16):
        raise UsageError(f"{text[:40]!r} is not the AAGUID of a model, in lower case with hyphens")
    return bytes.fromhex(text.replace("-", ""))


def aaguid_text(aaguid: bytes) -> str:
    """An AAGUID as people write it."""
    digits = aaguid.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def parse_model(table: Table) -> Model:
    """The model that a table of a policy names; raises PolicyError."""
    try:
        aaguid = parse_aaguid(table.text("aaguid"))
        roots = tuple(parse_pem(one) for one in table.texts("roots"))
    except UsageError as error:
        raise table.fail(error.reason) from error
    if not roots:
        raise table.fail("'roots' names none")
    return Model(aaguid, table.text("name"), roots, table.flag("unique_attestation", False))
