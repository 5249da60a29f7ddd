"""WebAuthn Level 3, section 7.1: every step that a relying party verifies, as a row with the rule that says
no. Each row is a registration that is right but for one thing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from hypothesis import given, settings
from hypothesis import strategies as st

from access.authenticator import (
    AAGUID,
    AT,
    BE,
    BS,
    ED,
    OTHER_AAGUID,
    UP,
    UV,
    Attester,
    Authenticator,
    Authority,
    Made,
    aaguid_extension,
    attester_name,
    b64,
    name,
    vendor,
)
from immure.access.errors import CeremonyError
from immure.access.webauthn.assertion import Expected
from immure.access.webauthn.models import Model
from immure.access.webauthn.registration import Registered, verify_registration
from immure.access.webauthn.response import parse_registration
from immure.errors import InputError

ID, ORIGIN = "access.prod.example", "https://access.prod.example"
CHALLENGE = hashlib.sha256(b"a document").digest()
EXPECTED = Expected(ID, (ORIGIN,), CHALLENGE)
NOW = datetime(2026, 11, 30, tzinfo=UTC)
ROOT, ATTESTER = vendor()
MODEL = Model(AAGUID, "Example Key 5", (ROOT.certificate,))
OTHER_MODEL = Model(OTHER_AAGUID, "Example Key 6", (ROOT.certificate,))


def made(twist: Callable[[Made], Made] | None = None, key: Authenticator | None = None) -> dict[str, Any]:
    options = {
        "rp": {"id": ID},
        "user": {"id": b64(b"h" * 32)},
        "challenge": b64(CHALLENGE),
        "excludeCredentials": [],
    }
    return (key or Authenticator()).create(options, twist)


def verify(response: dict[str, Any], **options: Any) -> Registered:
    options = {"taken": (), "at": NOW, "models": (MODEL, OTHER_MODEL), **options}
    models = options.pop("models")
    return verify_registration(parse_registration(response), EXPECTED, models, **options)


def attested_by(attester: Attester) -> Callable[[Made], Made]:
    return lambda m: m.but(attester=attester)


def statement(**members: Any) -> Callable[[Made], Made]:
    return lambda m: m.but(statement=members)


def cose(**members: Any) -> Callable[[Made], Made]:
    changed = {int(key[1:].replace("m", "-")): value for key, value in members.items()}
    return lambda m: m.but(cose={**m.cose, **changed})


def identified(identity: bytes) -> Callable[[Made], Made]:
    def twist(m: Made) -> Made:
        m.credential.id = identity
        return m

    return twist


LONGER = x509.UnrecognizedExtension(aaguid_extension(AAGUID).oid, b"\x04\x11" + AAGUID + b"x")
EVIL = Authority.root("Example Keys Root")  # the same name, another key
SHORT = ROOT.intermediate("Example Keys Issuing 2", path_length=0)
NOT_CA = ROOT.intermediate("Example Keys Not Issuing", ca=False)
NO_USAGE = ROOT.intermediate("Example Keys No Usage", usage=False)
PAST = datetime(2021, 1, 1, tzinfo=UTC)


def through(*authorities: Authority, **options: Any) -> Attester:
    """An attester whose chain goes through these, the one that signs it first."""
    one = authorities[0].attester(**options)
    return Attester(one.key, [*one.chain, *(authority.der for authority in authorities)])


def stolen_leaf() -> Attester:
    """A leaf that was signed with the key of another leaf, which is no authority."""
    leaf = ATTESTER
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = Authority(leaf.key, x509.load_der_x509_certificate(leaf.chain[0]))
    forged = issuer.leaf(attester_name(), key.public_key(), extensions=[(aaguid_extension(AAGUID), False)])
    from access.authenticator import der

    return Attester(key, [der(forged), leaf.chain[0]])


P384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
Row = tuple[str, Callable[[Made], Made]]

#: Step of section 7.1, the rule that says no, and what is amiss.
ROWS: dict[str, Row] = {
    "5: client data that are not UTF-8": ("client-data", lambda m: m.but(raw_client=b'{"type":"\xff"}')),
    "6: client data that are no JSON": ("client-data", lambda m: m.but(raw_client=b"nothing")),
    "7: of an assertion": ("type", lambda m: m.but(type="webauthn.get")),
    "8: another challenge": ("challenge", lambda m: m.but(challenge=b"x" * 32)),
    "8: no challenge": ("challenge", lambda m: m.but(challenge=b"")),
    "9: another origin": ("origin", lambda m: m.but(origin="https://evil.example")),
    "9: the corporate network": ("origin", lambda m: m.but(origin="https://access.corp.example")),
    "10: in a frame of another origin": ("cross-origin", lambda m: m.but(client={"crossOrigin": True})),
    "11: with a top origin": ("top-origin", lambda m: m.but(client={"topOrigin": "https://evil.example"})),
    "12: client data changed after the signature": (
        "attestation-signature",
        lambda m: m.but(signature=m.sign(m.attester.key, m.data() + hashlib.sha256(b"{}").digest())),
    ),
    "13: no credential in the data": ("authenticator-data", lambda m: m.but(flags=UP | UV)),
    "13: data that break off": ("authenticator-data", lambda m: m.but(raw_data=m.data()[:60])),
    "13: data that go on": ("authenticator-data", lambda m: m.but(tail=b"\0")),
    "13: extensions that are not there": ("authenticator-data", lambda m: m.but(flags=UP | UV | AT | ED)),
    "14: another relying party": ("rp-id", lambda m: m.but(rp_id="corp.example")),
    "15: nobody has touched it": ("user-presence", lambda m: m.but(flags=UV | AT)),
    "16: nobody was verified": ("user-verification", lambda m: m.but(flags=UP | AT)),
    "17: backed up, and not to be": ("backup-state", lambda m: m.but(flags=UP | UV | AT | BS)),
    "18: a synced passkey": ("synced", lambda m: m.but(flags=UP | UV | AT | BE)),
    "19: a passkey that is synced": ("synced", lambda m: m.but(flags=UP | UV | AT | BE | BS)),
    "20: RS256": ("algorithm", lambda m: m.but(cose={1: 3, 3: -257, -1: b"n" * 256, -2: b"\1\0\1"})),
    "20: no algorithm": ("algorithm", lambda m: m.but(cose={k: v for k, v in m.cose.items() if k != 3})),
    "20: an algorithm that is a truth": ("algorithm", cose(_3=True)),
    "20: ES256 on another curve": ("algorithm", cose(_m1=2)),
    "20: ES256 with numbers of P-384": (
        "algorithm",
        lambda m: m.but(cose={**m.cose, -2: P384.x.to_bytes(48, "big"), -3: P384.y.to_bytes(48, "big")}),
    ),
    "20: a point that is on no curve": ("algorithm", cose(_m2=b"\1" * 32)),
    "20: a private key with it": ("algorithm", cose(_m4=b"d" * 32)),
    "20: EdDSA of another kind": ("algorithm", lambda m: m.but(cose={1: 1, 3: -8, -1: 4, -2: b"x" * 32})),
    "21: no attestation": ("attestation-none", lambda m: m.but(format="none", without=("alg", "sig", "x5c"))),
    "21: no attestation, and a statement": ("attestation-none", lambda m: m.but(format="none")),
    "21: U2F": ("attestation-format", lambda m: m.but(format="fido-u2f")),
    "21: a TPM": ("attestation-format", lambda m: m.but(format="tpm")),
    "21: Android": ("attestation-format", lambda m: m.but(format="android-key")),
    "21: SafetyNet": ("attestation-format", lambda m: m.but(format="android-safetynet")),
    "21: Apple": ("attestation-format", lambda m: m.but(format="apple")),
    "21: packed in capitals": ("attestation-format", lambda m: m.but(format="Packed")),
    "22: it vouches for itself": ("attestation-self", lambda m: m.but(without=("x5c",))),
    "22: ECDAA": ("attestation-statement", statement(ecdaaKeyId=b"x")),
    "22: no signature": ("attestation-statement", lambda m: m.but(without=("sig",))),
    "22: a signature that is a text": ("attestation-statement", statement(sig="x")),
    "22: a chain that is no list": ("attestation-statement", statement(x5c=b"x")),
    "22: an empty chain": ("attestation-statement", statement(x5c=[])),
    "22: a chain of texts": ("attestation-statement", statement(x5c=["x"])),
    "22: a chain of noise": ("attestation-statement", statement(x5c=[b"\x30\x03\x02\x01\x01"])),
    "22: a certificate of version 6": (  # found by fuzz_access_responses
        "attestation-statement",
        statement(x5c=[ATTESTER.chain[0].replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)]),
    ),
    "22: signed by another key": (
        "attestation-signature",
        lambda m: m.but(attester=Attester(ec.generate_private_key(ec.SECP256R1()), m.attester.chain)),
    ),
    "22: signed by the credential": (
        "attestation-signature",
        lambda m: m.but(attester=Attester(m.credential.key, m.attester.chain)),
    ),
    "22: another algorithm than the key's": ("attestation-statement", statement(alg=-257)),
    "22: an algorithm that there is not": ("attestation-statement", statement(alg=-65535)),
    "22: the certificate of another model": (
        "attestation-aaguid",
        attested_by(ROOT.attester(OTHER_AAGUID)),
    ),
    "22: another model of the same vendor": ("attestation-aaguid", lambda m: m.but(aaguid=OTHER_AAGUID)),
    "22: a certificate of no model": ("attestation-aaguid", attested_by(ROOT.attester(None))),
    "22: a model that is longer": (
        "attestation-aaguid",
        attested_by(
            ROOT.attester(None, extensions=[(LONGER, False)]),
        ),
    ),
    "22: a model that is critical": (
        "attestation-statement",
        attested_by(ROOT.attester(None, extensions=[(aaguid_extension(AAGUID), True)])),
    ),
    "22: a certificate of an authority": ("attestation-statement", attested_by(ROOT.attester(ca=True))),
    "22: no basic constraints": ("attestation-statement", attested_by(ROOT.attester(ca=None))),
    "22: another unit in the subject": (
        "attestation-statement",
        attested_by(
            ROOT.attester(
                subject=name("x", COUNTRY_NAME="SE", ORGANIZATION_NAME="x", ORGANIZATIONAL_UNIT_NAME="x")
            )
        ),
    ),
    "22: no organization in the subject": (
        "attestation-statement",
        attested_by(
            ROOT.attester(
                subject=name("x", COUNTRY_NAME="SE", ORGANIZATIONAL_UNIT_NAME="Authenticator Attestation")
            )
        ),
    ),
    "23: a model that is not in the list": (
        "model",
        lambda m: m.but(aaguid=b"z" * 16, attester=ROOT.attester(b"z" * 16)),
    ),
    "23: no model": ("model", lambda m: m.but(aaguid=bytes(16), attester=ROOT.attester(bytes(16)))),
    "24: another root of the same name": ("attestation-root", attested_by(EVIL.attester())),
    "24: it is its own root": (
        "attestation-root",
        lambda m: m.but(attester=through(EVIL)),
    ),
    "24: signed with the key of a leaf": ("attestation-root", lambda m: m.but(attester=stolen_leaf())),
    "24: an intermediate that may not issue": ("attestation-root", attested_by(through(NOT_CA))),
    "24: an intermediate whose key may not": ("attestation-root", attested_by(through(NO_USAGE))),
    "24: one level too many": (
        "attestation-root",
        lambda m: m.but(attester=through(SHORT.intermediate("Example Deeper"), SHORT)),
    ),
    "24: a chain in another order": (
        "attestation-root",
        lambda m: m.but(attester=through(SHORT.intermediate("Example Deeper"), ROOT, SHORT)),
    ),
    "24: a certificate that has run out": ("attestation-root", attested_by(ROOT.attester(end=PAST))),
    "24: a certificate that is not valid yet": (
        "attestation-root",
        attested_by(ROOT.attester(begin=datetime(2027, 1, 1, tzinfo=UTC))),
    ),
    "24: a short hash": ("attestation-root", attested_by(ROOT.attester(hashed=hashes.SHA224()))),
    "24: too many certificates": ("attestation-root", attested_by(through(*[ROOT] * 5))),
    "25: an id that is too long": ("credential-length", identified(b"i" * 1024)),
    "25: an id that is empty": ("credential-length", identified(b"")),
    "25: another id outside": ("credential", lambda m: m.but(outer_id=b"x" * 32)),
    "26: an id that is taken": ("registered", identified(b"taken" * 6)),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_no_registration_gets_through_that_fails_a_step(row: str) -> None:
    rule, twist = ROWS[row]
    with pytest.raises(CeremonyError) as caught:
        verify(made(twist), taken=(b"taken" * 6,))
    assert caught.value.rule == rule, caught.value


def test_every_step_of_the_section_has_a_row() -> None:
    """Steps 1 to 4 are calls; 27 to 29 are what is kept."""
    assert {int(row.partition(":")[0]) for row in ROWS} == set(range(5, 27))


def test_one_that_is_right() -> None:
    key = Authenticator()
    registered = verify(made(key=key))
    assert registered.model == MODEL
    assert registered.counter == 0
    assert registered.credential.id in key.credentials
    assert registered.credential.cose == cbor.encode(key.credentials[registered.credential.id].cose)


@pytest.mark.parametrize(
    "attester",
    [
        through(SHORT),
        through(
            ROOT.intermediate("Example Upper").intermediate("Example Lower"),
            ROOT.intermediate("Example Upper"),
        ),
        through(ROOT),
    ],
    ids=["one intermediate", "unrelated intermediates", "with the root"],
)
def test_chains(attester: Attester) -> None:
    if len(attester.chain) == 3:  # the two that are called Example Upper have different keys
        with pytest.raises(CeremonyError, match="has not signed"):
            verify(made(attested_by(attester)))
    else:
        assert verify(made(attested_by(attester))).root == hashlib.sha256(ROOT.der).hexdigest()


def test_two_intermediates() -> None:
    upper = ROOT.intermediate("Example Upper")
    lower = upper.intermediate("Example Lower")
    assert verify(made(attested_by(through(lower, upper)))).model == MODEL


def test_eddsa() -> None:
    key = Authenticator(algorithm="EdDSA")
    assert verify(made(key=key)).credential.cose == cbor.encode(next(iter(key.credentials.values())).cose)


def test_another_model_of_the_list() -> None:
    assert (
        verify(made(lambda m: m.but(aaguid=OTHER_AAGUID, attester=ROOT.attester(OTHER_AAGUID)))).model
        is OTHER_MODEL
    )


def test_the_root_of_one_model_does_not_vouch_for_another() -> None:
    """The list is one of pairs: two vendors, and each speaks for its own models only."""
    other = Authority.root("Other Keys Root")
    models = (MODEL, Model(OTHER_AAGUID, "Other Key", (other.certificate,)))
    with pytest.raises(CeremonyError) as caught:
        verify(made(attested_by(other.attester())), models=models)
    assert caught.value.rule == "attestation-root"


OBJECTS = {
    "no map": b"\x01",
    "a member is missing": cbor.encode({"fmt": "packed", "authData": b""}),
    "a member more": cbor.encode({"fmt": "packed", "authData": b"", "attStmt": {}, "ver": 1}),
    "a format that is bytes": cbor.encode({"fmt": b"packed", "authData": b"", "attStmt": {}}),
    "data that are a text": cbor.encode({"fmt": "packed", "authData": "", "attStmt": {}}),
    "a statement that is a list": cbor.encode({"fmt": "packed", "authData": b"", "attStmt": []}),
    "a member twice": bytes.fromhex("a363666d746470616b6463666d74"),
    "an indefinite length": b"\xbf\xff",
    "deep": b"\x81" * 1000 + b"\x00",
    "long": b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
}


@pytest.mark.parametrize("row", OBJECTS)
def test_attestation_objects_that_are_none(row: str) -> None:
    response = made()
    response["response"]["attestationObject"] = b64(OBJECTS[row])
    with pytest.raises(CeremonyError) as caught:
        verify(response)
    assert caught.value.rule == "attestation-object"


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_no_single_changed_byte_gets_through(draw: st.DataObject) -> None:
    from access.authenticator import unb64

    response = made()
    named = draw.draw(st.sampled_from(("clientDataJSON", "attestationObject")))
    raw = bytearray(unb64(response["response"][named]))
    at = draw.draw(st.integers(0, 1 << 16)) % len(raw)  # signatures have different lengths
    raw[at] ^= draw.draw(st.integers(1, 255))
    response["response"][named] = b64(bytes(raw))
    with pytest.raises((CeremonyError, InputError)):
        verify(response)
