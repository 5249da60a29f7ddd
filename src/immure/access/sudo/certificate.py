"""Certificates of OpenSSH (PROTOCOL.certkeys), read strictly, and whether an authority has signed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from immure.access.sudo.public import Public, parse_public, read_public, verify
from immure.access.sudo.wire import Reader
from immure.errors import InputError

MOST_BYTES: Final = 1 << 14
MOST_NAMES: Final = 256
USER: Final = 1
_SUFFIX: Final = "-cert-v01@openssh.com"
_TYPES: Final = {
    f"{name}{_SUFFIX}": kind
    for name, kind in {
        "ssh-ed25519": "ssh-ed25519",
        "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519": "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256": "sk-ecdsa-sha2-nistp256@openssh.com",
    }.items()
}


@dataclass(frozen=True, slots=True)
class UserCertificate:
    """A certificate, whoever has signed it.

    Attributes:
        blob: all of it.
        type, key: the type of the certificate, and the public key that it is about.
        serial, kind, key_id, principals: what it says; ``kind`` is 1 for users.
        after, before: seconds since 1970, between which it is valid (``after`` ≤ now < ``before``).
        options, extensions: critical options, and others.
        authority: the public key (blob) of who has signed it.
        signed, signature: which bytes, and how.
    """

    blob: bytes
    type: str
    key: Public
    serial: int
    kind: int
    key_id: str
    principals: tuple[str, ...]
    after: int
    before: int
    options: Mapping[str, bytes]
    extensions: Mapping[str, bytes]
    authority: bytes
    signed: bytes
    signature: bytes

    def check_signature(self) -> None:
        """See that the authority has signed it; raises InputError. Whether that one is trusted is another
        question."""
        key = parse_public(self.authority)
        if key.sk:
            raise InputError("a certificate that a security key has signed, which is not taken")
        verify(key, self.signature, self.signed)


def is_certificate(blob: bytes) -> bool:
    """Whether these are bytes of a certificate of a type that is taken."""
    try:
        return Reader(blob[:64], "a key").text() in _TYPES
    except InputError:
        return False


def parse_certificate(blob: bytes) -> UserCertificate:
    """The certificate in a blob.

    Raises:
        InputError: there is none, or it is not in the one form that OpenSSH writes.
    """
    if len(blob) > MOST_BYTES:
        raise InputError(f"a certificate of more than {MOST_BYTES} bytes")
    reader = Reader(blob, "a certificate of SSH")
    kind = reader.text()
    if kind not in _TYPES:
        raise InputError(f"no certificate of SSH of a type that is taken: {kind[:60]!r}")
    reader.string()  # a nonce of the authority's
    key = read_public(_TYPES[kind], reader)
    serial, role, key_id = reader.long(), reader.number(), reader.text()
    principals = _names(reader.string())
    after, before = reader.long(), reader.long()
    options, extensions = _options(reader.string()), _options(reader.string())
    if reader.string():
        raise InputError("a certificate of SSH with something in what is reserved")
    authority = reader.string()
    signed = blob[: reader.at]
    signature = reader.string()
    reader.done()
    return UserCertificate(
        blob, kind, key, serial, role, key_id, principals, after, before, options, extensions, authority,
        signed, signature,
    )  # fmt: skip


def _names(data: bytes) -> tuple[str, ...]:
    reader, found = Reader(data, "the principals of a certificate"), list[str]()
    while reader.more:
        if len(found) == MOST_NAMES:
            raise InputError(f"a certificate with more than {MOST_NAMES} principals")
        found.append(reader.text())
    return tuple(found)


def _options(data: bytes) -> Mapping[str, bytes]:
    """Names in ascending order, each once, as the format demands."""
    reader, found, last = Reader(data, "the options of a certificate"), dict[str, bytes](), ""
    while reader.more:
        name = reader.text()
        if name <= last:
            raise InputError("a certificate with options out of order, or one of them twice")
        found[name] = reader.string()
        last = name
    return found
