"""Binary key formats in arbitrary bytes: SSH, CNG and CryptoAPI, libgcrypt."""

from __future__ import annotations

from collections.abc import Sequence

from immure.errors import KeyFormatError
from immure.keymaterial import cng, openssh
from immure.keymaterial.numbers import RSA_BITS
from immure.keymaterial.sexp import HEAD, KEPT_HEAD, parse_private_key
from immure.keymaterial.structures.hits import REACH, Buffer, Hit, PrivateHit, PublicHit, window
from immure.keymaterial.structures.text_keys import openssh_container, ssh_line

#: bytes of the longest SSH record: six numbers of an RSA key of the greatest size
_MAX_RECORD = 5 * RSA_BITS[1] // 8
_LONGEST_EXPONENT = 8
_NAME_LENGTHS = {b"ssh-r": 7, b"ssh-e": 11, b"ecdsa": 19}


def ssh_name_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``ssh-rsa``, ``ssh-ed25519``, ``ecdsa-sha2-nistp``: a public blob, a private record, a line."""
    if at >= 4 and buffer[at - 1] in (7, 11, 19) and buffer[at - 2] == buffer[at - 3] == buffer[at - 4] == 0:
        return _ssh_wire(buffer, at - 4)
    behind = at + _NAME_LENGTHS.get(bytes(buffer[at : at + 5]), 0)
    if bytes(buffer[behind : behind + 5]) == b" AAAA":
        return ssh_line(buffer, at)
    return ()


def _ssh_wire(buffer: Buffer, at: int) -> Sequence[Hit]:
    data = window(buffer, at, at + _MAX_RECORD)
    peek = openssh.Wire(data)
    name = peek.string()
    if name != b"ssh-rsa" or peek.uint32() > _LONGEST_EXPONENT:
        try:
            wire = openssh.Wire(data)
            return (PrivateHit(openssh.read_private(wire), at, wire.at, "ssh-private"),)
        except KeyFormatError:
            pass  # not a private record: then perhaps a public one
    wire = openssh.Wire(data)
    return (PublicHit(openssh.read_public(wire), at, wire.at, "ssh-wire"),)


def openssh_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``openssh-key-v1``: a container that is not in PEM."""
    data = window(buffer, at, at + REACH)
    return openssh_container(data, at, openssh.read_container(data).end, "openssh")


def cng_rsa_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``RSA1``, ``RSA2`` or ``RSA3``: a CNG blob, or the inside of a CryptoAPI blob."""
    bits = int.from_bytes(buffer[at + 4 : at + 8], "little")
    if bits % 8 or not RSA_BITS[0] <= bits <= RSA_BITS[1]:
        return ()
    if at >= cng.CAPI_HEADER and cng.is_capi_header(window(buffer, at - cng.CAPI_HEADER, at)):
        start = at - cng.CAPI_HEADER
        blob = cng.parse_capi(window(buffer, start, start + bits))
        return _blob_hit(blob, start, "cryptoapi")
    return _blob_hit(cng.parse_cng_rsa(window(buffer, at, at + bits)), at, "cng")


def cng_ecc_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``ECS1`` to ``ECK6``: a CNG blob."""
    if bytes(buffer[at + 5 : at + 8]) != b"\0\0\0":
        return ()
    return _blob_hit(cng.parse_cng_ecc(window(buffer, at, at + 256)), at, "cng")


def _blob_hit(blob: cng.Blob, at: int, encoding: str) -> Sequence[Hit]:
    if blob.private is not None:
        return (PrivateHit(blob.private, at, blob.end, encoding),)
    return (PublicHit(blob.numbers, at, blob.end, encoding),)


def sexp_at(buffer: Buffer, at: int) -> Sequence[Hit]:
    """``private-key``: an S-expression of libgcrypt begins shortly before."""
    begin = max(0, at - 16)
    head = window(buffer, begin, at + 32)
    start = head.rfind(b"(", 0, at - begin)
    if head.startswith(KEPT_HEAD, at - begin - 4):
        start = at - begin - 4
    elif start < 0 or not HEAD.match(head, start):
        return ()
    start += begin
    found = parse_private_key(window(buffer, start, start + (REACH >> 2)))
    return (PrivateHit(found.private, start, found.end, "sexp"),)
