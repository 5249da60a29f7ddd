"""``file+unsafe:`` keys: that they work, say what they are, and count."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from immure.errors import SignerError
from immure.signing.file_keys import FileKeys, jws_signature
from immure.signing.keys import KeyUse
from immure.signing.service import open_keys
from signing.remote import CLAIMS, opened, plan, sign


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_made_used_and_destroyed(tmp_path: Path, algorithm: str) -> None:
    keys = open_keys(f"file+unsafe:{tmp_path / 'private'}")
    assert isinstance(keys, FileKeys)
    assert keys.warning is not None
    assert keys.warning.startswith("UNSAFE")
    public = keys.generate("k-1", plan(algorithm))
    assert keys.generate("k-1", plan(algorithm)).thumbprint == public.thumbprint
    for number in range(2):
        assert keys.use("k-1") == KeyUse(number)
        assert opened(sign(keys, "k-1", algorithm), public, algorithm) == CLAIMS
    assert keys.uses("k-1") == 2
    assert keys.use("k-1").left is None
    keys.destroy("k-1")
    keys.destroy("k-1")
    assert list((tmp_path / "private").iterdir()) == []
    with pytest.raises(SignerError, match="No such file"):
        sign(keys, "k-1", algorithm)
    asyncio.run(keys.aclose())


@pytest.mark.parametrize("kid", ["", "../k", "a/b", ".k", "K", "k" * 200])
def test_names_that_are_none(tmp_path: Path, kid: str) -> None:
    keys = FileKeys(tmp_path)
    with pytest.raises(SignerError, match="is no name of a key"):
        keys.generate(kid, plan("ES256"))
    with pytest.raises(SignerError, match="is no name of a key"):
        keys.destroy(kid)


def test_ecdsa_as_jws_has_it() -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    assert jws_signature("ES256", encode_dss_signature(1, 2)) == b"\0" * 31 + b"\1" + b"\0" * 31 + b"\2"
    assert jws_signature("EdDSA", b"as it is") == b"as it is"


@pytest.mark.parametrize("uri", ["", "file:keys", "file+unsafe:keys?alg=RS256", "vault:a", "https://kms"])
def test_custody_that_is_none(uri: str) -> None:
    with pytest.raises(SignerError):
        open_keys(uri)
