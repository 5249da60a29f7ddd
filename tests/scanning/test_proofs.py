"""What counts as a proof, and what does not."""

from __future__ import annotations

import pytest
from tests.keymaterial import formats, keys

from immure.keymaterial.key import RsaNumbers
from immure.scanning.proofs import prove_prime


def test_a_prime_is_one() -> None:
    values = formats.rsa_values(keys.key("RSA-1024"))
    proof = prove_prime(RsaNumbers(values["n"], values["e"]), values["p"], "prime", 7)
    assert proof is not None
    assert (proof.words, proof.offset, proof.secret) == ("a 512-bit number divides n", 7, "p")


@pytest.mark.parametrize("factor", [65537, (1 << 127) - 1], ids=["17 bits", "127 bits"])
def test_a_small_factor_of_what_is_no_key_is_none(factor: int) -> None:
    # before: "a 17-bit number divides n", in any image that is large enough
    n = factor * ((1 << 1279) - 1)
    assert prove_prime(RsaNumbers(n, 3), factor * 3, "prime", 0) is None
    assert prove_prime(RsaNumbers(n, 3), (1 << 1279) - 1, "prime", 0) is None
