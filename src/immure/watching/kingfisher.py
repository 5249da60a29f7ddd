"""Credentials in text by an engine with some hundred rules (Kingfisher, extra ``credentials``).

A match is no proof: it says that bytes look like a credential. It is a finding of the kind ``rule``, as
one of a YARA rule is, and the bytes that matched are never kept.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version

from immure.dumps.dump import Image
from immure.scanning.credentials import Confidence, Credential, CredentialSearch
from immure.watching.errors import RulesError
from immure.watching.finding import MOST_OCCURRENCES, Hit, KnownKey, Spot
from immure.watching.item import Trouble

_PACKAGE = "kingfisher-secret-scanner"


@dataclass(frozen=True)
class Kingfisher:
    """The engine's own rules; each thread loads them when it first searches.

    Attributes:
        confidence: the least that a rule must have.
    """

    confidence: Confidence = "medium"
    _local: threading.local = field(default_factory=threading.local, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises RulesError if the package is missing."""
        try:
            import_module("kingfisher_sdk")
        except ImportError as error:
            words = f"Kingfisher's rules need the package {_PACKAGE}: pip install 'immure[credentials]'"
            raise RulesError(words) from error

    @property
    def name(self) -> str:
        """Names the rules: another one for another version of the engine."""
        return f"kingfisher:{version(_PACKAGE)}:{self.confidence}"

    def search(self, image: Image, inside: str) -> tuple[list[Hit], list[Trouble]]:
        """What looks like a credential in an image, by rule, and what was not searched."""
        found: dict[str, list[Credential]] = {}
        troubles: list[Trouble] = []
        for one in self._search().search(image):
            if isinstance(one, Credential):
                found.setdefault(one.rule, []).append(one)
            else:
                troubles.append(Trouble(inside, one.reason, one.length))
        return [_hit(rule, sorted(matches), inside) for rule, matches in sorted(found.items())], troubles

    def _search(self) -> CredentialSearch:
        if not hasattr(self._local, "search"):
            self._local.search = CredentialSearch(self.confidence)
        search: CredentialSearch = self._local.search
        return search


def _hit(rule: str, matches: list[Credential], inside: str) -> Hit:
    spots = tuple(
        Spot("credential", "base64" if one.is_encoded else "text", one.offset, one.length, True)
        for one in matches[:MOST_OCCURRENCES]
    )
    first = matches[0]
    words = f"Kingfisher's rule {rule} matches ({first.confidence} confidence): {first.words}"
    key = KnownKey(f"rule:{rule}", f"rule {rule}", "rule")
    return Hit(key, inside, "rule", words[:300], True, len(matches), spots)
