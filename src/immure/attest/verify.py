"""Verifies envelopes: first the signatures, over the bytes as they are; only then what the bytes say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from immure import clock
from immure.attest.clearance import Clearance
from immure.attest.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, parse_envelope
from immure.attest.predicates import PREDICATES, read_payload
from immure.attest.reasons import Reason, refusal
from immure.attest.statement import Digest, Statement, digest_of
from immure.attest.trust import TrustedKey
from immure.clock import Clock, to_rfc3339
from immure.custody.algorithms import is_signature

#: By how much clocks may differ.
SKEW: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Verified:
    """A statement that trusted keys have signed, what it says, and the keys."""

    statement: Statement
    clearance: Clearance
    keys: tuple[TrustedKey, ...]

    @property
    def thumbprints(self) -> tuple[str, ...]:
        """Names of the keys, in the order of their signatures."""
        return tuple(key.thumbprint for key in self.keys)


def verify_envelope(
    data: bytes,
    trusted: Sequence[TrustedKey],
    *,
    predicate_types: Collection[str] = tuple(PREDICATES),
    threshold: int = 1,
    now: Clock = clock.now,
) -> Verified:
    """The statement in an envelope, if it is signed by trusted keys and holds now.

    A signature in the name of a trusted key must hold, or the envelope is refused; those in other names are
    passed over. A signature without a name is tried with every trusted key.

    Args:
        data: the envelope.
        trusted: whose signatures count.
        predicate_types: which claims are wanted.
        threshold: how many different keys must have signed, at least 1.
        now: tells the time.

    Raises:
        AttestationError: anything of it is not so; :class:`~immure.attest.reasons.Reason` lists what.
        ValueError: the threshold is less than 1.
    """
    if threshold < 1:
        raise ValueError("a threshold below 1 would accept what nobody signed")
    envelope = parse_envelope(data)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise refusal(Reason.PAYLOAD_TYPE, repr(envelope.payload_type[:80]))
    moment = now()
    keys = _signers(envelope, [key for key in trusted if key.is_valid_at(moment)])
    if not keys:
        raise refusal(Reason.UNTRUSTED)
    if len(keys) < threshold:
        raise refusal(Reason.TOO_FEW, f"{len(keys)} of {threshold}")
    statement, clearance = read_payload(envelope.payload, predicate_types)
    check_time(clearance, moment)
    return Verified(statement, clearance, keys)


def verify_release(
    data: bytes,
    released: BinaryIO | Digest,
    trusted: Sequence[TrustedKey],
    *,
    threshold: int = 1,
    now: Clock = clock.now,
) -> Verified:
    """The clearance in an envelope, if it clears these very bytes; arguments as :func:`verify_envelope`.

    Args:
        released: an open file, which is read from its beginning to its end and left at its beginning; or the
            digest of what will be released, if that was computed from the same descriptor.

    Raises:
        AttestationError: as :func:`verify_envelope`; or it is about other bytes, or does not clear them.
        InputError: the file cannot be read.
    """
    verified = verify_envelope(data, trusted, threshold=threshold, now=now)
    digest = released if isinstance(released, Digest) else digest_of(released, _name(released))
    check_subject(verified.statement, digest)
    verified.clearance.check_clears(digest)
    return verified


def check_subject(statement: Statement, digest: Digest) -> None:
    """Return if the statement is about these bytes, raise AttestationError otherwise."""
    if all(subject.sha256 != digest.sha256 for subject in statement.subjects):
        raise refusal(Reason.OTHER_BYTES, f"the SHA-256 digest of these is {digest.sha256}")


def check_time(clearance: Clearance, moment: datetime) -> None:
    """Return if the clearance holds at ``moment``, give or take :data:`SKEW`, else raise AttestationError."""
    # what is added to and taken from is our own time: theirs might be at the end of the calendar
    if moment + SKEW < clearance.issued:
        raise refusal(Reason.NOT_YET, f"it holds from {to_rfc3339(clearance.issued)}")
    if moment - SKEW > clearance.expires:
        raise refusal(Reason.EXPIRED, f"it held until {to_rfc3339(clearance.expires)}")


def _signers(envelope: Envelope, trusted: Sequence[TrustedKey]) -> tuple[TrustedKey, ...]:
    """The trusted keys that have signed, each once."""
    message = envelope.pae()
    found: dict[str, TrustedKey] = {}
    for signature in envelope.signatures:
        candidates = [key for key in trusted if signature.keyid in ("", key.thumbprint)]
        holding = [key for key in candidates if _holds(key, message, signature)]
        if signature.keyid and candidates and not holding:
            raise refusal(Reason.BAD_SIGNATURE, signature.keyid)
        found.update((key.thumbprint, key) for key in holding)
    return tuple(found.values())


def _holds(key: TrustedKey, message: bytes, signature: EnvelopeSignature) -> bool:
    return is_signature(key.public.numbers, key.algorithm, message, signature.sig)


def _name(stream: BinaryIO) -> str:
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) else "the released file"
