"""Every format that is searched for, written independently of the code under test: by ``cryptography``, or
by hand from
the format's specification."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)

from . import keys


@dataclass(frozen=True)
class Format:
    """How a key is written, and by what name it must be found (at offset ``skip`` of what is written)."""

    name: str
    encoding: str
    kinds: tuple[str, ...]
    build: Callable[[Any], bytes]
    private: bool = True
    skip: int = 0
    tail: int = 0


def private_bytes(encoding: Encoding, form: PrivateFormat) -> Callable[[Any], bytes]:
    return lambda key: key.private_bytes(encoding, form, NoEncryption())


def public_bytes(encoding: Encoding, form: PublicFormat) -> Callable[[Any], bytes]:
    return lambda key: key.public_key().public_bytes(encoding, form)


pkcs8 = private_bytes(Encoding.DER, PrivateFormat.PKCS8)
pkcs8_pem = private_bytes(Encoding.PEM, PrivateFormat.PKCS8)
traditional = private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL)
openssh_pem = private_bytes(Encoding.PEM, PrivateFormat.OpenSSH)
spki = public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
spki_pem = public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ssh_line = public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def openssh_binary(key: Any) -> bytes:
    return base64.b64decode(b"".join(openssh_pem(key).splitlines()[1:-1]))


def ssh_blob(key: Any) -> bytes:
    return base64.b64decode(ssh_line(key).split()[1])


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def uint(value: int, width: int | None = None) -> bytes:
    return value.to_bytes(width or (value.bit_length() + 7) // 8, "big")


def rsa_values(key: Any) -> dict[str, int]:
    found = key.private_numbers()
    return {
        "n": found.public_numbers.n, "e": found.public_numbers.e, "d": found.d, "p": found.p, "q": found.q,
        "dp": found.dmp1, "dq": found.dmq1, "qi": found.iqmp,
    }  # fmt: skip


def ec_values(key: Any) -> tuple[int, int, int, int]:
    """x, y, d, and the width of a coordinate in bytes."""
    found = key.private_numbers()
    width = (key.curve.key_size + 7) // 8
    return found.public_numbers.x, found.public_numbers.y, found.private_value, width


def jwk(key: Any, *, private: bool = True, **members: Any) -> dict[str, Any]:
    kind = keys.kind_of(key)
    if kind.startswith("RSA"):
        values = rsa_values(key)
        made: dict[str, Any] = {"kty": "RSA", **{name: b64url(uint(value)) for name, value in values.items()}}
    elif kind in keys.EC:
        x, y, d, width = ec_values(key)
        made = {
            "kty": "EC",
            "crv": kind,
            **{n: b64url(uint(v, width)) for n, v in (("x", x), ("y", y), ("d", d))},
        }
    else:
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        made = {"kty": "OKP", "crv": kind, "x": b64url(raw), "d": b64url(seed)}
    if not private:
        made = {name: value for name, value in made.items() if name in ("kty", "n", "e", "crv", "x", "y")}
    return {**members, **made}


def jwk_text(key: Any) -> bytes:
    return json.dumps(jwk(key, kid="k1", ext={"nested": [1, {}]})).encode()


def xml(key: Any, *, private: bool = True) -> bytes:
    values = rsa_values(key)
    names = {"Modulus": "n", "Exponent": "e"}
    if private:
        names |= {"P": "p", "Q": "q", "DP": "dp", "DQ": "dq", "InverseQ": "qi", "D": "d"}
    parts = (f"<{tag}>{base64.b64encode(uint(values[name])).decode()}</{tag}>" for tag, name in names.items())
    return f"<RSAKeyValue>{''.join(parts)}</RSAKeyValue>".encode()


def cng_rsa(magic: bytes) -> Callable[[Any], bytes]:
    """BCRYPT_RSAKEY_BLOB."""

    def build(key: Any) -> bytes:
        v = rsa_values(key)
        bits, half = key.key_size, key.key_size // 16
        head = struct.pack("<4s5I", magic, bits, 3, bits // 8, half, half)
        body = uint(v["e"], 3) + uint(v["n"], bits // 8)
        if magic != b"RSA1":
            body += uint(v["p"], half) + uint(v["q"], half)
        if magic == b"RSA3":
            body += uint(v["dp"], half) + uint(v["dq"], half) + uint(v["qi"], half) + uint(v["d"], bits // 8)
        return head + body

    return build


def capi(key: Any, *, private: bool = True) -> bytes:
    """PRIVATEKEYBLOB or PUBLICKEYBLOB."""
    v = rsa_values(key)
    bits = key.key_size
    blob = struct.pack(
        "<BBHI4sII", 7 if private else 6, 2, 0, 0xA400, b"RSA2" if private else b"RSA1", bits, v["e"]
    )
    blob += v["n"].to_bytes(bits // 8, "little")
    if private:
        blob += b"".join(v[name].to_bytes(bits // 16, "little") for name in ("p", "q", "dp", "dq", "qi"))
        blob += v["d"].to_bytes(bits // 8, "little")
    return blob


def cng_ecc(letter: str, *, private: bool = True) -> Callable[[Any], bytes]:
    """BCRYPT_ECCKEY_BLOB; ``letter`` is S for ECDSA, K for ECDH."""

    def build(key: Any) -> bytes:
        x, y, d, width = ec_values(key)
        number = {32: 1, 48: 3, 66: 5}[width] + private
        blob = f"EC{letter}{number}".encode() + struct.pack("<I", width) + uint(x, width) + uint(y, width)
        return blob + (uint(d, width) if private else b"")

    return build


def _sexp_values(key: Any) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    kind = keys.kind_of(key)
    if kind.startswith("RSA"):
        v = rsa_values(key)
        first, second = sorted((v["p"], v["q"]))
        v |= {"p": first, "q": second, "u": pow(first, -1, second)}
        signed = [
            (n.encode(), v[n].to_bytes(v[n].bit_length() // 8 + 1, "big"))
            for n in ("n", "e", "d", "p", "q", "u")
        ]
        return b"rsa", signed
    if kind == "Ed25519":
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return b"ecc", [(b"curve", b"Ed25519"), (b"flags", b"eddsa"), (b"q", b"\x40" + raw), (b"d", seed)]
    x, y, d, width = ec_values(key)
    curve = kind.replace("P-", "NIST P-").encode()
    return b"ecc", [
        (b"curve", curve),
        (b"q", b"\4" + uint(x, width) + uint(y, width)),
        (b"d", uint(d, width)),
    ]


def sexp_canonical(key: Any) -> bytes:
    kind, values = _sexp_values(key)
    parts = b"".join(b"(%d:%s%d:%s)" % (len(n), n, len(v), v) for n, v in values)
    return b"(11:private-key(%d:%s%s))" % (len(kind), kind, parts)


def sexp_advanced(key: Any) -> bytes:
    kind, values = _sexp_values(key)
    words = (b"curve", b"flags")
    shown = [
        (n, b'"' + v + b'"' if n in words else b"#" + v.hex().upper().encode() + b"#") for n, v in values
    ]
    return b"(private-key \n (" + kind + b"".join(b"\n  (%s %s)" % item for item in shown) + b"\n  )\n )"


def sexp_kept(key: Any) -> bytes:
    """As libgcrypt keeps it in memory."""

    def atom(data: bytes) -> bytes:
        return b"\1" + struct.pack("<H", len(data)) + data

    kind, values = _sexp_values(key)
    parts = b"".join(b"\3" + atom(name) + atom(value) + b"\4" for name, value in values)
    return b"\3" + atom(b"private-key") + b"\3" + atom(kind) + parts + b"\4\4"


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _mpint(value: int) -> bytes:
    return _string(value.to_bytes(value.bit_length() // 8 + 1, "big") if value else b"")


def ssh_private(key: Any) -> bytes:
    """A private record as OpenSSH has it in its containers and sends it to agents."""
    kind = keys.kind_of(key)
    if kind.startswith("RSA"):
        v = rsa_values(key)
        return _string(b"ssh-rsa") + b"".join(_mpint(v[name]) for name in ("n", "e", "d", "qi", "p", "q"))
    if kind == "Ed25519":
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return _string(b"ssh-ed25519") + _string(raw) + _string(seed + raw)
    return ssh_blob(key) + _mpint(ec_values(key)[2])


def openssh_encrypted(key: Any) -> bytes:
    """An ``openssh-key-v1`` file whose private section nobody can read (it is random)."""
    kdf_options = _string(os.urandom(16)) + struct.pack(">I", 16)
    data = b"openssh-key-v1\0" + _string(b"aes256-ctr") + _string(b"bcrypt") + _string(kdf_options)
    data += struct.pack(">I", 1) + _string(ssh_blob(key)) + _string(os.urandom(160))
    body = base64.encodebytes(data)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + b"-----END OPENSSH PRIVATE KEY-----\n"


def ppk(key: Any) -> bytes:
    """PuTTY's format, version 2, not encrypted."""
    kind = keys.kind_of(key)
    blob = ssh_blob(key)
    if kind.startswith("RSA"):
        v = rsa_values(key)
        secret = b"".join(_mpint(v[name]) for name in ("d", "p", "q", "qi"))
    elif kind == "Ed25519":
        secret = _string(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    else:
        secret = _mpint(ec_values(key)[2])

    def lines(name: str, data: bytes) -> str:
        text = base64.b64encode(data).decode()
        rows = [text[at : at + 64] for at in range(0, len(text), 64)]
        return f"{name}-Lines: {len(rows)}\r\n" + "".join(row + "\r\n" for row in rows)

    name = ssh_line(key).split()[0].decode()
    head = f"PuTTY-User-Key-File-2: {name}\r\nEncryption: none\r\nComment: test key\r\n"
    return (head + lines("Public", blob) + lines("Private", secret)).encode()


def jks(key: Any, password: str = "") -> bytes:
    """A Java key store with one private key and no certificate (JavaKeyStore and KeyProtector of OpenJDK)."""
    secret = password.encode("utf-16-be")
    plain, salt = pkcs8(key), os.urandom(20)
    stream, block = b"", salt
    while len(stream) < len(plain):
        block = hashlib.sha1(secret + block).digest()
        stream += block
    sealed = (
        salt
        + bytes(a ^ b for a, b in zip(plain, stream, strict=False))
        + hashlib.sha1(secret + plain).digest()
    )
    algorithm = bytes.fromhex("300e060a2b060104012a021101010500")
    inner = algorithm + b"\x04\x82" + struct.pack(">H", len(sealed)) + sealed
    entry = b"\x30\x82" + struct.pack(">H", len(inner)) + inner
    head = struct.pack(">IIIIH", 0xFEEDFEED, 2, 1, 1, 3) + b"key" + (1_790_000_000_000).to_bytes(8, "big")
    store = head + struct.pack(">I", len(entry)) + entry + struct.pack(">I", 0)
    return store + hashlib.sha1(secret + b"Mighty Aphrodite" + store).digest()


def p12(key: Any) -> bytes:
    return pkcs12.serialize_key_and_certificates(b"name", key, None, None, NoEncryption())


_TRADITIONAL = (*keys.RSA, *keys.EC)
_SSH = (*keys.RSA, *keys.NIST, "Ed25519")
_HARVESTED = ("RSA-2048", *keys.EC, *keys.OKP)

FORMATS = (
    Format("pkcs8", "pkcs8-der", keys.KINDS, pkcs8),
    Format("pkcs1", "pkcs1-der", keys.RSA, traditional),
    Format("sec1", "sec1-der", keys.EC, traditional),
    Format("pkcs8-pem", "pem", keys.KINDS, pkcs8_pem, tail=1),
    Format("pkcs8-pem-crlf", "pem", keys.KINDS, lambda key: pkcs8_pem(key).replace(b"\n", b"\r\n"), tail=2),
    Format("pkcs8-pem-escaped", "pem", keys.KINDS, lambda key: pkcs8_pem(key).replace(b"\n", b"\\n"), tail=2),
    Format("pkcs8-pem-joined", "pem", keys.KINDS, lambda key: pkcs8_pem(key).replace(b"\n", b"")),
    Format(
        "traditional-pem",
        "pem",
        _TRADITIONAL,
        private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL),
        tail=1,
    ),
    Format("openssh-pem", "pem", _SSH, openssh_pem, tail=1),
    Format("openssh", "openssh", _SSH, openssh_binary),
    Format("ssh-private", "ssh-private", _SSH, ssh_private),
    Format(
        "pem-utf16",
        "pem-utf16le",
        keys.KINDS,
        lambda key: pkcs8_pem(key).decode().encode("utf-16-le"),
        tail=2,
    ),
    Format("jwk", "jwk", keys.KINDS, jwk_text),
    Format("jwk-pretty", "jwk", keys.KINDS, lambda key: json.dumps(jwk(key), indent=2).encode()),
    Format("jwk-utf16", "jwk-utf16le", keys.KINDS, lambda key: jwk_text(key).decode().encode("utf-16-le")),
    Format(
        "jwk-quoted",
        "jwk",
        keys.KINDS,
        lambda key: json.dumps({"a": json.dumps(jwk(key))}).encode(),
        skip=7,
        tail=2,
    ),
    Format("xml", "xml", keys.RSA, xml),
    Format("xml-utf16", "xml-utf16le", keys.RSA, lambda key: xml(key).decode().encode("utf-16-le")),
    Format("cng-rsa2", "cng", keys.RSA, cng_rsa(b"RSA2")),
    Format("cng-rsa3", "cng", keys.RSA, cng_rsa(b"RSA3")),
    Format("cryptoapi", "cryptoapi", keys.RSA, capi),
    Format("cng-ecdsa", "cng", keys.NIST, cng_ecc("S")),
    Format("cng-ecdh", "cng", keys.NIST, cng_ecc("K")),
    Format("sexp", "sexp", (*keys.RSA, *keys.EC, "Ed25519"), sexp_canonical),
    Format("sexp-kept", "sexp", (*keys.RSA, *keys.EC, "Ed25519"), sexp_kept),
    Format("sexp-advanced", "sexp", (*keys.RSA, *keys.EC, "Ed25519"), sexp_advanced),
    Format("ppk", "ppk", _SSH, ppk),
    Format("jks", "jks", keys.RSA, jks, skip=12, tail=24),
    Format("pkcs12", "pkcs12", (*keys.RSA, *keys.NIST), p12),
    Format("spki", "spki-der", keys.KINDS, spki, private=False),
    Format("spki-pem", "pem", keys.KINDS, spki_pem, private=False, tail=1),
    Format(
        "pkcs1-public",
        "pkcs1-public-der",
        keys.RSA,
        public_bytes(Encoding.DER, PublicFormat.PKCS1),
        private=False,
    ),
    Format("ssh-line", "ssh-text", _SSH, ssh_line, private=False),
    Format("ssh-wire", "ssh-wire", _SSH, ssh_blob, private=False),
    Format(
        "jwk-public",
        "jwk",
        keys.KINDS,
        lambda key: json.dumps(jwk(key, private=False)).encode(),
        private=False,
    ),
    Format("xml-public", "xml", keys.RSA, lambda key: xml(key, private=False), private=False),
    Format("cng-rsa1", "cng", keys.RSA, cng_rsa(b"RSA1"), private=False),
    Format("cryptoapi-public", "cryptoapi", keys.RSA, lambda key: capi(key, private=False), private=False),
    Format("cng-ecdsa-public", "cng", keys.NIST, cng_ecc("S", private=False), private=False),
)
