"""PKCS#12 files of every tool at hand, in DER and BER, and hostile ones that no tool writes."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.errors import KeyFormatError
from immure.keymaterial import der
from immure.keymaterial.derivation import Derivation
from immure.keymaterial.key import EcNumbers
from immure.keymaterial.keystores import COMMON_PASSWORDS
from immure.keymaterial.pkcs12 import _MOST_READING as MOST_READING
from immure.keymaterial.pkcs12 import _MOST_TRYING as MOST_TRYING
from immure.keymaterial.pkcs12 import read_pkcs12
from immure.keymaterial.structures import PrivateHit

from . import formats, keys, pfx_files
from .bouncy_castle import Store, write_stores
from .pfx_files import bag, data, encrypted, key_bag, pfx, shrouded
from .test_structures import noise, public, scan

CLOSED = "none of the common passwords opens it"
PARTLY = "a common password opens it, but not all that is in it"
TOO_DEAR = "a common password opens it, but what is in it takes more rounds than are done"
P256 = keys.key("P-256")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each derivation that is done costs, by its own account."""
    done, derive = list[int](), Derivation.key

    def counted(derivation: Derivation, password: Any, length: int, *purpose: int) -> bytes:
        done.append(derivation.cost(length))
        return derive(derivation, password, length, *purpose)

    monkeypatch.setattr(Derivation, "key", counted)
    return done


def found(image: bytes) -> list[Any]:
    """Public numbers of the keys, and words on what is sealed, of PKCS#12 files in an image."""
    return [what(hit) for hit in scan(image) if hit.encoding == "pkcs12"]


def what(hit: Any) -> Any:
    return public(hit) if isinstance(hit, PrivateHit) else hit.what.removeprefix("PKCS#12 file: ")


def tool(*command: str | Path) -> bytes:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout


@pytest.mark.parametrize("password", COMMON_PASSWORDS)
@pytest.mark.parametrize("style", [None, 1])
def test_every_common_password(password: str, style: int | None) -> None:
    made = pfx(data(shrouded(P256, password)), password=password, style=style)
    assert found(made) == [keys.numbers(P256)]


@pytest.mark.parametrize("has_code", [True, False])
@given(seed=st.integers(0, 1 << 32), before=st.integers(0, 9), pieces=st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_however_it_is_written_it_is_found(has_code: bool, seed: int, before: int, pieces: int) -> None:
    """The same file, with every freedom of BER, at every offset; by its password, or by the lack of one."""
    for password, expected in (("changeit", keys.numbers(P256)), ("a8Kd-2ls9", CLOSED)):
        infos = (
            data(shrouded(P256, password)),
            encrypted(bag(3, b"\5\0"), password=password, pieces=pieces),
        )
        made = pfx(*infos, password=password if has_code else None, style=seed)
        (hit,) = [hit for hit in scan(noise(1, before) + made + b"\0more") if hit.encoding == "pkcs12"]
        assert (hit.offset, hit.length, what(hit)) == (before, len(made), expected)


OTHER = keys.key("Ed25519")
DSA = pfx_files.oid("2a8648ce380401")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (pfx(data(key_bag(P256))), [keys.numbers(P256)]),
        (pfx(data(key_bag(P256)), password="a8Kd-2ls9"), [keys.numbers(P256)]),
        (
            pfx(data(key_bag(P256)), data(shrouded(OTHER, "test")), password="test"),
            [keys.numbers(P256), keys.numbers(OTHER)],
        ),
        # two keys of one store: what a library gives is the first
        (
            pfx(data(shrouded(P256, "test"), shrouded(OTHER, "test")), password="test"),
            [keys.numbers(P256), keys.numbers(OTHER)],
        ),
        (
            pfx(data(shrouded(P256, "test"), shrouded(OTHER, "another")), password="test"),
            [keys.numbers(P256), PARTLY],
        ),
        (pfx(encrypted(key_bag(P256), password="test"), password="test"), [keys.numbers(P256)]),
        (pfx(encrypted(shrouded(P256, "test"), password="test")), [keys.numbers(P256)]),
        (pfx(data(bag(6, der.sequence(key_bag(P256))))), [keys.numbers(P256)]),
        (pfx(data(shrouded(P256, "test")), password="another"), [CLOSED]),
        (pfx(encrypted(bag(3, b"\5\0"), password="test"), password="test"), []),
        (pfx(data(bag(3, b"\5\0")), password="a8Kd-2ls9"), []),
        (pfx(encrypted(bag(3, b"\5\0"), password="a8Kd-2ls9")), [CLOSED]),
        (pfx(), []),
        (
            pfx(data(bag(1, formats.pkcs8(P256)[:-2]))),
            [],
        ),
        (
            pfx(data(bag(1, der.sequence(der.integer(0), DSA)))),
            ["a key in it is of a kind that is not known here"],
        ),
        (
            pfx(data(bag(2, der.sequence(der.sequence(DSA))))),
            ["what hides its keys is not known here"],
        ),
        (
            pfx(der.sequence(pfx_files.oid("2a864886f70d010703"), b"\xa0\2\5\0")),
            ["what hides its keys is not known here"],
        ),
        (pfx(data(key_bag(P256)))[:-1], []),
    ],
)
def test_what_may_be_in_a_file(made: bytes, expected: list[object]) -> None:
    assert found(made) == expected


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", "cut off"),
        (b"\x30\0", "cut off"),
        (pfx().replace(b"\2\1\3", b"\2\1\4"), "not PKCS#12"),
        (pfx().replace(b"\x0d\1\7\1", b"\x0d\1\7\2"), "signed"),
        (pfx()[:-1], "cut off"),
        (b"\x30\x80" * 100, "deep"),
    ],
)
def test_what_is_no_file(broken: bytes, reason: str) -> None:
    with pytest.raises(KeyFormatError, match=reason):
        list(read_pkcs12(broken))


MANY = (1 << 31) - 1
TOO_MANY = (
    f"each password takes {MANY:,} rounds, too many to try all common ones; none that was tried opens it"
)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        # outside: seen before anything is done
        (pfx(data(shrouded(P256, "test", claim=MANY))), TOO_MANY),
        (pfx(data(shrouded(P256, "test", claim=MANY)), style=2), TOO_MANY),
        # behind a code that says yes, and inside of what a common password opens: libraries take days here
        (pfx(data(shrouded(P256, "test", claim=MANY)), password="test"), TOO_DEAR),
        (pfx(encrypted(shrouded(P256, "test", claim=MANY), password="test")), TOO_DEAR),
        (pfx(encrypted(shrouded(P256, "test", claim=MANY), password="test"), style=4), TOO_DEAR),
        (pfx(*[data(shrouded(P256, "test", 5, claim=300_000))] * 90, password="test"), TOO_DEAR),
    ],
)
def test_files_that_ask_for_more_work_than_is_done(work: list[int], made: bytes, expected: str) -> None:
    assert found(made) == [expected]
    assert sum(work) <= MOST_TRYING + MOST_READING


def test_the_most_that_a_file_can_cost(work: list[int]) -> None:
    """Every count that is just within the budgets."""
    infos = [data(*[shrouded(P256, "Password1", 5, claim=9_000)] * 40)]
    assert found(pfx(*infos, password="a8Kd-2ls9", rounds=13_000)) == [CLOSED]
    assert MOST_TRYING // 2 < sum(work) <= MOST_TRYING


@given(seed=st.integers(0, 1 << 32), style=st.none() | st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_damaged_files_are_something_or_nothing(seed: int, style: int | None) -> None:
    chance = random.Random(seed)
    made = bytearray(pfx(data(shrouded(P256, "")), encrypted(key_bag(OTHER), password=""), style=style))
    for _ in range(chance.randrange(1, 4)):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    cut = made[: chance.randrange(1, len(made) + 1)] if chance.random() < 0.3 else made
    for hit in scan(bytes(cut)):
        assert 0 <= hit.offset < hit.offset + hit.length <= len(cut)
        if isinstance(hit, PrivateHit) and hit.proved and isinstance(hit.private.public, EcNumbers):
            assert public(hit) == keys.numbers(P256)


@pytest.mark.parametrize("rounds", [1, 2048, 10_000, 300_000])
def test_the_files_of_the_library(rounds: int) -> None:
    """With 300,000 rounds not all passwords are tried, but the one that Java's documents have is."""
    for password, opens in (("changeit", True), ("correct horse", False)):
        how = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).build(password.encode())
        made = pkcs12.serialize_key_and_certificates(None, P256, None, None, how)
        (only,) = found(made)
        assert only == keys.numbers(P256) if opens else "opens it" in only


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and its certificate in PEM."""
    if shutil.which("openssl") is None:
        pytest.skip("NOT TESTED: the openssl program writes the files")
    root = tmp_path_factory.mktemp("pair")
    key, certificate = root / "key.pem", root / "certificate.pem"
    key.write_bytes(formats.pkcs8_pem(keys.key("RSA-2048")))
    tool("openssl", "req", "-x509", "-key", key, "-subj", "/CN=x", "-days", "9", "-out", certificate)
    return key, certificate


@pytest.mark.parametrize(
    "options",
    [
        "",
        "-nomac -keypbe NONE -certpbe NONE",
        "-nomac",
        "-iter 10000",
        "-legacy",
        "-descert -legacy",
        "-keypbe PBE-SHA1-RC4-128 -legacy",
        "-keypbe PBE-SHA1-RC4-40 -legacy",
        "-keypbe PBE-SHA1-RC2-128 -legacy",
        "-keypbe PBE-SHA1-RC2-40 -legacy",
        "-keypbe PBE-SHA1-2DES -legacy",
        "-keypbe AES-128-CBC",
        "-keypbe AES-192-CBC",
        "-keypbe DES-EDE3-CBC",
        "-macalg sha512",
        "-pbmac1_pbkdf2",
        "-pbmac1_pbkdf2 -nomaciter -iter 100 -macsaltlen 64",
    ],
)
@pytest.mark.parametrize("password", ["", "a8Kd-2ls9"])
def test_files_of_openssl(pair: tuple[Path, Path], options: str, password: str) -> None:
    key, certificate = pair
    how = ["-passout", f"pass:{password}", *options.split()]
    made = tool("openssl", "pkcs12", "-export", "-inkey", key, "-in", certificate, *how)
    expected: object = keys.numbers(keys.key("RSA-2048"))
    if password == "a8Kd-2ls9" and "-keypbe NONE" not in options:
        expected = CLOSED
    elif not password and "RC2-40" in options:
        expected = PARTLY  # the library that does this cipher takes no empty password
    assert found(b"abc" + made) == [expected]


def test_a_file_of_openssl_with_a_cipher_that_the_library_does(pair: tuple[Path, Path]) -> None:
    key, certificate = pair
    how = ["-passout", "pass:changeit", "-keypbe", "PBE-SHA1-RC2-40", "-legacy"]
    made = tool("openssl", "pkcs12", "-export", "-inkey", key, "-in", certificate, *how)
    assert found(made) == [keys.numbers(keys.key("RSA-2048"))]


@pytest.fixture(scope="module")
def nss(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]) -> Path:
    """A database of NSS with a key in it."""
    if shutil.which("pk12util") is None:
        pytest.skip("NOT TESTED: needs libnss3-tools")
    root = tmp_path_factory.mktemp("nss")
    key, certificate = pair
    command = ("openssl", "pkcs12", "-export", "-name", "n", "-passout", "pass:x", "-out", root / "given.p12")
    tool(*command, "-inkey", key, "-in", certificate)
    tool("certutil", "-N", "-d", f"sql:{root}", "--empty-password")
    tool("pk12util", "-i", root / "given.p12", "-d", f"sql:{root}", "-W", "x")
    return root


@pytest.mark.parametrize(
    ("password", "options", "expected"),
    [
        ("changeit", "", None),
        ("a8Kd-2ls9", "", "600,000 rounds, too many to try all common ones"),
        # it takes three derivations of so many rounds
        ("changeit", "PKCS #12 V2 PBE With SHA-1 and 3KEY Triple DES-CBC", TOO_DEAR),
    ],
)
def test_files_of_nss(nss: Path, password: str, options: str, expected: str | None) -> None:
    how = ["-W", password] + (["-c", options] if options else [])
    tool("pk12util", "-o", nss / "made.p12", "-n", "n", "-d", f"sql:{nss}", *how)
    made = (nss / "made.p12").read_bytes()
    assert made.startswith(b"\x30\x80")
    (only,) = found(b"abc" + made)
    if expected is None:
        assert only == keys.numbers(keys.key("RSA-2048"))
    else:
        assert expected in only


TWO = [P256, keys.key("P-256", 1)]
BOTH = [keys.numbers(key) for key in TWO]
#: kinds of stores of Bouncy Castle and passwords, and what is found; the counts of rounds are its own
BOUNCY_CASTLE = {
    ("BCPKCS12", "changeit"): BOTH,
    ("PKCS12-DEF-3DES-3DES", ""): BOTH,
    ("PKCS12-AES256-AES128", "android"): BOTH,
    ("PKCS12-3DES-3DES", "a8Kd-2ls9"): ["102,400 rounds, too many to try all common ones"],
    ("PKCS12-AES256-AES128-GCM", "changeit"): ["what hides its keys is not known here"],
}


@pytest.fixture(scope="module")
def bouncy_castle(tmp_path_factory: pytest.TempPathFactory) -> dict[Store, bytes]:
    return write_stores(tmp_path_factory.mktemp("bouncy"), TWO, BOUNCY_CASTLE)


@pytest.mark.parametrize("store", BOUNCY_CASTLE)
def test_files_of_bouncy_castle(bouncy_castle: dict[Store, bytes], store: Store) -> None:
    """In BER; two keys in each."""
    made = bouncy_castle[store]
    assert made.startswith(b"\x30\x80\2\1\3\x30\x80")
    image = noise(1, 1001) + made + noise(2, 999)
    hits = [hit for hit in scan(image) if hit.encoding == "pkcs12"]
    assert {(hit.offset, hit.length) for hit in hits} == {(1001, len(made))}
    assert len(hits) == len(BOUNCY_CASTLE[store])
    for expected in BOUNCY_CASTLE[store]:
        assert any(str(expected) in str(what(hit)) for hit in hits)
