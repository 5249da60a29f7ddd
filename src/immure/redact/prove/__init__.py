"""Proves a redaction: by a second scanner, by counting what is left, byte by byte, and by other programs.

>>> report = prove(original, redacted, [key], spans, fill)   # doctest: +SKIP
>>> report.ok, report.reasons                                # doctest: +SKIP
(False, ['scan: 1 part is still there of secret numbers, the first at offset 0x5010'])

Everything here is worked out anew from the keys alone. It shares no kernel, no table of windows and no
encoder with what searched and erased, so that a mistake there is not repeated here.
"""

from immure.redact.prove.options import ProveOptions, ResidueLimits
from immure.redact.prove.prover import compare, inspect, prove, scan
from immure.redact.prove.report import (
    Attempt,
    Bound,
    BytesPart,
    Change,
    DebuggerPart,
    Fragment,
    KeyResidue,
    ProofReport,
    ResiduePart,
    ScanPart,
)
from immure.redact.prove.secrets import ByteSecret, ScalarOnly

__all__ = [
    "Attempt",
    "Bound",
    "ByteSecret",
    "BytesPart",
    "Change",
    "DebuggerPart",
    "Fragment",
    "KeyResidue",
    "ProofReport",
    "ProveOptions",
    "ResidueLimits",
    "ResiduePart",
    "ScalarOnly",
    "ScanPart",
    "compare",
    "inspect",
    "prove",
    "scan",
]
