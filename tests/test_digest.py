"""The name of a token in the logs."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from immure import digest


@given(st.binary())
def test_first_half_of_sha256(signed: bytes) -> None:
    assert digest.signed_digest(signed) == hashlib.sha256(signed).digest()[:16]
    assert len(digest.signed_digest(signed)) == digest.SIZE
