"""Feeds broken keys in every format to immure.keymaterial.structures and immure.keymaterial.texts."""

from __future__ import annotations

import base64
import sys
import time
from pathlib import Path

from driver import run

from immure.keymaterial.structures import ANCHORS, Hit, parse_at
from immure.keymaterial.texts import TextKind, decode_text_runs, structures_in_text

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.keymaterial import containers, keys, pfx_files
from tests.keymaterial.formats import FORMATS, openssh_encrypted

SECONDS = 1.0  # of computing for one input, which is far more than any needs
KINDS = ("RSA-1024", "P-256", "P-521", "Ed25519", "Ed448")


def check_structures(data: bytes) -> None:
    """No exception, no hit outside, no input that costs much; from bytes, bytearray and memoryview alike."""
    begun = time.thread_time()
    for anchor in ANCHORS:
        at = data.find(anchor.needle)
        for _ in range(20):
            if at < 0:
                break
            hits = list(parse_at(memoryview(data), anchor, at))
            assert len(hits) == len(list(parse_at(bytearray(data), anchor, at)))
            _check(hits, data)
            at = data.find(anchor.needle, at + 1)
    for kind in TextKind:
        _check(list(structures_in_text(data, 0, len(data), kind)), data)
        for decoded in decode_text_runs(data, 0, min(len(data), 4096), kind):
            start, length = decoded.span(0, len(decoded.data))
            assert not decoded.data or (start >= 0 and start + length <= len(data))
    assert time.thread_time() - begun < SECONDS


def _check(hits: list[Hit], data: bytes) -> None:
    for hit in hits:
        assert hit.offset >= 0
        assert hit.length > 0
        assert hit.offset + hit.length <= len(data)
        assert hit.encoding


if __name__ == "__main__":
    written = [form.build(keys.key(kind)) for form in FORMATS for kind in form.kinds if kind in KINDS]
    written.append(openssh_encrypted(keys.key("Ed25519")))
    for password in ("changeit", "no common one"):
        written.append(containers.nss(keys.key("P-256"), password))
        written += [containers.bks(keys.key("P-256"), password, rounds=20), containers.keychain(password)]
    written += [containers.dpapi(bytes(40)), containers.tss2(), containers.tss2(kind=5, algorithm=8)]
    for style in (None, 1, 2, 3):
        for password in ("changeit", "no common one"):
            shrouded = pfx_files.shrouded(keys.key("P-256"), password)
            infos = pfx_files.data(shrouded), pfx_files.encrypted(shrouded, password=password, pieces=40)
            written.append(pfx_files.pfx(*infos, password=password, style=style))
    texts = [base64.b64encode(data) for data in written[:20]] + [data.hex().encode() for data in written[:5]]
    run(check_structures, [b"\xff" * 9 + data + b"\xff" * 9 for data in written] + texts)
