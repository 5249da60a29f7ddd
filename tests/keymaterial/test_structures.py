"""Structures in arbitrary bytes: what is planted is found where it is, what is no key is not."""

from __future__ import annotations

import json
import random

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.keymaterial.structures import ANCHORS, Hit, PrivateHit, PublicHit, parse_at

from . import formats, keys
from .formats import FORMATS, Format

CASES = [pytest.param(form, kind, id=f"{form.name}-{kind}") for form in FORMATS for kind in form.kinds]


def scan(image: bytes) -> list[Hit]:
    """Every hit at every place of every anchor, the plain way; in a memoryview, as the scanner has it."""
    hits = []
    view = memoryview(image)
    for anchor in ANCHORS:
        at = image.find(anchor.needle)
        while at >= 0:
            hits += parse_at(view, anchor, at)
            at = image.find(anchor.needle, at + 1)
    return hits


def public(hit: Hit) -> object:
    return hit.private.public if isinstance(hit, PrivateHit) else hit.key_numbers


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_anchors_can_be_searched_for() -> None:
    assert all(4 <= len(anchor.needle) <= 16 for anchor in ANCHORS)
    assert (
        len({anchor.needle for anchor in ANCHORS}) == len({anchor.name for anchor in ANCHORS}) == len(ANCHORS)
    )


@pytest.mark.parametrize(("form", "kind"), CASES)
def test_a_planted_key_is_found_where_it_is(form: Format, kind: str) -> None:
    key = keys.key(kind)
    planted = form.build(key)
    for before, after in ((0, 0), (1001, 999), (70_000, 70_000)):
        # what follows text must not look like more of it
        image = noise(before, before) + planted + b"\0\xff" + noise(after, after)
        wanted = (form.encoding, before + form.skip, len(planted) - form.skip - form.tail)
        kinds = PrivateHit if form.private else PublicHit
        found = [
            h for h in scan(image) if isinstance(h, kinds) and (h.encoding, h.offset, h.length) == wanted
        ]
        assert [public(hit) for hit in found] == [keys.numbers(key)], [
            (type(h).__name__, h.encoding, h.offset - before, h.length) for h in scan(image)
        ]
        assert all(getattr(hit, "proved", True) for hit in found)


@pytest.mark.parametrize(("form", "kind"), CASES)
def test_every_hit_on_a_planted_key_is_that_key(form: Format, kind: str) -> None:
    key = keys.key(kind)
    for hit in scan(noise(1, 100) + form.build(key) + noise(2, 100)):
        if getattr(hit, "proved", True):
            assert public(hit) == keys.numbers(key)
        if not form.private:
            assert isinstance(hit, PublicHit)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_gives_nothing_or_the_truth(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(FORMATS))
    key = keys.key(data.draw(st.sampled_from(form.kinds)))
    planted = bytearray(form.build(key))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(planted) - 1))
        planted[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        planted = planted[: data.draw(st.integers(0, len(planted) - 1))]
    image = noise(3, data.draw(st.integers(0, 64))) + bytes(planted) + b"\0" * 8
    for hit in scan(image):
        assert 0 <= hit.offset < len(image)
        assert 0 < hit.length <= len(image) - hit.offset
        if isinstance(hit, PrivateHit) and hit.proved and not _has_no_check(form, key):
            assert hit.private.public == keys.numbers(key)


def _has_no_check(form: Format, key: object) -> bool:
    """A seed alone (PKCS#8 of version 0) has nothing to be held against: any seed is a valid key."""
    return keys.kind_of(key) in keys.OKP and form.encoding in ("pkcs8-der", "pem", "pem-utf16le")


@settings(max_examples=300, deadline=None)
@given(
    anchor=st.sampled_from(ANCHORS),
    before=st.binary(max_size=64),
    after=st.binary(max_size=256),
    at=st.integers(-3, 400),
)
def test_garbage_around_an_anchor_gives_nothing_private(anchor, before, after, at) -> None:
    image = before + anchor.needle + after
    for place in (len(before), at):
        for hit in parse_at(bytearray(image), anchor, place):
            assert not isinstance(hit, PrivateHit) or not hit.proved


def _jwk(kind: str, **changes: object) -> bytes:
    return json.dumps({**formats.jwk(keys.key(kind)), **changes}).encode()


def _encrypted(kind: str, form: PrivateFormat, encoding: Encoding = Encoding.PEM) -> bytes:
    return keys.key(kind).private_bytes(encoding, form, BestAvailableEncryption(b"correct horse battery"))


def _pem_cut(kind: str) -> bytes:
    text = formats.pkcs8_pem(keys.key(kind))
    return text[: len(text) // 2]


FALSE_FRIENDS = {
    "the header constants of a library": lambda: b"\0".join(
        b"-----BEGIN %s-----\0-----END %s-----\n" % (label, label)
        for label in (
            b"PRIVATE KEY",
            b"RSA PRIVATE KEY",
            b"EC PRIVATE KEY",
            b"OPENSSH PRIVATE KEY",
            b"CERTIFICATE",
        )
    ),
    "a header with its end line next to it": lambda: b"-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
    "half a PEM": lambda: _pem_cut("RSA-2048"),
    "half a PEM with its end line": lambda: _pem_cut("P-256") + b"\n-----END PRIVATE KEY-----\n",
    "encrypted PKCS#8": lambda: _encrypted("P-256", PrivateFormat.PKCS8),
    "encrypted PKCS#8 as DER": lambda: _encrypted("P-256", PrivateFormat.PKCS8, Encoding.DER),
    "encrypted traditional PEM": lambda: _encrypted("RSA-1024", PrivateFormat.TraditionalOpenSSL),
    "encrypted OpenSSH": lambda: formats.openssh_encrypted(keys.key("Ed25519")),
    "PKCS#12 with a password": lambda: pkcs12.serialize_key_and_certificates(
        b"x", keys.key("P-256"), None, None, BestAvailableEncryption(b"correct horse battery")
    ),
    "JKS with a password": lambda: formats.jks(keys.key("RSA-1024"), "correct horse battery"),
    "EC JWK with another key's d": lambda: _jwk("P-256", d=formats.jwk(keys.key("P-256", 1))["d"]),
    "OKP JWK with another key's d": lambda: _jwk("Ed25519", d=formats.jwk(keys.key("Ed25519", 1))["d"]),
    "RSA JWK with another key's d": lambda: _jwk("RSA-1024", d=formats.jwk(keys.key("RSA-1024", 1))["d"]),
    "RSA JWK with another key's n": lambda: _jwk("RSA-1024", n=formats.jwk(keys.key("RSA-1024", 1))["n"]),
    "RSA JWK with a wrong CRT exponent": lambda: _jwk("RSA-1024", dp=formats.jwk(keys.key("RSA-1024"))["dq"]),
    "RSA JWK with a wrong coefficient": lambda: _jwk("RSA-1024", qi=formats.jwk(keys.key("RSA-1024"))["p"]),
    "a JWK that is cut off": lambda: _jwk("RSA-1024")[:-40],
    "a symmetric JWK": lambda: b'{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"}',
    "SEC 1 with another key's point": lambda: (
        formats.traditional(keys.key("P-256"))[:56] + formats.traditional(keys.key("P-256", 1))[56:]
    ),
    "XML with another key's D": lambda: formats.xml(keys.key("RSA-1024")).replace(b"<D>", b"<D>AA"),
    "names of algorithms": lambda: (
        b'ssh-rsa,ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512 private-key "kty RSA1 RSA2'
    ),
    "the words of an S-expression": lambda: b"(private-key (rsa (n #00#)(e #010001#)))(11:private-key(3:rsa",
}


@pytest.mark.parametrize("name", FALSE_FRIENDS)
def test_false_friends_are_no_private_keys(name: str) -> None:
    for before in (0, 17):
        image = noise(4, before) + FALSE_FRIENDS[name]() + b"\0" * 4 + noise(5, 300)
        assert [hit for hit in scan(image) if isinstance(hit, PrivateHit)] == []


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256"])
def test_a_key_whose_head_was_overwritten_is_found(kind: str) -> None:
    """glibc writes over the first 16 bytes of what is freed: of PKCS#8 the inner key stays."""
    planted = bytes(16) + formats.pkcs8(keys.key(kind))[16:]
    assert any(isinstance(hit, PrivateHit) and hit.proved for hit in scan(planted))


def test_a_bare_seed_is_no_finding_by_itself() -> None:
    planted = bytes(16) + b"\x04\x22\x04\x20" + noise(6, 32)
    hits = scan(planted)
    assert {public(hit).curve for hit in hits} == {"Ed25519", "X25519"}
    assert not any(hit.proved for hit in hits)


def test_a_bare_scalar_is_no_finding_by_itself() -> None:
    planted = b"\x30\x25\x02\x01\x01\x04\x20" + noise(7, 32)
    hits = scan(planted)
    assert {public(hit).curve for hit in hits} == {"P-256", "secp256k1"}
    assert not any(hit.proved for hit in hits)


def test_what_a_jwk_says_of_itself_is_kept() -> None:
    members = {
        "kid": "a",
        "issuer": "https://i.example/",
        "cloud_instance_name": "c",
        "use": "sig",
        "alg": "RS256",
    }
    text = json.dumps({"keys": [formats.jwk(keys.key("RSA-1024"), private=False, **members)]}).encode()
    (hit,) = scan(text)
    assert {name: getattr(hit, name) for name in members} == members


def test_a_jwk_of_which_not_all_quotes_are_escaped_ends_where_it_ends() -> None:
    quoted = json.dumps(json.dumps(formats.jwk(keys.key("P-256"), kid="a"))).encode()[1:-1]
    mixed = quoted.replace(b'\\"kid\\"', b'"kid"')
    (hit,) = scan(b"xyz" + mixed + b'"')
    assert (hit.offset, hit.length, hit.kid) == (3, len(mixed), "a")


def test_an_encrypted_openssh_key_names_its_public_half() -> None:
    (hit,) = scan(formats.openssh_encrypted(keys.key("Ed25519")))
    assert isinstance(hit, PublicHit)
    assert hit.key_numbers == keys.numbers(keys.key("Ed25519"))


@pytest.mark.parametrize("escape", ["+", "/"])
def test_json_escapes_in_pem_are_understood(escape: str) -> None:
    text = formats.pkcs8_pem(keys.key("RSA-2048"))
    escaped = {"+": text.replace(b"+", b"\\u002B"), "/": text.replace(b"/", b"\\/")}[escape].replace(
        b"\n", b"\\n"
    )
    (hit,) = scan(b'{"key":"' + escaped + b'"}')
    assert isinstance(hit, PrivateHit)
    assert (hit.offset, hit.length) == (8, len(escaped) - 2)


def test_no_hit_shows_a_secret() -> None:
    key = keys.key("P-256")
    for hit in scan(formats.pkcs8(key)):
        assert str(formats.ec_values(key)[2]) not in repr(hit)
