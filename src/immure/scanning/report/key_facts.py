"""What there is to say of a key and its occurrences, in words that the terminal and the page share."""

from __future__ import annotations

from immure.keymaterial.key import PublicKey
from immure.scanning.finding import Finding
from immure.scanning.report.summary import tally
from immure.scanning.report.words import count_words, list_words, secret_words, validity_words, visible

_TALLIES_SHOWN = 8


def source_words(key: PublicKey) -> str:
    """Where a key was learned."""
    at = "" if key.origin.harvested_at is None else f" at {key.origin.harvested_at:#x}"
    return f"{visible(key.origin.source)}{at}"


def scope_words(key: PublicKey) -> str:
    """What the key may sign for, as far as its source says."""
    facts = [visible(key.origin.issuer)] if key.origin.issuer else ["issuer not stated"]
    if key.origin.cloud_instance_name:
        facts.append(f"cloud {visible(key.origin.cloud_instance_name)}")
    validity = validity_words(key)
    return ", ".join([*facts, validity] if validity else facts)


def found_words(finding: Finding) -> str:
    """How often, by secret and encoding."""
    counts = tally(finding.occurrences)
    words = []
    for entry in counts[:_TALLIES_SHOWN]:
        times = f"{entry.whole + entry.partial:,}×"
        part = f" ({entry.partial:,} in part)" if entry.partial else ""
        secret = secret_words(finding.key.kty, entry.secret)
        words.append(f"{times} {secret} as {visible(entry.encoding)}{part}")
    if len(counts) > _TALLIES_SHOWN:
        words.append(f"{count_words(len(counts) - _TALLIES_SHOWN, 'other form')}")
    return f"{count_words(len(finding.occurrences), 'time')}: {list_words(words)}" if words else "0 times"
