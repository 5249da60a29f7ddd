"""The workstation's part: its keys in the TPM, an offer, and the answer to a challenge.

    with Tpm(Path("/dev/tpmrm0")) as tpm:
        offer = make_offer(tpm, Path("tpm-keys"), "laptop-17")
        …
        answer = answer_challenge(tpm, Path("tpm-keys"), challenge)

What is kept in the directory is wrapped by the TPM: it is of no use anywhere else. ``key.pem`` is the key as
OpenSSL's provider for TPMs takes it, for TLS.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from immure.access.texts import decode
from immure.access.tpm import der
from immure.access.tpm.device import ENDORSEMENT, OWNER, Created, Tpm, TpmError
from immure.access.tpm.evidence import VERSION, Answer, Offer, parse_document, qualification
from immure.access.tpm.structures import (
    ADMIN_POLICY,
    AES,
    CFB,
    DECRYPT,
    ECC,
    ECDSA,
    FIXED_PARENT,
    FIXED_TPM,
    NO_DA,
    NULL,
    ORIGIN,
    P256,
    RESTRICTED,
    RSA,
    SHA256,
    SIGN,
    USER_AUTH,
    parse_area,
    sized,
)
from immure.errors import InputError, UsageError
from immure.files import write_whole

#: Where certificates of endorsement keys are (TCG EK Credential Profile, 2.2.1.4).
_NV: Final = {RSA: 0x01C0_0002, ECC: 0x01C0_000A}
_POLICY: Final = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
_FIXED: Final = FIXED_TPM | FIXED_PARENT | ORIGIN
_AES: Final = struct.pack(">HHH", AES, 128, CFB)
_NOTHING: Final = struct.pack(">H", NULL)


def _head(kind: int, attributes: int, policy: bytes = b"") -> bytes:
    return struct.pack(">HHI", kind, SHA256, attributes) + sized(policy)


def _curve(point: bytes) -> bytes:
    return struct.pack(">HH", P256, NULL) + point


_EMPTY: Final = sized(b"") * 2
_EK: Final = _head(RSA, _FIXED | ADMIN_POLICY | RESTRICTED | DECRYPT, _POLICY) + _AES + _NOTHING
#: Templates of endorsement keys (TCG EK Credential Profile, B.3.3 and B.3.4).
EK_RSA: Final = _EK + struct.pack(">HI", 2048, 0) + sized(bytes(256))
EK_ECC: Final = (
    _head(ECC, _FIXED | ADMIN_POLICY | RESTRICTED | DECRYPT, _POLICY)
    + _AES
    + _NOTHING
    + _curve(sized(bytes(32)) * 2)
)
#: The key under which others are kept (TCG TPM 2.0 Provisioning Guidance, 7.5.1).
STORAGE: Final = (
    _head(ECC, _FIXED | USER_AUTH | NO_DA | RESTRICTED | DECRYPT) + _AES + _NOTHING + _curve(_EMPTY)
)
_ECDSA: Final = struct.pack(">HH", ECDSA, SHA256)
#: Keys without a password: there is nothing that could be guessed, so machines that were switched off in the
#: middle of things do not lock them (part 1, section 19.8).
_OPEN: Final = _FIXED | USER_AUTH | NO_DA | SIGN
ATTESTATION: Final = _head(ECC, _OPEN | RESTRICTED) + _NOTHING + _ECDSA + _curve(_EMPTY)
KEY: Final = _head(ECC, _OPEN) + _NOTHING + _NOTHING + _curve(_EMPTY)


def make_offer(
    tpm: Tpm,
    directory: Path,
    name: str,
    *,
    endorsement: bytes | None = None,
    chain: Sequence[bytes] = (),
) -> Offer:
    """Make an attestation key and a key for the workstation in the TPM, and say what there is.

    Args:
        tpm: of this machine.
        directory: for what is kept; it must not be there.
        name: of the machine, for the request.
        endorsement: the certificate (DER) of the TPM, if it is not in the TPM itself.
        chain: certificates (DER) between that one and its root.

    Raises:
        UsageError: the directory is there, or the TPM has no certificate.
        TpmError: the TPM does not do it.
    """
    if not 0 < len(name) <= 64 or not name.isprintable():
        raise UsageError("the name of a workstation has 1 to 64 characters")
    certificate = endorsement or _certificate(tpm)
    storage, _ = tpm.create_primary(OWNER, STORAGE)
    try:
        attestation, key = tpm.create(storage, ATTESTATION), tpm.create(storage, KEY)
        request = _request(tpm, storage, key, name)
    finally:
        tpm.flush(storage)
    _keep(directory, attestation, key)
    return Offer(certificate, tuple(chain), attestation.public, key.public, request)


def answer_challenge(tpm: Tpm, directory: Path, challenge: object) -> dict[str, Any]:
    """Let the TPM open the secret of a challenge (JSON), and attest the key; the answer as JSON.

    Raises:
        InputError: it is no challenge.
        UsageError: the directory is not one of :func:`make_offer`.
        TpmError: the TPM cannot: the challenge is for another one, or for other keys.
    """
    if not isinstance(challenge, dict) or set(challenge) != {"v", "document", "credential", "wrapped"}:
        raise InputError("a challenge has v, document, credential and wrapped, and nothing else")
    document = parse_document(challenge["document"])
    credential, wrapped = (_bytes(challenge[name]) for name in ("credential", "wrapped"))
    storage, _ = tpm.create_primary(OWNER, STORAGE)
    try:
        attestation = tpm.load(storage, _kept(directory, "attestation"))
        try:
            secret = _opened(tpm, attestation, credential, wrapped)
            key = tpm.load(storage, _kept(directory, "key"))
            try:
                attested, signature = tpm.certify(key, attestation, qualification(document, secret))
            finally:
                tpm.flush(key)
        finally:
            tpm.flush(attestation)
    finally:
        tpm.flush(storage)
    answer = Answer(secret, attested, signature)
    return {"v": VERSION, "nonce": document["nonce"], **answer.to_json()}


def _opened(tpm: Tpm, attestation: int, credential: bytes, wrapped: bytes) -> bytes:
    """By the endorsement key for which it was wrapped: an RSA key has 256 bytes, a point is shorter."""
    template = EK_RSA if len(wrapped) == 2 + 256 else EK_ECC
    endorsement, _ = tpm.create_primary(ENDORSEMENT, template)
    try:
        return tpm.activate(attestation, endorsement, credential, wrapped)
    finally:
        tpm.flush(endorsement)


def _certificate(tpm: Tpm) -> bytes:
    for index in _NV.values():
        try:
            data = tpm.read_nv(index)
        except TpmError:
            continue
        return _trimmed(data)
    raise UsageError(
        "the TPM has no certificate of its endorsement key: get it from its vendor", path=str(tpm.path)
    )


def _trimmed(data: bytes) -> bytes:
    """A certificate (DER) without what fills up the place in which it is kept."""
    if data[:2] != b"\x30\x82":
        raise UsageError("what the TPM has in the place of its certificate is none")
    return data[: 4 + int.from_bytes(data[2:4], "big")]


def _request(tpm: Tpm, storage: int, key: Created, name: str) -> bytes:
    area = parse_area(key.public)
    signed = der.request_to_sign(area, name)
    loaded = tpm.load(storage, key)
    try:
        signature = tpm.sign(loaded, ECDSA, hashlib.sha256(signed).digest())
    finally:
        tpm.flush(loaded)
    return der.request(area, signed, signature)


def _keep(directory: Path, attestation: Created, key: Created) -> None:
    try:
        directory.mkdir(mode=0o700)
        for name, one in (("attestation", attestation), ("key", key)):
            write_whole(directory / f"{name}.tpm", sized(one.public) + sized(one.private), mode=0o600)
        write_whole(directory / "key.pem", der.key_file(key.public, key.private, OWNER), mode=0o600)
    except OSError as error:
        raise UsageError(error.strerror or "cannot be made", path=str(directory)) from error


def _kept(directory: Path, name: str) -> Created:
    from immure.access.tpm.structures import Reader

    path = directory / f"{name}.tpm"
    try:
        reader = Reader(path.read_bytes(), "what is kept of a key")
        found = Created(reader.sized(), reader.sized())
        reader.done()
    except OSError as error:
        raise UsageError(error.strerror or "cannot be read", path=str(path)) from error
    except InputError as error:
        raise UsageError(error.reason, path=str(path)) from error
    return found


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise InputError("a member of a challenge that is no text")
    return decode(value)
