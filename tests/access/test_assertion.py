"""WebAuthn Level 3, section 7.2: every step that a relying party verifies, as a row with the rule that says
no. Each row is an assertion that is right but for one thing."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.server import Fido2Server
from fido2.webauthn import AttestedCredentialData, PublicKeyCredentialRpEntity
from hypothesis import given, settings
from hypothesis import strategies as st

from access.authenticator import AT, BE, BS, ED, UP, UV, Authenticator, Credential, Made, b64, unb64
from immure.access.errors import CeremonyError
from immure.access.webauthn.assertion import Expected, Known, verify_assertion
from immure.access.webauthn.response import parse_assertion
from immure.errors import InputError

ID, ORIGIN = "access.prod.example", "https://access.prod.example"
CHALLENGE = hashlib.sha256(b"a document").digest()
EXPECTED = Expected(ID, (ORIGIN,), CHALLENGE)
HANDLE = b"h" * 32


def credential(**members: Any) -> Credential:
    made = Credential(b"c" * 32, ec.generate_private_key(ec.SECP256R1()), HANDLE, counter=4)
    return replace(made, **members)


def known(one: Credential, **members: Any) -> Known:
    from fido2 import cbor

    return replace(Known(one.id, one.handle, cbor.encode(one.cose), 4), **members)


def signed(one: Credential, twist: Callable[[Made], Made] | None = None) -> dict[str, Any]:
    key = Authenticator(credentials={one.id: one})
    options = {"challenge": b64(CHALLENGE), "rpId": ID, "allowCredentials": [{"id": b64(one.id)}]}
    return key.get(options, twist)


def verify(response: dict[str, Any], one: Credential, **members: Any) -> int:
    return verify_assertion(parse_assertion(response), EXPECTED, known(one, **members))


def client(made: Made, **members: Any) -> bytes:
    """Client data with other members; None takes one away."""
    all_ = {"type": made.type, "challenge": b64(made.challenge), "origin": made.origin, **members}
    return json.dumps({name: value for name, value in all_.items() if value is not None}).encode()


def data(made: Made, *, flags: int | None = None, tail: bytes = b"") -> bytes:
    flags = made.flags if flags is None else flags
    return hashlib.sha256(made.rp_id.encode()).digest() + struct.pack(">BI", flags, made.counter) + tail


STRANGER = ec.generate_private_key(ec.SECP256R1())
Row = tuple[str, Callable[[Made], Made]]

#: Step of section 7.2, the rule that says no, and what is amiss.
ROWS: dict[str, Row] = {
    "5: a credential that was not asked for": ("credential", lambda m: m.but(outer_id=b"x" * 32)),
    "6: the handle of another user": ("user-handle", lambda m: m.but(handle=b"g" * 32)),
    "6: an empty handle": ("user-handle", lambda m: m.but(handle=b"")),
    "8: client data that are not UTF-8": ("client-data", lambda m: m.but(raw_client=b'{"type":"\xff"}')),
    "8: a byte order mark": ("client-data", lambda m: m.but(raw_client=b"\xef\xbb\xbf" + client(m))),
    "9: client data that are no JSON": ("client-data", lambda m: m.but(raw_client=b"{")),
    "9: client data that are a list": ("client-data", lambda m: m.but(raw_client=b"[]")),
    "9: a member twice": (
        "client-data",
        lambda m: m.but(raw_client=client(m)[:-1] + b',"origin":"https://evil.example"}'),
    ),
    "9: client data nested too deep": ("client-data", lambda m: m.but(raw_client=b"[" * 8000)),
    "9: client data without a type": ("client-data", lambda m: m.but(raw_client=client(m, type=None))),
    "9: client data without a challenge": (
        "client-data",
        lambda m: m.but(raw_client=client(m, challenge=None)),
    ),
    "9: client data without an origin": ("client-data", lambda m: m.but(raw_client=client(m, origin=None))),
    "9: an origin of another type": ("client-data", lambda m: m.but(raw_client=client(m, origin=[ORIGIN]))),
    "9: a challenge with padding": (
        "client-data",
        lambda m: m.but(raw_client=client(m, challenge=b64(m.challenge) + "=")),
    ),
    "9: a challenge in the other alphabet": (
        "client-data",
        lambda m: m.but(raw_client=client(m, challenge="+/" + b64(m.challenge)[2:])),
    ),
    "10: of a registration": ("type", lambda m: m.but(type="webauthn.create")),
    "10: of a payment": ("type", lambda m: m.but(type="payment.get")),
    "10: the type in capitals": ("type", lambda m: m.but(type="WEBAUTHN.GET")),
    "11: another challenge": ("challenge", lambda m: m.but(challenge=hashlib.sha256(b"another").digest())),
    "11: a part of the challenge": ("challenge", lambda m: m.but(challenge=m.challenge[:31])),
    "11: no challenge": ("challenge", lambda m: m.but(challenge=b"")),
    "12: another origin": ("origin", lambda m: m.but(origin="https://evil.example")),
    "12: a host below the origin": ("origin", lambda m: m.but(origin="https://x.access.prod.example")),
    "12: the origin without TLS": ("origin", lambda m: m.but(origin="http://access.prod.example")),
    "12: another port": ("origin", lambda m: m.but(origin=ORIGIN + ":8443")),
    "12: a slash more": ("origin", lambda m: m.but(origin=ORIGIN + "/")),
    "12: the corporate network": ("origin", lambda m: m.but(origin="https://access.corp.example")),
    "13: in a frame of another origin": ("cross-origin", lambda m: m.but(client={"crossOrigin": True})),
    "13: crossOrigin of another type": ("client-data", lambda m: m.but(client={"crossOrigin": "false"})),
    "14: with a top origin": ("top-origin", lambda m: m.but(client={"topOrigin": ORIGIN})),
    "15: another relying party": ("rp-id", lambda m: m.but(rp_id="prod.example")),
    "15: the relying party in capitals": ("rp-id", lambda m: m.but(rp_id=ID.upper())),
    "16: nobody has touched it": ("user-presence", lambda m: m.but(flags=UV)),
    "17: nobody was verified": ("user-verification", lambda m: m.but(flags=UP)),
    "18: backed up, and not to be": ("backup-state", lambda m: m.but(flags=UP | UV | BS)),
    "19: it can be backed up": ("synced", lambda m: m.but(flags=UP | UV | BE)),
    "19: it is backed up": ("synced", lambda m: m.but(flags=UP | UV | BE | BS)),
    "20: client data changed after the signature": (
        "signature",
        lambda m: m.but(signature=m.sign(m.credential.key, data(m) + hashlib.sha256(b"{}").digest())),
    ),
    "21: signed by another key": (
        "signature",
        lambda m: m.but(
            signature=m.sign(STRANGER, data(m) + hashlib.sha256(m.client_data()).digest())
        ),
    ),
    "21: no signature": ("signature", lambda m: m.but(signature=b"")),
    "21: a signature of zeros": ("signature", lambda m: m.but(signature=bytes.fromhex("3006020100020100"))),
    "21: authenticator data changed after the signature": (
        "signature",
        lambda m: m.but(
            signature=m.sign(m.credential.key, data(m, flags=UP) + hashlib.sha256(m.client_data()).digest())
        ),
    ),
    "21: authenticator data that break off": ("authenticator-data", lambda m: m.but(raw_data=data(m)[:36])),
    "21: authenticator data that go on": ("authenticator-data", lambda m: m.but(tail=b"\0")),
    "21: a credential is brought along": ("authenticator-data", lambda m: m.but(flags=UP | UV | AT)),
    "21: a flag without a meaning": ("authenticator-data", lambda m: m.but(flags=UP | UV | 0x20)),
    "21: extensions that are not there": ("authenticator-data", lambda m: m.but(flags=UP | UV | ED)),
    "21: extensions that are no map": (
        "authenticator-data",
        lambda m: m.but(flags=UP | UV | ED, tail=b"\x01"),
    ),
    "22: the counter stands": ("counter", lambda m: m.but(counter=4)),
    "22: the counter went back": ("counter", lambda m: m.but(counter=3)),
    "22: the counter is gone": ("counter", lambda m: m.but(counter=0)),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_no_assertion_gets_through_that_fails_a_step(row: str) -> None:
    rule, twist = ROWS[row]
    one = credential()
    with pytest.raises(CeremonyError) as caught:
        verify(signed(one, twist), one)
    assert caught.value.rule == rule


def test_every_step_of_the_section_has_a_row() -> None:
    """Steps 1 to 4, 7, 23 and 24 verify nothing: they are calls, names, and what is remembered."""
    assert {int(row.partition(":")[0]) for row in ROWS} == {5, 6, *range(8, 23)}


def test_one_that_is_right_gives_the_counter() -> None:
    one = credential()
    assert verify(signed(one), one) == 5
    assert verify(signed(one, lambda m: m.but(counter=4_000_000_000)), one) == 4_000_000_000


def test_a_key_that_never_counts_is_taken() -> None:
    one = credential(counter=0)
    assert verify(signed(one, lambda m: m.but(counter=0)), one, counter=0) == 0


def test_extensions_that_nobody_asked_for_are_ignored() -> None:
    one = credential()
    assert verify(signed(one, lambda m: m.but(flags=UP | UV | ED, tail=b"\xa1\x61x\xf5")), one) == 5


def test_the_key_in_the_record_is_what_counts() -> None:
    one, other = credential(), credential()
    with pytest.raises(CeremonyError) as caught:
        verify(signed(one), other)
    assert caught.value.rule == "signature"
    with pytest.raises(CeremonyError) as caught:
        verify(signed(one), one, cose=b"\xa0")
    assert caught.value.rule == "public-key"


OUTER: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "not a credential": (lambda r: r.pop("type"), "not a WebAuthn response"),
    "a password": (lambda r: r.update(type="password"), "not a WebAuthn response"),
    "no response": (lambda r: r.pop("response"), "not a WebAuthn response"),
    "a response that is a text": (lambda r: r.update(response="x"), "not a WebAuthn response"),
    "no id": (lambda r: r.pop("rawId"), "without rawId"),
    "two ids": (lambda r: r.update(id="AAAA"), "two different ids"),
    "an id that is not base64url": (lambda r: r.update(rawId="a+/="), "not base64url"),
    "bits left over": (lambda r: r.update(id="AB", rawId="AB"), "bits left over"),
    "no signature": (lambda r: r["response"].pop("signature"), "without signature"),
    "no client data": (lambda r: r["response"].pop("clientDataJSON"), "without clientDataJSON"),
    "data that are a number": (
        lambda r: r["response"].update(authenticatorData=1),
        "without authenticatorData",
    ),
    "a number that is none": (lambda r: r.update(x=float("nan")), "no JSON"),
}


@pytest.mark.parametrize("row", OUTER)
def test_responses_that_are_none(row: str) -> None:
    change, words = OUTER[row]
    response = signed(credential())
    change(response)
    with pytest.raises(InputError, match=words):
        parse_assertion(response)


def test_a_response_is_bounded() -> None:
    with pytest.raises(InputError, match="more than"):
        parse_assertion(b" " * (1 << 18))
    with pytest.raises(InputError, match=r"nested|no JSON"):
        parse_assertion(b'{"a":' * 20_000)


@given(st.binary(max_size=300) | st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_whatever_comes_the_error_is_ours(noise: bytes | str) -> None:
    with pytest.raises(InputError):
        parse_assertion(noise)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_no_single_changed_byte_gets_through(draw: st.DataObject) -> None:
    """Of client data, authenticator data, signature, and id."""
    one = credential()
    response = signed(one)
    names = ("clientDataJSON", "authenticatorData", "signature", "userHandle")
    name = draw.draw(st.sampled_from(names))
    raw = bytearray(unb64(response["response"][name]))
    at = draw.draw(st.integers(0, 1 << 16)) % len(raw)  # signatures have different lengths
    raw[at] ^= draw.draw(st.integers(1, 255))
    response["response"][name] = b64(bytes(raw))
    with pytest.raises((CeremonyError, InputError)):
        verify(response, one)


def test_fido2_takes_what_we_take() -> None:
    """Another implementation, on the same responses: what it refuses we refuse."""
    server = Fido2Server(PublicKeyCredentialRpEntity(id=ID, name="x"))
    one = credential()
    attested = AttestedCredentialData.create(b"a" * 16, one.id, one.cose)
    state = {"challenge": b64(CHALLENGE), "user_verification": "required"}
    assert server.authenticate_complete(state, [attested], signed(one)) == attested
    for row, (_, twist) in ROWS.items():
        try:
            response = signed(one, twist)
            server.authenticate_complete(state, [attested], response)
        except Exception:  # noqa: BLE001 - whatever it raises, it has refused it
            continue
        with pytest.raises((CeremonyError, InputError)):
            verify(response, one)
        assert int(row.partition(":")[0]) in (6, 9, 12, 13, 14, 18, 19, 21, 22), row
