"""New private keys in files."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from immure.custody.algorithms import ALGORITHMS, Algorithm
from immure.custody.public_half import from_spki, to_jwk
from immure.errors import SignerError
from immure.files import sync_directory
from immure.keymaterial.key import PublicKey

#: Bits of a new RSA key: 128 bits of strength (NIST SP 800-57 part 1, table 2).
RSA_BITS: Final = 3072
PUBLIC_SUFFIX: Final = ".pub"


class Generated(NamedTuple):
    """A new key: the two files, and its public half."""

    path: Path
    public_path: Path
    public: PublicKey
    algorithm: Algorithm


def generate(
    path: str | Path, algorithm: str = "EdDSA", *, pin: str | None = None, bits: int = RSA_BITS
) -> Generated:
    """Write a new private key (PKCS#8 as PEM, mode 0600), and its public half beside it, ``PATH.pub`` (JWK).

    Both files appear whole or not at all, and neither takes the place of another.

    Args:
        algorithm: one of :data:`~immure.custody.algorithms.ALGORITHMS`.
        pin: password that the file is encrypted under.
        bits: of an RSA key.

    Raises:
        SignerError: an unknown algorithm, a file that is there already, or one that cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as s

    private_path, public_path = Path(path), Path(f"{path}{PUBLIC_SUFFIX}")
    if algorithm not in ALGORITHMS:
        raise SignerError(f"unknown algorithm {algorithm!r}; there are {', '.join(ALGORITHMS)}")
    key = _new(algorithm, bits)
    protection = s.NoEncryption() if not pin else s.BestAvailableEncryption(pin.encode())
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, protection)
    spki = key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    public = from_spki(spki, str(public_path))
    _write_both(private_path, private, public_path, to_jwk(public, algorithm).encode())
    return Generated(private_path, public_path, public, algorithm)


def _new(algorithm: Algorithm, bits: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm in ("ES256", "ES384"):
        return ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())
    return rsa.generate_private_key(65537, bits)


def _write_both(private_path: Path, private: bytes, public_path: Path, public: bytes) -> None:
    """The public half goes first: should its writing fail, or the other's, no private key is left behind."""
    _write_new(public_path, public, 0o644)
    try:
        _write_new(private_path, private, 0o600)
    except BaseException:
        with suppress(OSError):
            public_path.unlink()
        raise


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is not there yet: aside, synced, then linked to its name, unless that is taken."""
    aside = None
    try:
        handle, aside = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
        with open(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(aside, path)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise SignerError("is there already; a key is never overwritten", path=str(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise SignerError(getattr(error, "strerror", None) or "cannot be written", path=str(path)) from error
    finally:
        if aside is not None:
            os.unlink(aside)
