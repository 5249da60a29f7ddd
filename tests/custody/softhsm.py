"""A real PKCS#11 token in a directory of its own: SoftHSM2, with one key of each kind.

    python -m tests.custody.softhsm DIRECTORY

makes one for other processes. The library of SoftHSM reads its configuration (SOFTHSM2_CONF) when it is first
loaded, so one process has one such token.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/libsofthsm2.so",
)
PIN = "2468-größer"  # not ASCII: a PIN is UTF-8
TOKEN = "immure; test/100%"
KEYS = {
    "ed": ("EdDSA", b"\x01"),
    "p256": ("ES256", b"\x02\xff"),
    "p384": ("ES384", b"\x03"),
    "rsa": ("PS256", b"\x04"),
}


@dataclass(frozen=True)
class SoftHsm:
    """The token: where its library and its files are."""

    library: str
    directory: Path
    configuration: Path

    def uri(self, label: str, query: str = "", path: str = "") -> str:
        """URI of the key of that label."""
        token = TOKEN.replace("%", "%25").replace(";", "%3B").replace("/", "%2F").replace(" ", "%20")
        return f"pkcs11:token={token};object={label}{path}?module-path={self.library}{query}"


#: The token of this process, once it is made.
MADE: list[SoftHsm] = []


@cache
def missing() -> str | None:
    """Why there can be no such token here, None if there can."""
    if shutil.which("softhsm2-util") is None or find_library() is None:
        return "SoftHSM2 is not installed (Debian: softhsm2)"
    try:
        import pkcs11  # noqa: F401
    except ImportError:
        return "python-pkcs11 is not installed (extra: pkcs11)"
    return None


def find_library() -> str | None:
    return next((path for path in LIBRARIES if os.path.exists(path)), None)


def make(directory: Path) -> SoftHsm:
    """Make the token and its keys; sets SOFTHSM2_CONF."""
    library = find_library()
    assert library is not None
    tokens = directory / "tokens"
    tokens.mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    label_and_pins = ["--label", TOKEN, "--pin", PIN, "--so-pin", "13579-so"]
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", *label_and_pins], check=True, capture_output=True
    )
    _make_keys(library)
    return SoftHsm(library, tokens, configuration)


def _make_keys(library: str) -> None:
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism
    from pkcs11.util.ec import encode_named_curve_parameters as curve

    token = pkcs11.lib(library).get_token(token_label=TOKEN)
    with token.open(rw=True, user_pin=PIN) as session:

        def pair(label: str, identity: bytes, kind: KeyType, name: str, **more: object) -> None:
            group = session.create_domain_parameters(kind, {Attribute.EC_PARAMS: curve(name)}, local=True)
            group.generate_keypair(label=label, id=identity, store=True, **more)

        for label, name in (("p256", "secp256r1"), ("p384", "secp384r1")):
            pair(label, KEYS[label][1], KeyType.EC, name)
        edwards = Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        pair("ed", KEYS["ed"][1], KeyType.EC_EDWARDS, "1.3.101.112", mechanism=edwards)
        session.generate_keypair(KeyType.RSA, 2048, label="rsa", id=KEYS["rsa"][1], store=True)
        pair(
            "pin-each-time",
            b"\x05",
            KeyType.EC,
            "secp256r1",
            private_template={Attribute.ALWAYS_AUTHENTICATE: True},
        )
        pair("twice", b"\x06", KeyType.EC, "secp256r1")
        pair("twice", b"\x07", KeyType.EC, "secp256r1")
        session.generate_keypair(KeyType.RSA, 1024, label="small", id=b"\x08", store=True)
        pair("p521", b"\x09", KeyType.EC, "secp521r1")
        pair("no-public", b"\x0a", KeyType.EC, "secp256r1")
        pair("swapped", b"\x0b", KeyType.EC, "secp256r1")
        pair("swapped-2", b"\x0c", KeyType.EC, "secp256r1")
        pair("no-sign", b"\x0d", KeyType.EC, "secp256r1", private_template={Attribute.SIGN: False})
        pair("certified", b"\x0e", KeyType.EC, "secp256r1")
        _certify(session, "certified")
        _spoil(session)


def _certify(session: Any, label: str) -> None:
    """Puts a certificate of a key on the token."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
    from pkcs11 import Attribute, CertificateType, ObjectClass
    from pkcs11.util.ec import encode_ec_public_key

    [public] = session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label})
    name, begin = x509.Name([]), datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, load_der_public_key(encode_ec_public_key(public)), 1, begin)
    end = begin + datetime.timedelta(days=1)
    authority = ec.generate_private_key(ec.SECP256R1())
    session.create_object(
        {
            Attribute.CLASS: ObjectClass.CERTIFICATE,
            Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
            Attribute.TOKEN: True,
            Attribute.ID: public[Attribute.ID],
            Attribute.SUBJECT: name.public_bytes(),
            Attribute.VALUE: builder.not_valid_after(end)
            .sign(authority, hashes.SHA256())
            .public_bytes(Encoding.DER),
        }
    )


def _spoil(session: Any) -> None:
    """Takes the public half of one key away, and gives another key the public half of a third."""
    from pkcs11 import Attribute, ObjectClass

    public = {Attribute.CLASS: ObjectClass.PUBLIC_KEY}
    for label in ("no-public", "swapped", "certified"):
        for thing in list(session.get_objects({**public, Attribute.LABEL: label})):
            thing.destroy()
    for thing in list(session.get_objects({**public, Attribute.LABEL: "swapped-2"})):
        thing[Attribute.ID] = b"\x0b"


if __name__ == "__main__":
    make(Path(sys.argv[1]))
