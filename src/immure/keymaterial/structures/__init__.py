"""How encoded keys are found in arbitrary bytes: by literal anchors, and by parsing what stands around each.

A fast search for the byte strings of :data:`ANCHORS` gives places; :func:`parse_at` says what key is
there, if any.

>>> from immure.keymaterial.private import okp_from_seed
>>> from immure.keymaterial.serialize import to_pkcs8
>>> image = b"..." + to_pkcs8(okp_from_seed("Ed25519", bytes(range(32)))) + b"..."
>>> [anchor.name for anchor in ANCHORS if anchor.needle in image]
['okp-oid', 'okp-seed']
>>> hit, = parse_at(image, ANCHOR_BY_NAME["okp-oid"], image.index(ANCHOR_BY_NAME["okp-oid"].needle))
>>> hit.encoding, hit.offset, hit.length, hit.proved
('pkcs8-der', 3, 48, False)

Not proved, because any 32 bytes behind such a prefix would do as a seed: it takes the public half as well.
"""

from immure.keymaterial.structures.anchors import ANCHOR_BY_NAME, ANCHORS, parse_at
from immure.keymaterial.structures.hits import Anchor, Buffer, Hit, PrivateHit, PublicHit, SealedHit

__all__ = [
    "ANCHORS",
    "ANCHOR_BY_NAME",
    "Anchor",
    "Buffer",
    "Hit",
    "PrivateHit",
    "PublicHit",
    "SealedHit",
    "parse_at",
]
