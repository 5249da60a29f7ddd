"""The table of anchors: what to look for, and who parses what is found there."""

from __future__ import annotations

from collections.abc import Iterator

from immure.errors import KeyFormatError
from immure.keymaterial import age, openssh, pgp
from immure.keymaterial.bks import HEADS
from immure.keymaterial.cng import ECC_MAGICS
from immure.keymaterial.keystores import JKS_MAGIC
from immure.keymaterial.nss import PBES2
from immure.keymaterial.pem import is_key_head
from immure.keymaterial.sealed import DPAPI_CIPHERS, DPAPI_HEAD, KEYCHAIN_HEAD, TPM_OID
from immure.keymaterial.structures import blobs, der_keys, pgp_keys, stores, text_keys
from immure.keymaterial.structures.hits import Anchor, Buffer, Hit, Parser
from immure.keymaterial.structures.jwk_text import JWK_REACH, is_jwk_head, jwk_object
from immure.keymaterial.structures.text_keys import ascii_parser, utf16_parser

_OID = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"  # 1.2.840.113549.1


def _utf16(text: bytes) -> bytes:
    return text.decode("ascii").encode("utf-16-le")[:16]


_TABLE: tuple[tuple[str, bytes, Parser], ...] = (
    # DER (RFC 8017, RFC 5480, RFC 8410, RFC 5915)
    ("rsa-oid", _OID + b"\x01\x01", der_keys.algorithm_at),
    ("ec-oid", b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", der_keys.algorithm_at),
    ("okp-oid", b"\x06\x03\x2b\x65", der_keys.algorithm_at),
    ("rsa-private-256", b"\x02\x01\x00\x02\x82", der_keys.pkcs1_at),
    ("rsa-private", b"\x02\x01\x00\x02\x81", der_keys.pkcs1_at),
    ("rsa-exponent", b"\x02\x03\x01\x00\x01", der_keys.exponent_at),
    ("ec-private", b"\x02\x01\x01\x04", der_keys.sec1_at),
    ("okp-seed", b"\x04\x22\x04\x20", der_keys.okp_seed_at),
    # other binary formats
    ("openssh", openssh.MAGIC, blobs.openssh_at),
    ("ssh-rsa", b"ssh-rsa", blobs.ssh_name_at),
    ("ssh-ed25519", b"ssh-ed25519", blobs.ssh_name_at),
    ("ssh-ecdsa", b"ecdsa-sha2-nistp", blobs.ssh_name_at),
    ("cng-rsa1", b"RSA1", blobs.cng_rsa_at),
    ("cng-rsa2", b"RSA2", blobs.cng_rsa_at),
    ("cng-rsa3", b"RSA3", blobs.cng_rsa_at),
    *((f"cng-{magic.decode().lower()}", magic, blobs.cng_ecc_at) for magic in ECC_MAGICS),
    ("sexp", b"private-key", blobs.sexp_at),
    ("jks", JKS_MAGIC, stores.jks_at),
    *((f"bks-{version}", head, stores.bks_at) for version, head in enumerate(HEADS, 1)),
    ("pkcs12", _OID + b"\x07\x01", stores.pkcs12_at),
    ("nss", PBES2, stores.nss_at),
    ("dpapi", DPAPI_HEAD[:16], stores.dpapi_at),
    *((f"dpapi-{number}", cipher, stores.dpapi_cipher_at) for number, cipher in enumerate(DPAPI_CIPHERS)),
    ("keychain", KEYCHAIN_HEAD, stores.keychain_at),
    ("tss2", TPM_OID, stores.tpm_key_at),
    ("pgp-ed25519", b"\x09" + pgp.ED25519_LEGACY, pgp_keys.curve_at),
    ("pgp-cv25519", b"\x0a" + pgp.CURVE25519_LEGACY, pgp_keys.curve_at),
    *(
        (f"pgp-{name}-{curve.lower()}", bytes([algorithm, len(oid)]) + oid, pgp_keys.nist_at)
        for name, algorithm in (("ecdh", pgp.ECDH), ("ecdsa", pgp.ECDSA))
        for oid, curve in pgp.NIST.items()
    ),
    ("pgp-rsa", pgp_keys.EXPONENT, pgp_keys.exponent_at),
    # text
    ("pem", b"-----BEGIN ", ascii_parser(text_keys.pem_block, is_key_head)),
    ("tss2-pem", stores.TSS2_HEAD[:16], ascii_parser(stores.tss2_pem, stores.is_tss2)),
    ("pem-utf16le", _utf16(b"-----BEGIN "), utf16_parser(text_keys.pem_block, is_key_head)),
    ("jwk", b'"kty', ascii_parser(jwk_object, is_jwk_head, before=JWK_REACH, after=JWK_REACH)),
    (
        "jwk-utf16le",
        _utf16(b'"kty'),
        utf16_parser(jwk_object, is_jwk_head, before=JWK_REACH, after=JWK_REACH),
    ),
    ("xml", b"<RSAKeyValue>", ascii_parser(text_keys.xml_key, bool)),
    ("xml-utf16le", _utf16(b"<RSAKeyValue>"), utf16_parser(text_keys.xml_key, bool)),
    ("pgp-armor", pgp_keys.ARMOR, ascii_parser(pgp_keys.armored_keys, pgp_keys.is_armor)),
    ("age-identity", age.IDENTITY, ascii_parser(text_keys.age_identity, age.IDENTITY_HEAD.match)),
    ("ppk", b"PuTTY-User-Key-F", ascii_parser(text_keys.ppk_file, bool)),
)

_PARSERS: dict[str, Parser] = {name: parser for name, _, parser in _TABLE}

#: What to search for. Needles may be parts of each other; each is at least 4 bytes.
ANCHORS: tuple[Anchor, ...] = tuple(Anchor(name, needle) for name, needle, _ in _TABLE)
ANCHOR_BY_NAME: dict[str, Anchor] = {anchor.name: anchor for anchor in ANCHORS}


def parse_at(buffer: Buffer, anchor: Anchor, at: int) -> Iterator[Hit]:
    """The keys in the structure that the anchor at offset ``at`` of the buffer belongs to; nothing if
    there are none.

    Looks at no more than 64 KiB to either side of ``at``, never raises on foreign bytes, and gives offsets
    in the buffer. A private key is given only if its arithmetic holds.
    """
    if not 0 <= at < len(buffer):
        return iter(())
    try:
        return iter(_PARSERS[anchor.name](buffer, at))
    except KeyFormatError:
        return iter(())
