"""Key databases of NSS that NSS itself made, with the empty password, a common one, and another."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable

import pytest

from immure.errors import KeyFormatError
from immure.keymaterial import nss
from immure.keymaterial.key import EcNumbers, RsaNumbers
from immure.keymaterial.keystores import COMMON_PASSWORDS
from immure.keymaterial.structures import Hit, PrivateHit, SealedHit

from . import containers, keys
from .test_structures import noise, public, scan

KINDS = {
    "rsa": ("-k", "rsa", "-g", "2048"),
    "rsa-4096": ("-k", "rsa", "-g", "4096"),
    "p256": ("-k", "ec", "-q", "nistp256"),
    "p384": ("-k", "ec", "-q", "nistp384"),
    "p521": ("-k", "ec", "-q", "nistp521"),
    "none": (),
}
Maker = Callable[[str, str], bytes]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Makes the ``key4.db`` with a password and keys of these kinds (words)."""
    if shutil.which("certutil") is None:
        pytest.skip("NOT TESTED: needs libnss3-tools")
    made: dict[tuple[str, str], bytes] = {}

    def of(password: str, kinds: str) -> bytes:
        if (password, kinds) not in made:
            root = tmp_path_factory.mktemp("nss")
            (root / "password").write_text(password + "\n")
            (root / "noise").write_bytes(noise(1, 64))
            common = ("-d", f"sql:{root}", "-f", str(root / "password"))
            subprocess.run(["certutil", "-N", *common], check=True, capture_output=True)
            for number, kind in enumerate(kinds.split()):
                what = (
                    "-n",
                    str(number),
                    "-s",
                    f"CN=x{number}",
                    "-x",
                    "-t",
                    "u,u,u",
                    "-z",
                    str(root / "noise"),
                )
                if KINDS[kind]:
                    command = ["certutil", "-S", *common, *what, "-m", str(number), *KINDS[kind]]
                    subprocess.run(command, check=True, capture_output=True)
            made[password, kinds] = (root / "key4.db").read_bytes()
        return made[password, kinds]

    return of


def found(image: bytes) -> list[Hit]:
    return [hit for hit in scan(image) if hit.encoding == "nss"]


@pytest.mark.parametrize(
    ("password", "kinds", "expected"),
    [
        ("", "rsa", [RsaNumbers]),
        ("", "rsa p256 p384", [EcNumbers, EcNumbers, RsaNumbers]),
        ("", "rsa-4096 p521", [EcNumbers, RsaNumbers]),
        ("changeit", "p256 rsa", [EcNumbers, RsaNumbers]),
        ("", "none", ["key database of NSS: a common password opens it"]),
        ("a8Kd-2ls9", "p256", ["key database of NSS: none of the common passwords opens it"]),
    ],
)
def test_databases(make: Maker, password: str, kinds: str, expected: list[object]) -> None:
    made = make(password, kinds)
    hits = found(noise(2, 1001) + made + noise(3, 999))
    whats = [hit.what if isinstance(hit, SealedHit) else type(public(hit)) for hit in hits]
    assert sorted(whats, key=str) == sorted(expected, key=str)
    for hit in hits:
        assert 1001 <= hit.offset < hit.offset + hit.length <= 1001 + len(made)
    for hit in found(made):
        if isinstance(hit, PrivateHit) and isinstance(public(hit), RsaNumbers):
            modulus = public(hit).n.to_bytes(-(-public(hit).n.bit_length() // 8), "big")
            assert modulus in made  # NSS writes it in the clear


def test_damaged_databases_are_something_or_nothing(make: Maker) -> None:
    made = make("", "rsa p256 p384")
    whole = {public(hit) for hit in found(made)}
    chance = random.Random(4)
    row = made.rindex(nss.NAME, 0, made.rindex(nss.PBES2))
    places = [*range(row, row + 190), *(at for at in range(len(made)) if made[at : at + 2] == b"\x30\x6d")]
    for _ in range(60):
        broken = bytearray(made)
        for _ in range(chance.randrange(1, 9)):
            broken[chance.choice(places) + chance.randrange(2)] ^= 1 << chance.randrange(8)
        for hit in found(bytes(broken[: chance.randrange(len(made) // 2, len(made) + 1)])):
            assert isinstance(hit, SealedHit) or public(hit) in whole


def test_keys_are_not_mixed_with_those_of_another_database(make: Maker) -> None:
    """Two databases side by side, one of them closed: what is open is found, and is its own."""
    opened, closed = make("", "rsa"), make("a8Kd-2ls9", "p256")
    hits = found(closed + opened)
    assert sorted(type(hit).__name__ for hit in hits) == ["PrivateHit", "SealedHit"]


CLOSED = "key database of NSS: none of the common passwords opens it"
OPEN = "key database of NSS: a common password opens it"
NOT_ALL = (
    "key database of NSS: each password takes 2,147,483,647 rounds, too many to try all common ones;"
    " none that was tried opens it"
)
P256 = keys.key("P-256")
DATABASE = containers.nss(P256, "test", rounds=10_000)
ROW = DATABASE.index(b"password")


@pytest.mark.parametrize("password", COMMON_PASSWORDS)
def test_every_common_password(password: str) -> None:
    (hit,) = found(b"abc" + containers.nss(P256, password, rounds=10_000))
    assert public(hit) == keys.numbers(P256)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (containers.nss(P256, "a8Kd-2ls9"), CLOSED),
        (containers.nss(P256, "test", salt=bytes(range(32))), None),
        (containers.nss(P256, "test", claim=(1 << 31) - 1), NOT_ALL),
        (containers.nss(P256, "a8Kd-2ls9", rounds=20_000), NOT_ALL.replace("2,147,483,647", "20,000")),
        (DATABASE[:ROW] + bytes(1 << 16) + DATABASE[ROW:], OPEN),  # the key is too far away
        (DATABASE[:100] + b"\0" + DATABASE[101:], OPEN),
        # without its curve, and without its point, a number is no key
        (DATABASE.replace(bytes.fromhex("06082a8648ce3d030107"), bytes(10)), OPEN),
        (DATABASE.replace(bytes.fromhex("2a8648ce3d03010704"), bytes.fromhex("2a8648ce3d03010705")), OPEN),
    ],
)
def test_what_may_be_in_a_database(made: bytes, expected: str | None) -> None:
    (hit,) = found(made)
    if expected is None:
        assert public(hit) == keys.numbers(P256)
    else:
        assert isinstance(hit, SealedHit)
        assert hit.what == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        nss.PBES2,
        b"password" + bytes(22) + nss.PBES2,
        b"password" + bytes(20) + b"\x30\x0f\x30\x0d" + nss.PBES2 + b"\x30\0",
        b"password" + bytes(20) + b"\x30\x0d\x30\x0b" + nss.PBES2,
    ],
)
def test_what_is_no_database(data: bytes) -> None:
    assert found(data + bytes(40)) == []
    with pytest.raises(KeyFormatError):
        nss.read_database(data, max(0, data.find(nss.PBES2)))
