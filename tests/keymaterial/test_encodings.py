"""The catalog of encodings against a slow twin that shares no code with it."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.keymaterial import bignum
from immure.keymaterial.encodings import SHORTEST, encodings, in_lines, secret_numbers, whole_keys
from immure.keymaterial.private import (
    ec_from_scalar,
    okp_from_seed,
    rsa_from_exponent,
    rsa_from_parts,
    rsa_from_prime,
)

from . import formats, keys


def prove(kind: str):
    """Our private key and, from ``cryptography``, what it must say."""
    key = keys.key(kind)
    if kind.startswith("RSA"):
        return rsa_from_prime(keys.numbers(key), formats.rsa_values(key)["p"])
    if kind in keys.EC:
        return ec_from_scalar(kind, formats.ec_values(key)[2])
    return okp_from_seed(kind, base64.urlsafe_b64decode(formats.jwk(key)["d"] + "=="))


# --- the slow twins: digit by digit
# -----------------------------------------------------------------------------


def digits(value: int, bits: int) -> list[int]:
    found = []
    while value:
        found.append(value % 2**bits)
        value //= 2**bits
    return found or [0]


def words(values: list[int], size: int) -> bytes:
    return b"".join(bytes(value // 256**i % 256 for i in range(size)) for value in values)


TWINS = {
    "be32w": lambda v: words(digits(v, 32)[::-1], 4),
    "be64w": lambda v: words(digits(v, 64)[::-1], 8),
    "py30": lambda v: words(digits(v, 30), 4),
    "smi28": lambda v: words([digit * 2**32 for digit in digits(v, 28)], 8),
    "limb52": lambda v: words(digits(v, 52), 8),
    "le64": lambda v: words(digits(v, 64), 8),
    "be": lambda v: bytes(digits(v, 8)[::-1]),
    "le_minimal": lambda v: bytes(digits(v, 8)),
}


@given(value=st.integers(1, 2**2048), name=st.sampled_from(sorted(TWINS)))
def test_layouts_equal_their_twins(value: int, name: str) -> None:
    assert getattr(bignum, name)(value) == TWINS[name](value)


@given(value=st.integers(0, 10**9000))
def test_decimal_has_no_limit(value: int) -> None:
    text = bignum.decimal(value)
    total = 0
    for at in range(0, len(text), 1000):
        block = text[at : at + 1000]
        total = total * 10 ** len(block) + int(block)
    assert total == value
    assert text == b"0" or not text.startswith(b"0")


def expected_rsa(kind: str) -> dict[str, int]:
    v = formats.rsa_values(keys.key(kind))
    q, p = sorted((v["p"], v["q"]))
    phi = (p - 1) * (q - 1)
    r = 2 ** (int(kind[4:]) // 2)
    d = next(d for d in ((1 + k * phi) // v["e"] for k in range(v["e"])) if d * v["e"] % phi == 1)
    g = _gcd(p - 1, q - 1)
    return {
        "p": p,
        "q": q,
        "d": d,
        "d_lambda": d % (phi // g),
        "dp": d % (p - 1),
        "dq": d % (q - 1),
        "qinv": pow(q, p - 2, p),
        "pinv": pow(p, q - 2, q),
        "r_p": r % p,
        "r_q": r % q,
        "rr_p": r**2 % p,
        "rr_q": r**2 % q,
        "qinv_mont": pow(q, p - 2, p) * r % p,
        "pinv_mont": pow(p, q - 2, q) * r % q,
    }


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


@pytest.mark.parametrize("kind", keys.RSA)
def test_rsa_numbers(kind: str) -> None:
    assert secret_numbers(prove(kind)) == expected_rsa(kind)


def test_a_private_exponent_of_its_own_is_kept() -> None:
    values = formats.rsa_values(keys.key("RSA-1024"))
    strange = values["d"] + (values["p"] - 1) * (values["q"] - 1)
    found = secret_numbers(rsa_from_exponent(keys.numbers(keys.key("RSA-1024")), strange))
    assert found["d_given"] == strange


@pytest.mark.parametrize(
    ("kind", "limbs", "order", "field"),
    [
        (
            "P-256",
            4,
            0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
            2**256 - 2**224 + 2**192 + 2**96 - 1,
        ),
        (
            "secp256k1",
            4,
            0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
            2**256 - 2**32 - 977,
        ),
        (
            "P-521",
            9,
            2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
            2**521 - 1,
        ),
    ],
)
def test_ec_numbers(kind: str, limbs: int, order: int, field: int) -> None:
    d = formats.ec_values(keys.key(kind))[2]
    assert secret_numbers(prove(kind)) == {
        "d": d,
        "d_mont": d * 2 ** (64 * limbs) % order,
        "d_mont_p": d * 2 ** (64 * limbs) % field,
    }


def test_ed25519_numbers() -> None:
    """The first test vector of RFC 8032 (section 7.1), worked out as section 5.1.5 says."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    found = secret_numbers(okp_from_seed("Ed25519", seed))
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    scalar = scalar // 8 * 8 % 2**254 + 2**254
    assert found == {
        "seed": seed,
        "scalar": scalar.to_bytes(32, "little"),
        "scalar_raw": digest[:32],
        "scalar_mod": (scalar % (2**252 + 27742317777372353535851937790883648493)).to_bytes(32, "little"),
        "prefix": digest[32:],
        "expanded": digest,
        "expanded_clamped": scalar.to_bytes(32, "little") + digest[32:],
    }


def test_ed448_and_montgomery_numbers() -> None:
    seed = bytes(range(57))
    found = secret_numbers(okp_from_seed("Ed448", seed))
    scalar = int.from_bytes(hashlib.shake_256(seed).digest(57), "little")
    scalar = scalar // 4 * 4 % 2**447 + 2**447
    assert found["scalar"] == scalar.to_bytes(57, "little")
    assert found["expanded"] == hashlib.shake_256(seed).digest(114)
    x448 = secret_numbers(okp_from_seed("X448", bytes(range(56))))
    assert (
        int.from_bytes(x448["scalar"], "little")
        == int.from_bytes(bytes(range(56)), "little") // 4 * 4 | 2**447
    )


def twin(value: int | bytes, width: int) -> dict[str, bytes]:
    """The encodings of a number, the slow way."""
    if isinstance(value, bytes):
        found, plain = {"raw": value}, value
    else:
        limbs = -(-width // 8)
        plain = TWINS["be"](value).rjust(width, b"\0")
        found = {name: TWINS[name](value) for name in ("be32w", "be64w", "py30", "smi28", "limb52")}
        found |= {"le64": TWINS["le64"](value).ljust(8 * limbs, b"\0"), "be": plain}
        found["decimal"] = bignum.decimal(value)
        found["hex-minimal"] = b"".join(b"%x" % digit for digit in digits(value, 4)[::-1])
        found["hex-upper-minimal"] = found["hex-minimal"].upper()
    found["be"] = plain if isinstance(value, int) else plain[::-1]
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bits = "".join(f"{byte:08b}" for byte in plain)
    for before in (0, 1, 2):
        shifted = "?" * 8 * before + bits  # characters with a bit of anything else are not certain
        sixes = (shifted[i : i + 6] for i in range(0, len(shifted), 6))
        certain = (six for six in sixes if len(six) == 6 and "?" not in six)
        found[f"base64-{before + 1}"] = bytes(alphabet[int(six, 2)] for six in certain)
    padded = bits + "0" * (-len(bits) % 6)
    found["base64"] = bytes(alphabet[int(padded[i : i + 6], 2)] for i in range(0, len(padded), 6))
    for name in [name for name in found if name.startswith("base64")]:
        url = found[name].replace(b"+", b"-").replace(b"/", b"_")
        found[name.replace("base64", "base64url")] = url
    found["hex"] = b"".join(b"%02x" % byte for byte in plain)
    found["hex-upper"] = found["hex"].upper()
    for name in [name for name in found if name.startswith(("base64", "hex", "decimal"))]:
        found[f"{name}-utf16le"] = b"".join(bytes((char, 0)) for char in found[name])
    return found


def widths(kind: str, name: str) -> int:
    if kind.startswith("RSA"):
        return int(kind[4:]) // (8 if name in ("d", "d_lambda") else 16)
    return {"P-256": 32, "P-384": 48, "P-521": 66, "secp256k1": 32}.get(kind, 0)


@pytest.mark.parametrize("kind", keys.KINDS)
def test_the_catalog_holds_every_encoding(kind: str) -> None:
    private = prove(kind)
    for name, value in secret_numbers(private).items():
        made = dict(encodings(name, value, private))
        assert len(set(made.values())) == len(made)
        assert all(len(data) >= SHORTEST for data in made.values())
        for encoding, data in twin(value, widths(kind, name)).items():
            if data not in made.values() or encoding in made:
                assert made[encoding] == data, (name, encoding)


def test_minimal_forms_are_there_if_they_differ() -> None:
    private = ec_from_scalar("P-521", 2**300 + 1)
    made = dict(encodings("d", 2**300 + 1, private))
    assert made["be"] == b"\0" * 28 + made["be-minimal"]
    assert made["le64"] == made["le-minimal"] + b"\0" * 34
    assert "be-minimal" not in dict(encodings("d", 2**520 + 1, ec_from_scalar("P-521", 2**520 + 1)))


def test_base64_inside_anything_holds_one_phase() -> None:
    private = prove("P-256")
    value = secret_numbers(private)["d"]
    made = dict(encodings("d", value, private))
    for before in range(6):
        around = b"\xa5" * before + made["be"] + b"\x5a" * 7
        phase = made[f"base64-{before % 3 + 1}"]
        assert phase in base64.b64encode(around)
        assert phase.decode().encode("utf-16-le") in base64.b64encode(around).decode().encode("utf-16-le")


def test_texts_of_a_number_without_zeros_in_front() -> None:
    value = int.from_bytes(b"\xfb\xef\xbe" * 21, "big")  # all + in base64
    made = dict(encodings("d", value, ec_from_scalar("P-521", value)))
    data = value.to_bytes(63, "big")
    assert made["base64url-minimal"] == base64.urlsafe_b64encode(data)
    assert made["base64-minimal-utf16le"].decode("utf-16-le") == base64.b64encode(data).decode()
    assert made["hex-minimal"] == b"%x" % value
    assert made["hex"] == b"0" * 6 + made["hex-minimal"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\\n"])
@pytest.mark.parametrize("kind", keys.KINDS)
def test_numbers_in_lines_are_pieces_of_pem(kind: str, line_end: bytes) -> None:
    private = prove(kind)
    texts = [base64.b64encode(key) for _, key in whole_keys(private)]
    texts = [line_end.join(text[i : i + 64] for i in range(0, len(text), 64)) for text in texts]
    numbers, seen = secret_numbers(private), set()
    for name, encoding, data in in_lines(private):
        if not any(data in text for text in texts):
            continue  # of another line end
        seen.add(name)
        assert encoding == "base64-lines"
        plain = data.replace(line_end, b"")
        assert plain != data
        value = numbers[name]
        length = widths(kind, name) if kind in keys.EC else -(-_bits(value) // 8)
        raw = value if isinstance(value, bytes) else value.to_bytes(length, "big")
        assert any(plain in base64.b64encode(bytes(before) + raw) for before in range(3))
        assert 6 * len(plain) > 8 * len(raw) - 12  # at either end a character that is not certain
    if kind.startswith("RSA"):
        assert {"p", "q", "dp", "dq", "qinv"} <= seen
        assert {"d", "d_lambda"} <= {name for name, _, _ in in_lines(private)}


def _bits(value: int | bytes) -> int:
    return 8 * len(value) if isinstance(value, bytes) else value.bit_length()


@pytest.mark.parametrize("kind", keys.KINDS)
def test_whole_keys_are_those_of_cryptography(kind: str) -> None:
    key = keys.key(kind)
    private = prove(kind)
    if kind.startswith("RSA"):  # the primes in the order, and the exponent, as they were made
        private = rsa_from_parts(*(formats.rsa_values(key)[name] for name in ("n", "e", "d", "p", "q")))
    made = dict(whole_keys(private))
    assert made.pop("pkcs8-der") == formats.pkcs8(key)
    for data in made.values():
        assert data == formats.traditional(key)


def test_the_whole_catalog_is_long() -> None:
    private = prove("RSA-2048")
    count = sum(1 for name, value in secret_numbers(private).items() for _ in encodings(name, value, private))
    assert count > 300
