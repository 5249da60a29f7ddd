"""From the record of a redaction to the clearance that may be signed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from immure.attest.clearance import Clearance
from immure.attest.clearance_proof import PPM
from immure.attest.reasons import Reason, refusal
from immure.scanning.report import tool

#: What a record calls itself (:mod:`immure.redact.record`).
RECORD: Final = "https://immure.example/schemas/redaction-record-1.json"
#: Checks of a proof, each a part of the record's.
CHECKS: Final = ("scan", "residue", "bytes", "debugger")

_Json = Mapping[str, Any]


def is_record(value: object) -> bool:
    """Whether decoded JSON calls itself the record of a redaction."""
    return isinstance(value, Mapping) and value.get("schema") == RECORD


def clearance_of(record: _Json, issued: datetime, expires: datetime) -> Clearance:
    """The clearance that a record stands for. No policy has been asked for it yet: the gate asks its own.

    Raises:
        AttestationError: the record is malformed.
    """
    try:
        members = _members(record)
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise refusal(Reason.PREDICATE, f"the record lacks or garbles {error}") from error
    return Clearance.of(issued=issued, expires=expires, **members)


def _members(record: _Json) -> dict[str, Any]:
    residues = [_residue(one) for one in record["proof"]["residue"]["keys"]]
    left = {one["key"]: one["bits_left"] for one in residues}
    return {
        "tool": {"name": tool.NAME, "version": tool.version()},
        "dump": {"format": record["format"], "codec": record["codec"], "size": record["output"]["size"]},
        "source": record["source"],
        "searched": _searched(record["searched"]),
        "not_searched": record["not_searched"],
        "findings": [_finding(one, left) for one in record["findings"]],
        "redactions": [_redaction(one) for one in record["redactions"]],
        "proof": _proof(record["proof"], residues),
        "decision": None,
    }


def _redaction(span: _Json) -> dict[str, Any]:
    """A span. Secrets that are no keys have names, not fingerprints: those stand in ``searched.secrets``."""
    return {**span, "key": None if span["kind"] == "secret" else span["key"]}


def _searched(searched: _Json) -> dict[str, Any]:
    """What was searched for; keys of which the user gave the private halves are among them."""
    known, named = searched["known"], searched["keys"]
    keys = {key["thumbprint"]: key for key in (*known, *named)}
    return {**searched, "known": [key["thumbprint"] for key in known], "keys": list(keys.values())}


def _finding(finding: _Json, left: Mapping[str, int]) -> dict[str, Any]:
    key = {name: finding["key"][name] for name in ("thumbprint", "kty", "kid", "issuer")}
    return {**finding, "key": key, "residual_bits": left.get(key["thumbprint"], 0)}


def _proof(proof: _Json, residues: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "holds": proof["ok"],
        "complete": proof["complete"],
        "searched_bytes": proof["scan"]["searched_bytes"],
        "fragments": proof["scan"]["fragments"],
        "checks": [
            {"name": name, "status": proof[name]["status"], "detail": _detail(proof[name])} for name in CHECKS
        ],
        "residues": residues,
    }


def _residue(residue: _Json) -> dict[str, Any]:
    numbers = residue["bits_left"].values()
    return {
        "key": residue["key"],
        "kind": residue["kind"],
        "bits_left": sum(number["left"] for number in numbers),
        "bits": sum(number["of"] for number in numbers),
        "bounds": [
            {
                "name": bound["name"],
                "share_ppm": _ppm(bound["share"], residue),
                "enough_ppm": _ppm(bound["enough"], residue),
                "limit_ppm": _ppm(bound["limit"], residue),
            }
            for bound in residue["bounds"]
        ],
    }


def _ppm(share: float, residue: _Json) -> int:
    """A share in millionths, not below the truth. Of keys on curves the record has bits instead of shares."""
    most = 1.0 if str(residue["kind"]).startswith("RSA") else float(_SCALAR_BITS)
    return min(PPM, -int(-share / most * PPM // 1))


#: One word of a scalar: all that may be known of it is held against this.
_SCALAR_BITS: Final = 64


def _detail(part: _Json) -> str:
    """The reason of a check, or what it counted."""
    if part["reason"]:
        return str(part["reason"])
    counts = {name: value for name, value in part.items() if isinstance(value, int) and value}
    counts |= part.get("compared") or {}
    words = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in counts.items())
    return f"{part['reader']}; {words}" if part.get("reader") else words
