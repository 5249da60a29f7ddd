"""What the survey found becomes keys to search for, and proofs where it was a private key."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from immure.dumps.dump import Image
from immure.keymaterial.key import Numbers, Origin, PublicKey
from immure.keymaterial.structures import Hit, PrivateHit, PublicHit, SealedHit
from immure.scanning.finding import NotSearched, Occurrence
from immure.scanning.keyset import KeySet
from immure.scanning.occurrences import occurrence
from immure.scanning.proofs import Proof, proof_of_private

#: Public keys of an image that are searched for besides those that the user named.
MOST_KEYS: Final = 10_000
#: Kinds of sealed containers that are told of: each blob of DPAPI may have a master key of its own.
MOST_NOTES: Final = 20
#: What does not search for the others.
_DETECTORS: Final = ("rsa", "montgomery", "ec")


class Harvest:
    """Takes the hits of an image in order of offset.

    Args:
        keys: where public keys go to.
        public: harvest keys whose public half stands in the image.
        private: whole private keys are findings.
    """

    def __init__(self, keys: KeySet, *, public: bool, private: bool) -> None:
        self._keys = keys
        self._public = public
        self._private = private
        self._doubtful: list[PrivateHit] = []
        self._harvested = 0
        self.not_searched: list[NotSearched] = []
        self.proofs: dict[Numbers, Proof] = {}
        self._sealed: dict[str, set[int]] = {}
        self._places: dict[Numbers, list[tuple[int, int, str]]] = defaultdict(list)

    def take(self, hit: Hit) -> None:
        """Note one hit, whose offset is in the image."""
        if isinstance(hit, PrivateHit):
            if hit.proved:
                self._take_private(hit)
            else:
                self._doubtful.append(hit)
        elif isinstance(hit, SealedHit):
            if self._private:
                self._sealed.setdefault(f"{hit.what} ({hit.encoding})", set()).add(hit.offset)
        elif self._public and hit.key_numbers in self._keys:
            self._keys.add(_key(hit.key_numbers, hit), "harvested")
        elif self._public:
            self._harvested += 1
            if self._harvested <= MOST_KEYS:
                self._keys.add(_key(hit.key_numbers, hit), "harvested")
            elif not self.not_searched:
                reason = (
                    f"more than {MOST_KEYS} public keys in the image: those from here on are not searched for"
                )
                self.not_searched += [
                    NotSearched(hit.offset, hit.length, name, reason) for name in _DETECTORS
                ]

    def settle(self) -> None:
        """Bare scalars in scraps of structures count if their public half turned up somewhere."""
        for hit in self._doubtful:
            if hit.private.public in self._keys:
                self._take_private(hit)
        self._doubtful.clear()

    @property
    def notes(self) -> list[str]:
        """What there is to say of sealed containers: what may be in them is searched for by nobody."""
        notes = [_note(what, offsets) for what, offsets in self._sealed.items()]
        more = len(notes) - MOST_NOTES
        return [*notes[:MOST_NOTES], *[f"{more:,} more kinds of sealed containers"] * (more > 0)]

    def _take_private(self, hit: PrivateHit) -> None:
        public = hit.private.public
        if not self._private and not self._public:
            return
        self._keys.add(_key(public, hit), "unnamed" if self._private else "harvested")
        if self._private:
            self.proofs.setdefault(public, proof_of_private(hit.private, hit.encoding, hit.offset))
            self._places[public].append((hit.offset, hit.length, hit.encoding))

    def occurrences(self, image: Image) -> dict[Numbers, list[Occurrence]]:
        """Where whole encoded private keys stand, by key."""
        return {
            numbers: [
                occurrence(image, offset, length, "key", encoding) for offset, length, encoding in places
            ]
            for numbers, places in self._places.items()
        }


def _note(what: str, offsets: set[int]) -> str:
    if len(offsets) == 1:
        return f"sealed, so not looked into: at offset {min(offsets)}, {what}"
    return f"sealed, so not looked into: {len(offsets):,} times, first at offset {min(offsets)}, {what}"


def _key(numbers: Numbers, hit: PublicHit | PrivateHit) -> PublicKey:
    origin = Origin(
        source="image",
        kid=hit.kid,
        issuer=hit.issuer,
        cloud_instance_name=hit.cloud_instance_name,
        use=hit.use,
        alg=hit.alg,
        harvested_at=hit.offset,
    )
    return PublicKey(numbers, origin)
