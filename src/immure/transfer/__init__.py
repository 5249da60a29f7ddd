"""The gate through which dumps leave, and the places that they leave to.

>>> from immure.transfer import Gate, Request           # doctest: +SKIP
>>> gate.release(Request(source, clearance, destination, "app.core")).to_json()["placed"]   # doctest: +SKIP
'new'

No envelope, no exit: without a clearance that the policy accepts, and an entry in the log, nothing is visible
anywhere (:mod:`.gate`). What the policy may demand is in :mod:`.policy`, the rules that ask for it in
:mod:`.rules`, where dumps may go in :mod:`.destinations`.
"""

from __future__ import annotations

from immure.transfer.destinations import open_destination
from immure.transfer.gate import Gate, Request
from immure.transfer.policy import Policy, parse_policy
from immure.transfer.policy_file import PolicyFile, install_policy
from immure.transfer.receipt import Receipt
from immure.transfer.sources import ClearanceFile, FileSource, VaultSource
from immure.transfer.wiring import EnvelopeVerifier

__all__ = [
    "ClearanceFile",
    "EnvelopeVerifier",
    "FileSource",
    "Gate",
    "Policy",
    "PolicyFile",
    "Receipt",
    "Request",
    "VaultSource",
    "install_policy",
    "open_destination",
    "parse_policy",
]
