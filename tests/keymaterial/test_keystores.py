"""Key stores with passwords that everybody knows are open; others are not."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.keymaterial import bks
from immure.keymaterial.derivation import derived
from immure.keymaterial.keystores import COMMON_PASSWORDS
from immure.keymaterial.structures import PrivateHit, SealedHit

from . import containers, formats, keys
from .bouncy_castle import Store, write_stores
from .test_structures import public, scan

needs_keytool = pytest.mark.skipif(
    shutil.which("keytool") is None, reason="NOT TESTED: needs keytool (package default-jre-headless)"
)


@pytest.mark.parametrize("password", COMMON_PASSWORDS)
def test_jks(password: str) -> None:
    key = keys.key("RSA-1024")
    hits = [hit for hit in scan(b"abc" + formats.jks(key, password)) if hit.encoding == "jks"]
    assert [public(hit) for hit in hits] == [keys.numbers(key)]


@pytest.mark.parametrize("password", ["Changeit", "changeit ", "correct horse battery", "x"])
@pytest.mark.parametrize(("name", "write"), [("jks", formats.jks), ("bks", containers.bks)])
def test_other_passwords_are_not_guessed(name: str, write: Callable[..., bytes], password: str) -> None:
    (hit,) = scan(b"abc" + write(keys.key("RSA-1024"), password))
    assert isinstance(hit, SealedHit)
    assert hit.encoding == name
    assert hit.what.endswith("none of the common passwords opens it")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("password", ["", "changeit", COMMON_PASSWORDS[-1]])
def test_bks(password: str, version: int) -> None:
    for kind in ("RSA-1024", "P-256", "Ed25519"):
        key = keys.key(kind)
        store = containers.bks(key, password, version=version)
        (hit,) = (hit for hit in scan(b"abc" + store) if hit.encoding == "bks")
        assert public(hit) == keys.numbers(key)
        assert 3 < hit.offset < hit.offset + hit.length <= len(store) + 3


def test_bks_with_a_key_that_is_not_sealed_at_all() -> None:
    key = keys.key("RSA-1024")
    assert public(scan(containers.bks(key, "anything", kind=2))[0]) == keys.numbers(key)


def test_every_bks_that_is_cut_off_or_damaged_ends_well() -> None:
    store = containers.bks(keys.key("P-256"), "changeit")
    for end in range(0, len(store), 7):
        assert len(scan(store[:end])) <= 1
    chance = random.Random(5)
    for _ in range(60):
        broken = bytearray(store)
        broken[chance.randrange(len(store))] ^= 1 << chance.randrange(8)
        scan(bytes(broken))


@pytest.mark.parametrize("rounds", [0, 20_001, 0xFFFFFFFF])
def test_bks_that_would_cost_too_much_is_not_tried(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def counted(
        name: str, password: str | None, salt: bytes, rounds: int, purpose: int, length: int
    ) -> bytes:
        asked.append(rounds)
        return derived(name, password, salt, rounds, purpose, length)

    monkeypatch.setattr(bks, "derived", counted)
    store = containers.bks(keys.key("P-256"), "changeit")
    at = store.rindex((1100).to_bytes(4, "big"))
    (hit,) = scan(store[:at] + rounds.to_bytes(4, "big") + store[at + 4 :])
    assert isinstance(hit, SealedHit)
    assert asked == []
    assert isinstance(scan(store)[0], PrivateHit)
    assert asked


UBER = "what begins like an UBER key store, which is encrypted as a whole"
SALT, CIPHERTEXT = random.Random(1).randbytes(20), random.Random(2).randbytes(400)


def uber(
    head: str = "00000001 00000014", salt: bytes = SALT, rounds: int = 1024, body: bytes = CIPHERTEXT
) -> bytes:
    return bytes.fromhex(head) + salt + rounds.to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (uber(), [UBER]),
        (uber(rounds=2047), [UBER]),
        (uber(rounds=1023), []),
        (uber(rounds=2048), []),
        (uber(rounds=1024 << 8), []),
        (uber(head="00000002 00000014"), []),
        (uber(salt=bytes(20)), []),
        (uber(salt=b"twenty letters, text"), []),
        (uber(body=b"plain text, and more of it " * 20), []),
        (uber(body=CIPHERTEXT[:255]), []),
        (uber(body=CIPHERTEXT[:256]), [UBER]),
        # stores of BKS, version 1: with certificates only, and one that is cut off
        (uber(body=b"\1\0\2ab" + CIPHERTEXT), []),
        (containers.bks(keys.key("RSA-2048"), "x", version=1, chain=0, kind=4)[:900], []),
    ],
)
def test_what_begins_like_uber(made: bytes, expected: list[str]) -> None:
    hits = [hit for hit in scan(b"abc" + made) if hit.encoding == "uber"]
    assert [hit.what for hit in hits if isinstance(hit, SealedHit)] == expected
    assert all((hit.offset, hit.length) == (3, 32) for hit in hits)


BOUNCY_STORES = {
    ("UBER", "changeit"): SealedHit,
    ("BKS", "android"): PrivateHit,
    ("BKS", "a8Kd-2ls9"): SealedHit,
    ("BKS-V1", "android"): PrivateHit,
    ("BKS-V1", "a8Kd-2ls9"): SealedHit,
}


@pytest.fixture(scope="module")
def bouncy_stores(tmp_path_factory: pytest.TempPathFactory) -> dict[Store, bytes]:
    return write_stores(tmp_path_factory.mktemp("bouncy"), [keys.key("P-256")], BOUNCY_STORES)


@pytest.mark.parametrize("store", BOUNCY_STORES)
def test_stores_that_bouncy_castle_made(bouncy_stores: dict[Store, bytes], store: Store) -> None:
    (hit,) = [
        hit for hit in scan(b"abc" + bouncy_stores[store]) if hit.encoding == store[0].lower()[:4].rstrip("-")
    ]
    assert type(hit) is BOUNCY_STORES[store]
    assert not isinstance(hit, PrivateHit) or public(hit) == keys.numbers(keys.key("P-256"))


@pytest.mark.parametrize("description", ["\0", "Private Key\0"])
def test_dpapi(description: str) -> None:
    made = containers.dpapi(bytes(200), description)
    words = f"DPAPI blob of 200 bytes under the master key {containers.MASTER}"
    assert set(scan(b"xyz" + made + b"more")) == {SealedHit(3, len(made), "dpapi", words)}


@pytest.mark.parametrize(("password", "opens"), [("", True), ("password", True), ("correct horse", False)])
def test_keychains(password: str, opens: bool) -> None:
    (hit,) = scan(b"xyz" + containers.keychain(password) + b"more")
    assert (hit.offset, hit.encoding) == (3, "keychain")
    assert isinstance(hit, SealedHit)
    assert hit.what == "keychain of macOS" + ": a common password opens it" * opens


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "a loadable key of a TPM (RSA), which asks for no password"),
        ({"empty_auth": False, "algorithm": 0x23}, "a loadable key of a TPM (EC)"),
        ({"kind": 5, "algorithm": 8}, "sealed data of a TPM (data), which asks for no password"),
        ({"kind": 4, "algorithm": 99}, "an importable key of a TPM (unknown), which asks for no password"),
    ],
)
def test_keys_that_a_tpm_has_wrapped(options: dict[str, int], what: str) -> None:
    made = containers.tss2(**options)
    (hit,) = scan(b"xyz" + made + b"more")
    assert hit == SealedHit(3, len(made), "tss2", what)
    lines = base64.encodebytes(made)
    text = b"-----BEGIN TSS2 PRIVATE KEY-----\n" + lines + b"-----END TSS2 PRIVATE KEY-----"
    (hit,) = scan(b"xyz\n" + text + b"\n")
    assert hit == SealedHit(4, len(text), "tss2-pem", what)


@pytest.mark.parametrize(
    "broken",
    [
        containers.dpapi(b"x")[:-1],
        containers.dpapi(b"x").replace(b"\x10\x66\0\0", b"\x10\x06\0\0"),
        containers.dpapi(b"x", "no end"),
        containers.keychain("")[:1100],
        containers.keychain("").replace(b"\xfa\xde\x07\x11", b"\xfa\xde\x07\x12"),
        containers.tss2(kind=9),
        containers.tss2(private=b"\0\x05abcd"),
        containers.tss2()[:-1],
        b"-----BEGIN TSS2 PRIVATE KEY-----\nMIIB",
        b"-----BEGIN TSS2 PRIVATE KEY-----\n!!\n-----END TSS2 PRIVATE KEY-----",
    ],
)
def test_what_only_looks_like_a_container(broken: bytes) -> None:
    assert scan(broken) == []


@given(st.sampled_from([containers.dpapi(b"data"), containers.keychain("x"), containers.tss2()]), st.data())
def test_damaged_containers_are_something_or_nothing(made: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(made) - 1))
    patch = data.draw(st.binary(max_size=9))
    for hit in scan(made[:at] + patch + made[at + len(patch) :]):
        assert 0 <= hit.offset < hit.offset + hit.length <= len(made) + 9


@needs_keytool
@pytest.mark.parametrize(
    ("kind", "password", "opens"),
    [("JKS", "android", True), ("PKCS12", "android", True), ("PKCS12", "a8Kd-2ls9", False)],
)
def test_stores_that_keytool_made(tmp_path: Path, kind: str, password: str, opens: bool) -> None:
    store = tmp_path / "store"
    command = [
        "keytool", "-genkeypair", "-alias", "a", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=x",
        "-storetype", kind, "-keystore", str(store), "-storepass", password, "-keypass", password,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    hits = [hit for hit in scan(store.read_bytes()) if isinstance(hit, PrivateHit)]
    assert len(hits) == opens
