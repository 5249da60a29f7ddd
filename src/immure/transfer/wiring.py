"""The real parts behind the gate's interfaces: the verifier of envelopes, and a log signed by a key URI."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from immure.attest.clearance import CLEARANCE_V1
from immure.attest.reasons import Reason
from immure.attest.trust import TrustedKey, trusted_key
from immure.attest.verify import verify_envelope
from immure.clock import Clock
from immure.errors import AttestationError
from immure.keymaterial.key import PublicKey
from immure.transfer.case import NotShown, Shown
from immure.transfer.policy import SignerRules

#: Which rule a reason belongs to; the others belong to ``clearance``.
_RULES: Final = {
    Reason.UNTRUSTED: "signers",
    Reason.TOO_FEW: "signers",
    Reason.BAD_SIGNATURE: "signers",
    Reason.NOT_YET: "issued",
    Reason.EXPIRED: "expired",
}


class EnvelopeVerifier:
    """Verifies DSSE envelopes with the keys of the policy.

    Args:
        keys: further public keys, for fingerprints that the policy names without a file.
    """

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        self._keys = tuple(keys)

    def verify(self, envelope: bytes, signers: SignerRules, now: Clock) -> Shown | NotShown:
        """See :meth:`immure.transfer.interfaces.Verifier.verify`."""
        trusted = self._trusted(signers)
        if len({key.thumbprint for key in trusted}) < signers.threshold:
            words = f"only {len(trusted)} public keys are known of those that may sign"
            return NotShown("signers", f"{words}, {signers.threshold} would have to")
        try:
            verified = verify_envelope(
                envelope,
                trusted,
                predicate_types=(CLEARANCE_V1,),
                threshold=signers.threshold,
                now=_fixed(now()),
            )
        except AttestationError as error:
            return NotShown(_rule_of(error), error.reason)
        [subject] = verified.statement.subjects
        return Shown(verified.clearance, subject.sha256, frozenset(verified.thumbprints))

    def _trusted(self, signers: SignerRules) -> list[TrustedKey]:
        allowed = [key for key in (*signers.keys, *self._keys) if key.thumbprint in signers.allowed]
        usable = [key for public in allowed if (key := trusted_key(public)) is not None]
        trusted = {(key.thumbprint, key.algorithm): key for key in usable}
        return list(trusted.values())


def _rule_of(error: AttestationError) -> str:
    for reason, rule in _RULES.items():
        if error.reason.startswith(reason):
            return rule
    return "clearance"


def _fixed(moment: datetime) -> Clock:
    return lambda: moment
