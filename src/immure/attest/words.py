"""A clearance for people: what it says, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from immure.attest.clearance import Clearance
from immure.attest.clearance_parts import ClearedFinding, KeyFacts
from immure.attest.clearance_proof import PPM, Check, Residue
from immure.attest.statement import Statement
from immure.clock import to_rfc3339
from immure.scanning.report.words import bytes_words, count_words, list_words, shortened, visible

#: Entries of a list that are shown.
_SHOWN: Final = 10


def describe(statement: Statement, clearance: Clearance) -> Iterator[str]:
    """What the statement and its clearance say; foreign text in it is made visible."""
    subject = statement.subjects[0]
    yield f"Subject       {visible(subject.name) or '(no name)'}"
    yield f"              sha256 {subject.sha256}"
    codec = f", {visible(clearance.dump.codec)}" if clearance.dump.codec else ""
    yield f"              {visible(clearance.dump.format)}{codec}, {bytes_words(clearance.dump.size)}"
    yield f"Made of       sha256 {clearance.source.sha256}, {bytes_words(clearance.source.size)}"
    yield f"Made by       {visible(clearance.tool.name)} {visible(clearance.tool.version)}"
    yield f"Holds         from {to_rfc3339(clearance.issued)} to {to_rfc3339(clearance.expires)}"
    yield from _searched(clearance)
    yield from _not_searched(clearance)
    yield from _findings(clearance)
    yield from _redactions(clearance)
    yield from _proof(clearance)
    yield from _decision(clearance)


def _searched(clearance: Clearance) -> Iterator[str]:
    searched = clearance.searched
    harvested = ", and keys that the image itself names" if searched.harvest else ""
    yield f"Searched      {searched.mode}; detectors: {_names(searched.detectors)}"
    yield f"              for {count_words(len(searched.keys), 'named key')}{harvested}"
    yield from _some(f"              - {_key(one.key)} from {visible(one.source)}" for one in searched.keys)
    if searched.texts:
        yield f"              for texts: {_names(searched.texts)}"
    if searched.known:
        yield f"              for given private keys: {_names(searched.known)}"
    if searched.secrets:
        yield f"              for given secrets: {_names(searched.secrets)}"
    yield f"              kept of memory: {_names(searched.keep)}"


def _not_searched(clearance: Clearance) -> Iterator[str]:
    if not clearance.not_searched:
        yield "Not searched  nothing was left out"
        return
    ranges: Counter[str] = Counter()
    lengths: Counter[str] = Counter()
    for one in clearance.not_searched:
        name = f"by {visible(one.detector)}: {visible(one.reason)}"
        ranges[name] += 1
        lengths[name] += one.length
    yield f"Not searched  {count_words(len(clearance.not_searched), 'range')}"
    yield from _some(
        f"              - {bytes_words(lengths[name])} in {count_words(count, 'range')} {name}"
        for name, count in ranges.most_common()
    )


def _findings(clearance: Clearance) -> Iterator[str]:
    yield f"Found         {count_words(len(clearance.findings), 'private key')} in the source"
    yield from _some(f"              - {_finding(one)}" for one in clearance.findings)


def _finding(finding: ClearedFinding) -> str:
    left = f"{count_words(finding.residual_bits, 'bit')} of it left"
    places = count_words(finding.occurrences, "place")
    return f"{_key(finding.key)} ({finding.kind}) in {places}: {visible(finding.proof)}; {left}"


def _redactions(clearance: Clearance) -> Iterator[str]:
    erased = sum(one.length for one in clearance.redactions)
    yield f"Erased        {bytes_words(erased)} in {count_words(len(clearance.redactions), 'place')}"
    counts = Counter((one.kind, one.encoding, one.key) for one in clearance.redactions)
    yield from _some(
        f"              - {count:,} × {visible(kind)}"
        + (f" as {visible(encoding)}" if encoding else "")
        + (f" of {key}" if key else "")
        for (kind, encoding, key), count in counts.most_common()
    )


def _proof(clearance: Clearance) -> Iterator[str]:
    proof = clearance.proof
    yield f"Proof         {'holds' if proof.holds else 'DOES NOT HOLD'}"
    if proof.holds and not proof.complete:
        yield "              not everything could be tried"
    found = count_words(proof.fragments, "fragment")
    yield f"              {bytes_words(proof.searched_bytes)} searched again: {found} of a secret"
    yield from _some(f"              - {_check(check)}" for check in proof.checks)
    yield from _some(f"              - {_residue(residue)}" for residue in proof.residues)


def _check(check: Check) -> str:
    status = check.status.upper() if check.status == "failed" else check.status
    return f"{visible(check.name)}: {status}" + (f", {visible(check.detail)}" if check.detail else "")


def _residue(residue: Residue) -> str:
    worst = max(residue.bounds, key=lambda bound: bound.share_ppm / max(bound.enough_ppm, 1), default=None)
    name = f"{visible(residue.kind)} {visible(residue.key)}"
    words = f"{residue.bits_left:,} of {residue.bits:,} bits left of {name}"
    if worst is None:
        return words
    share, enough = worst.share_ppm / PPM, worst.enough_ppm / PPM
    return f"{words}; {share:.1%} by {visible(worst.name)}, which needs {enough:.1%}"


def _decision(clearance: Clearance) -> Iterator[str]:
    decision = clearance.decision
    if decision is None:
        yield "Decision      no policy was asked"
        return
    yield f"Decision      {'may leave' if decision.allowed else 'MAY NOT LEAVE'} by the policy with"
    yield f"              sha256 {decision.policy}"
    yield from _some(f"              - {visible(rule)}" for rule in decision.rules)


def _key(key: KeyFacts) -> str:
    kid = f' "{shortened(key.kid, 40)}"' if key.kid else ""
    issuer = f" of {visible(key.issuer)}" if key.issuer else ""
    return f"{key.kty} key{kid} {key.thumbprint}{issuer}"


def _names(names: tuple[str, ...]) -> str:
    return list_words([visible(name) for name in names]) or "none"


def _some(lines: Iterator[str]) -> Iterator[str]:
    """The first lines, and how many more there are."""
    more = 0
    for number, line in enumerate(lines):
        if number < _SHOWN:
            yield line
        else:
            more += 1
    if more:
        yield f"              … and {more:,} more"
