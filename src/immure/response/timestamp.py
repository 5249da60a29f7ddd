"""Timestamps (RFC 3161): somebody else's word that a digest was there at a certain time.

>>> query(bytes(32), nonce=5).hex()[:18]
'303c0201013031300d'

The digest is the SHA-256 of the file itself, so that ``openssl ts -verify -data FILE`` takes the answer, too.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from immure.errors import UsageError
from immure.keymaterial.der import encode, integer, octets, sequence
from immure.keymaterial.sources_http import is_loopback_url
from immure.response.errors import TimestampError
from immure.response.events.errors import SendError
from immure.response.events.http import Sender
from immure.response.stamp_order import in_order

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: Bytes of the longest answer; ordinary ones have 2 to 8 KiB.
MOST_ANSWER: Final = 64 << 10
MOST_CERTIFICATES: Final = 256 << 10
SECONDS: Final = 20.0
_OK: Final = 200
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
#: ``SEQUENCE { OBJECT IDENTIFIER sha-256, NULL }``
_ALGORITHM: Final = bytes.fromhex("300d06096086480165030402010500")
_BOOLEAN: Final = 0x01


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a timestamp says.

    Attributes:
        at: when the digest was there.
        serial: of the timestamp at its authority.
        trusted: whether its signature leads to a certificate that was given.
    """

    at: datetime
    serial: int
    trusted: bool


def query(digest: bytes, *, nonce: int) -> bytes:
    """A ``TimeStampReq`` for a SHA-256 digest (RFC 3161, section 2.4.1) that asks for the certificates.

    Written out here because the library makes one only of the whole data, and an image does not fit into
    memory.
    """
    imprint = sequence(_ALGORITHM, octets(digest))
    return sequence(integer(1), imprint, integer(nonce), encode(_BOOLEAN, b"\xff"))


def fetch_stamp(url: str, digest: bytes, *, roots: Sequence[Certificate] = ()) -> tuple[bytes, Stamp]:
    """Ask an authority for a timestamp.

    Args:
        url: of the authority, ``http`` or ``https`` (the answer is signed either way).
        digest: SHA-256, 32 bytes.
        roots: certificates that its signature must lead to; none means that this is not checked now.

    Returns:
        The answer, to be kept, and what it says.

    Raises:
        TimestampError: there is no answer, or it is not one to this question.
        UsageError: the library is not installed.
    """
    nonce = secrets.randbits(63)
    answer = _post(url, query(digest, nonce=nonce))
    return answer, check_stamp(answer, digest, roots=roots, nonce=nonce, path=url)


def check_stamp(
    answer: bytes,
    digest: bytes,
    *,
    roots: Sequence[Certificate] = (),
    nonce: int | None = None,
    path: str | None = None,
) -> Stamp:
    """What an answer says of a digest.

    Args:
        answer: a ``TimeStampResp`` in DER.
        digest: SHA-256 that it must be about.
        roots: trusted certificates; with none, only what the answer is about is checked, and nobody's word
            is behind it.
        nonce: of the question.
        path: for messages.

    Raises:
        TimestampError: it is no timestamp, one of something else, or not signed under ``roots``.
        UsageError: the library is not installed.
    """
    if len(answer) > MOST_ANSWER:
        raise TimestampError(f"an answer of more than {MOST_ANSWER:,} bytes", path=path)
    try:
        return _checked(answer, digest, list(roots), nonce)
    except TimestampError as error:
        raise TimestampError(error.reason, path=path) from error
    except UsageError:
        raise
    except Exception as error:  # what two libraries raise on foreign bytes has no common base
        words = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise TimestampError(f"no timestamp that holds: {words}", path=path) from error


def read_roots(paths: Sequence[Path]) -> list[Certificate]:
    """The certificates in PEM files.

    Raises:
        UsageError: there is none in one of them.
    """
    from cryptography.x509 import load_pem_x509_certificates

    found: list[Certificate] = []
    for path in paths:
        try:
            with path.open("rb") as stream:
                found += load_pem_x509_certificates(stream.read(MOST_CERTIFICATES))
        except OSError as error:
            raise UsageError(error.strerror or str(error), path=str(path)) from error
        except ValueError as error:
            raise UsageError("no certificates in PEM", path=str(path)) from error
    return found


def _checked(answer: bytes, digest: bytes, roots: list[Certificate], nonce: int | None) -> Stamp:
    library = _library()
    response = library.decode_timestamp_response(in_order(answer))
    if response.status not in (0, 1):  # granted, granted with modifications (section 2.4.2)
        raise TimestampError(f"the authority says no: {_words(response)}")
    told = response.tst_info
    imprint = told.message_imprint
    if imprint.hash_algorithm.dotted_string != _SHA256 or imprint.message != digest:
        raise TimestampError("is about another digest")
    if nonce is not None and told.nonce != nonce:
        raise TimestampError("is not the answer to our question: another nonce")
    if roots:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of certificates that a later release will not take
                library.VerifierBuilder(roots=roots, nonce=nonce).build().verify(response, digest)
        except library.VerificationError as error:
            raise TimestampError(f"is not signed under a trusted certificate: {error}") from error
    return Stamp(told.gen_time, told.serial_number, bool(roots))


def _library() -> Any:
    try:
        import rfc3161_client
    except ImportError as error:
        raise UsageError("timestamps need rfc3161-client: pip install 'immure[respond]'") from error
    return rfc3161_client


def _words(response: Any) -> str:
    texts = [str(one) for one in response.status_string]
    words = ", ".join(texts)[:200] or f"status {response.status}"
    return words if words.isprintable() else ascii(words)


def _post(url: str, body: bytes) -> bytes:
    """The answer to a POST, with no redirect followed, bounded in size and, all together, in time."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError("is not a valid URL", path=url) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise UsageError("the URL of a timestamp authority is http://… or https://…", path=url)
    if not url.isascii():
        raise UsageError("is not a valid URL", path=url)
    sender = Sender(True, is_loopback_url(url), seconds=SECONDS, plain=True, most=MOST_ANSWER)
    try:
        answer = sender.send(url, body, {"Content-Type": "application/timestamp-query"})
    except SendError as error:
        raise TimestampError(f"no answer: {error.reason}", path=error.path) from error
    if answer.status != _OK:
        raise TimestampError(f"answered with {answer.status}", path=url)
    return answer.body
