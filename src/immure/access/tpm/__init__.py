"""Keys of workstations that are proven to be in a TPM.

On the workstation, :mod:`.enrolling` makes keys in the TPM (:mod:`.device`) and an offer. The room answers
with a challenge (:mod:`.challenges`), and the workstation with what its TPM has opened and signed. What that
proves is decided by :mod:`.evidence`, from bytes alone; so it is decided again by whoever verifies the log of
the room.
"""

from __future__ import annotations

from immure.access.tpm.challenges import Challenges, prove
from immure.access.tpm.evidence import Offer, Proven, parse_offer

__all__ = ["Challenges", "Offer", "Proven", "parse_offer", "prove"]
