"""What is taken as proof that a key is in a TPM, and what is not: bytes of a TPM, changed one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from access.tpm.made import (
    ATTESTATION,
    ATTESTING,
    KEY,
    NOW,
    ROOT,
    SECRET,
    SIGNING,
    MadeKey,
    answer,
    attested,
    document,
    offer,
)
from immure.access import DeniedError
from immure.access.policy import TpmRules
from immure.access.tpm.challenges import Challenges, prove
from immure.access.tpm.credential import make_credential
from immure.access.tpm.evidence import (
    Answer,
    load_json,
    parse_answer,
    parse_document,
    parse_offer,
    qualification,
    verify_answer,
    verify_offer,
)
from immure.access.tpm.structures import MOST_BYTES, parse_area, parse_attestation, verify_signature
from immure.errors import InputError

OFFER = offer()
DOCUMENT = document(OFFER)
EXTRA = qualification(DOCUMENT, SECRET)
RSA_ATTESTATION = MadeKey(ATTESTING, kind=0x01, scheme=b"\x00\x14\x00\x0b")


def test_what_holds() -> None:
    proven = verify_answer(DOCUMENT, OFFER, answer(OFFER), [ROOT], NOW)
    assert proven.key.name == KEY.name
    assert proven.model == "not said"


def test_an_attestation_key_of_rsa() -> None:
    made = offer(attestation=RSA_ATTESTATION)
    body = attested(qualification(document(made), SECRET), KEY.name)
    said = Answer(SECRET, body, RSA_ATTESTATION.sign(body))
    assert verify_answer(document(made), made, said, [ROOT], NOW).key.name == KEY.name


OTHER = MadeKey()
ANSWERS: dict[str, tuple[Answer, dict[str, Any], str]] = {
    "signed by another key": (answer(OFFER, signer=OTHER), {}, "does not hold"),
    "signed by the key itself": (answer(OFFER, signer=KEY), {}, "does not hold"),
    "not by a TPM": (answer(OFFER, attested(EXTRA, KEY.name, magic=0xFF544348)), {}, "no TPM has made"),
    "of the state of the machine": (answer(OFFER, attested(EXTRA, KEY.name, kind=0x8018)), {}, "than a key"),
    "of when a key was made": (answer(OFFER, attested(EXTRA, KEY.name, kind=0x801A)), {}, "than a key"),
    "of another key": (answer(OFFER, attested(EXTRA, OTHER.name)), {}, "of another key"),
    "of half a name": (answer(OFFER, attested(EXTRA, KEY.name[:-1])), {}, "of another key"),
    "of no challenge": (answer(OFFER, attested(b"", KEY.name)), {}, "for another challenge"),
    "of an earlier challenge": (answer(OFFER), {"nonce": "m" * 22}, "for another challenge"),
    "for another room": (answer(OFFER), {"room": "b"}, "for another challenge"),
    "for another account": (answer(OFFER), {"account": "prd-eve"}, "for another challenge"),
    "for another offer": (answer(OFFER), {"offer": "0" * 64}, "challenge of another offer"),
    "without the secret": (Answer(b"", answer(OFFER).attested, answer(OFFER).signature), {}, "challenge"),
    "bytes behind it": (answer(OFFER, attested(EXTRA, KEY.name, tail=b"\0")), {}, "1 bytes too many"),
    "a flag that is none": (answer(OFFER, attested(EXTRA, KEY.name, safe=b"\2")), {}, "flag that is none"),
    "half of it": (answer(OFFER, attested(EXTRA, KEY.name)[:40]), {}, "ends too early"),
    "nothing": (answer(OFFER, b""), {}, "ends too early"),
    "no signature": (Answer(SECRET, answer(OFFER).attested, b""), {}, "ends too early"),
    "by another scheme": (
        Answer(SECRET, answer(OFFER).attested, RSA_ATTESTATION.sign(answer(OFFER).attested)), {},
        "another scheme",
    ),
    "with SHA-1": (Answer(SECRET, answer(OFFER).attested, b"\x00\x18\x00\x04" + bytes(9)), {}, "not taken"),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_that_prove_nothing(case: str) -> None:
    said, changes, words = ANSWERS[case]
    with pytest.raises(InputError, match=words):
        verify_answer({**DOCUMENT, **changes}, OFFER, said, [ROOT], NOW)


OFFERS = {
    "a key that can leave": (KEY.but(attributes=SIGNING & ~2), ATTESTATION, "could leave its TPM"),
    "a key that can be moved": (KEY.but(attributes=SIGNING & ~0x10), ATTESTATION, "could leave its TPM"),
    "a key from elsewhere": (KEY.but(attributes=SIGNING & ~0x20), ATTESTATION, "could leave its TPM"),
    "a key that does not sign": (KEY.but(attributes=SIGNING & ~0x40000), ATTESTATION, "could leave its TPM"),
    "a key that decrypts": (KEY.but(attributes=SIGNING | 0x20000), ATTESTATION, "signs, and no more"),
    "a restricted key": (KEY.but(attributes=SIGNING | 0x10000), ATTESTATION, "signs, and no more"),
    "a key only a policy uses": (KEY.but(attributes=SIGNING & ~0x40), ATTESTATION, "signs, and no more"),
    "attests what it likes": (KEY, ATTESTATION.but(attributes=SIGNING), "not a restricted one"),
    "attests from a file": (KEY, ATTESTATION.but(attributes=ATTESTING & ~2), "not a restricted one"),
    "attests and decrypts": (KEY, ATTESTATION.but(attributes=ATTESTING | 0x20000), "not a restricted one"),
    "attests by no scheme": (KEY, ATTESTATION.but(scheme=b"\x00\x10"), "of a scheme that is not taken"),
    "attests with padding of PSS": (
        KEY, RSA_ATTESTATION.but(scheme=b"\x00\x16\x00\x0b"), "of a scheme that is not taken"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OFFERS)
def test_keys_that_are_not_taken(case: str) -> None:
    key, attestation, words = OFFERS[case]
    with pytest.raises(InputError, match=words):
        verify_offer(offer(key, attestation), [ROOT], NOW)


def test_a_request_for_another_key() -> None:
    with pytest.raises(InputError, match="request for another key"):
        verify_offer(offer(request_of=OTHER), [ROOT], NOW)


# --- public areas ---


def test_areas() -> None:
    area = parse_area(KEY.area)
    assert area.name == KEY.name
    assert area.public_key() == KEY.private.public_key()
    larger = MadeKey(private=ec.generate_private_key(ec.SECP384R1()), curve=4)
    assert parse_area(larger.area).public_key() == larger.private.public_key()
    assert parse_area(RSA_ATTESTATION.area).numbers[1] == 65537


_OFF = b"\x00\x20" + bytes(31) + b"\1" + b"\x00\x20" + bytes(31) + b"\1"
AREAS = {
    "nothing": (b"", "ends too early"),
    "half": (KEY.area[:30], "ends too early"),
    "behind it": (KEY.but(tail=b"\0").area, "1 bytes too many"),
    "long": (KEY.but(tail=bytes(MOST_BYTES)).area, "more than 2048 bytes"),
    "a hash of SHA-1": (KEY.but(name_hash=4).area, "which is not taken"),
    "reserved attributes": (KEY.but(attributes=SIGNING | 1).area, "attributes that are reserved"),
    "firmware-limited": (KEY.but(attributes=SIGNING | 0x100).area, "attributes that are reserved"),
    "a short policy": (KEY.but(policy=b"\1" * 20).area, "policy that is none"),
    "a keyed hash": (KEY.but(kind=8).area, "of the type 0x0008"),
    "a curve of 256 bits that is another": (KEY.but(curve=0x20).area, "other than P-256"),
    "a key derivation": (KEY.but(kdf=b"\x00\x20").area, "other than P-256"),
    "anonymous": (KEY.but(scheme=b"\x00\x1a\x00\x0b").area, "which is not taken"),
    "a scheme with SHA-1": (KEY.but(scheme=b"\x00\x18\x00\x04").area, "which is not taken"),
    "protects by Camellia": (KEY.but(symmetric=b"\x00\x26\x00\x80\x00\x43").area, "else than AES"),
    "off the curve": (KEY.but(point=_OFF).area, "numbers are no key"),
    "a short point": (KEY.but(point=b"\x00\x01\1\x00\x01\1").area, "a number of 1 bytes"),
    "RSA of 1024 bits": (RSA_ATTESTATION.but(bits=1024).area, "a number of 256 bytes"),
    "RSA with the exponent 3": (RSA_ATTESTATION.but(exponent=3).area, "with the usual exponent"),
}  # fmt: skip


@pytest.mark.parametrize("case", AREAS)
def test_no_areas(case: str) -> None:
    data, words = AREAS[case]
    with pytest.raises(InputError, match=words):
        parse_area(data)


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: KEY.area[:20] + tail))
def test_any_bytes(data: bytes) -> None:
    for parse in (parse_area, parse_attestation):
        try:
            parse(data)
        except InputError:
            continue
    with pytest.raises(InputError):
        verify_signature(parse_area(ATTESTATION.area), data, b"message")


@given(st.integers(0, len(KEY.area) - 1), st.integers(1, 255))
def test_any_byte_of_a_key(at: int, change: int) -> None:
    """Another key has another name: an attestation never fits it."""
    area = bytearray(KEY.area)
    area[at] ^= change
    try:
        assert parse_area(bytes(area)).name != KEY.name
    except InputError:
        return


# --- JSON ---

GOOD = {"v": 1, "document": DOCUMENT, "offer": OFFER.to_json(), "answer": answer(OFFER).to_json()}


def test_evidence() -> None:
    assert prove(json.loads(json.dumps(GOOD)), (ROOT,), NOW).key.name == KEY.name


JSONS: dict[str, tuple[object, str]] = {
    "a text": ("evidence", "and nothing else"),
    "more": ({**GOOD, "more": 1}, "and nothing else"),
    "of tomorrow": ({**GOOD, "v": 2}, "another version"),
    "an offer of tomorrow": ({**GOOD, "offer": {**OFFER.to_json(), "v": 2}}, "another version"),
    "a long chain": ({**GOOD, "offer": {**OFFER.to_json(), "chain": [""] * 4}}, "more than 3 certificates"),
    "a chain of numbers": ({**GOOD, "offer": {**OFFER.to_json(), "chain": [1]}}, "no text"),
    "no base64url": ({**GOOD, "offer": {**OFFER.to_json(), "key": "?"}}, "base64url"),
    "a document without a room": ({**GOOD, "document": {"v": 1}}, "and nothing else"),
    "a document of another time": ({**GOOD, "document": {**DOCUMENT, "issued": "now"}}, "not a time"),
    "a number for a room": ({**GOOD, "document": {**DOCUMENT, "room": 1}}, "another version"),
    "an answer with more": ({**GOOD, "answer": {**answer(OFFER).to_json(), "x": ""}}, "and nothing else"),
}


@pytest.mark.parametrize("case", JSONS)
def test_no_evidence(case: str) -> None:
    value, words = JSONS[case]
    with pytest.raises(InputError, match=words):
        prove(value, (ROOT,), NOW)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just("AAAA"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(
        {"v", "document", "offer", "answer", "room", "nonce", "chain", "key", "request", *OFFER.to_json()}
    )), inner, max_size=8),
    max_leaves=20,
)  # fmt: skip


@given(_VALUES)
def test_any_json(value: object) -> None:
    for parse in (parse_offer, parse_answer, parse_document):
        try:
            parse(value)
        except InputError:
            continue
    with pytest.raises(InputError):
        prove(value, (ROOT,), NOW)


def test_no_json() -> None:
    for data, words in ((b"{", "no JSON"), (b"[" * 60000, "no JSON"), (b" " * 70000, "longer than")):
        with pytest.raises(InputError, match=words):
            load_json(data)


@pytest.mark.parametrize("nonce", [None, 1, "", "../../etc/passwd", "a" * 21, "a" * 23, "a" * 21 + "/"])
def test_nonces_that_are_no_names(tmp_path: Any, nonce: object) -> None:
    said = {"v": 1, "nonce": nonce, **answer(OFFER).to_json()}
    rules = TpmRules("required", (ROOT,))
    with pytest.raises(DeniedError, match="without the nonce"):
        Challenges(tmp_path).finish(said, rules, NOW)
    with pytest.raises(DeniedError, match="names nobody who vouches"):
        Challenges(tmp_path).finish(said, TpmRules("preferred", ()), NOW)


def test_a_curve_for_which_nothing_is_wrapped() -> None:
    with pytest.raises(InputError, match="other than P-256"):
        make_credential(ec.generate_private_key(ec.SECP384R1()).public_key(), KEY.name, SECRET)
