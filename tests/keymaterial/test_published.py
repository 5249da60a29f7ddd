"""Published private keys are known as such."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from immure.keymaterial.key import Origin, PublicKey
from immure.keymaterial.private import okp_from_seed
from immure.keymaterial.published import where_published
from immure.keymaterial.structures import PrivateHit

from . import keys
from .test_structures import scan


def test_a_standards_test_key_is_known() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert where_published(PublicKey(okp_from_seed("Ed25519", seed).public, Origin("x"))) is not None


def test_a_fresh_key_is_not() -> None:
    assert where_published(PublicKey(keys.numbers(keys.key("P-256")), Origin("x"))) is None


LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
PROGRAMS = {
    "openssl": shutil.which("openssl"),
    "libgcrypt": next(map(str, LIBRARIES.glob("libgcrypt.so.20")), None),
    "libgnutls": next(map(str, LIBRARIES.glob("libgnutls.so.30")), None),
    "libcrypto": next(map(str, LIBRARIES.glob("libcrypto.so.3")), None),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_key_in_a_program_or_library_is_known(name: str) -> None:
    """Other versions may have other keys; those that are there must be published ones."""
    place = PROGRAMS[name]
    if place is None:
        pytest.skip(f"NOT TESTED: {name} is not installed, and it is what this looks into")
    image = Path(place).read_bytes()
    found = {hit.private.public for hit in scan(image) if isinstance(hit, PrivateHit) and hit.proved}
    assert [numbers for numbers in found if where_published(PublicKey(numbers, Origin("x"))) is None] == []
