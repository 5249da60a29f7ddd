"""New keys: two files that appear whole or not at all, and never take the place of others; public halves."""

from __future__ import annotations

import json
import resource
import stat

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from immure.custody import open_signer
from immure.custody.algorithms import ALGORITHMS
from immure.custody.generate import generate
from immure.custody.public_half import to_pem
from immure.errors import SignerError
from immure.keymaterial.sources import load_keys

from . import keys


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_new_keys_sign(directory, algorithm):
    made = generate(directory / "key", algorithm)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    option = "?alg=RS256" if algorithm == "RS256" else ""
    with open_signer(f"file:{made.path}{option}") as signer:
        assert signer.algorithm == algorithm
        assert signer.thumbprint == made.public.thumbprint
        signature = signer.sign(b"m")
    jwk = json.loads(made.public_path.read_text())
    assert keys.holds(jwk, algorithm, b"m", signature)
    assert (jwk["alg"], jwk["kid"], jwk["use"]) == (algorithm, signer.thumbprint, "sig")
    [loaded] = load_keys(str(made.public_path))
    assert loaded == signer.public
    assert sorted(path.name for path in directory.iterdir()) == ["key", "key.pub"]


def test_under_a_password(directory):
    made = generate(directory / "key", pin="word")
    load_pem_private_key(made.path.read_bytes(), b"word")
    open_signer(f"file:{made.path}", pin="word").close()
    with pytest.raises(SignerError, match="there is no password"):
        open_signer(f"file:{made.path}")


@pytest.mark.parametrize("taken", ["key", "key.pub"])
def test_nothing_is_overwritten(directory, taken):
    (directory / taken).write_text("precious")
    with pytest.raises(SignerError, match=f"{taken}: is there already; a key is never overwritten"):
        generate(directory / "key")
    assert [(path.name, path.read_text()) for path in directory.iterdir()] == [(taken, "precious")]


def test_a_dangling_link_is_not_followed(directory):
    (directory / "key").symlink_to(directory / "elsewhere")
    with pytest.raises(SignerError, match="is there already"):
        generate(directory / "key")
    assert not (directory / "elsewhere").exists()


@pytest.mark.parametrize(
    ("path", "algorithm", "words"),
    [
        ("key", "HS256", "unknown algorithm 'HS256'; there are EdDSA, ES256, ES384, PS256, RS256"),
        ("none/key", "EdDSA", "none/key.pub: No such file or directory"),
        ("key\0", "EdDSA", "cannot be written"),
        ("k" * 300, "EdDSA", "File name too long"),
    ],
)
def test_what_cannot_be_written(directory, path, algorithm, words):
    with pytest.raises(SignerError, match=words):
        generate(f"{directory}/{path}", algorithm)
    assert list(directory.iterdir()) == []


def test_a_full_disk_leaves_nothing(directory):
    """The limit on the size of files stands in for it: writing fails half-way."""
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, before[1]))
    try:
        with pytest.raises(SignerError, match="key: File too large"):
            generate(
                directory / "key", "PS256"
            )  # its public half is smaller than that, the private one larger
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("kind", [*keys.SIGNING, "P-521", "Ed448"])
def test_public_halves_as_pem(directory, kind):
    path = keys.write_key(directory / "key.pub", keys.public_pem(kind))
    [public] = load_keys(str(path))
    assert to_pem(public).encode() == keys.public_pem(kind)
    load_pem_public_key(to_pem(public).encode())
