"""Numbers that pages state and code decides: they must agree."""

from __future__ import annotations

import re
from fractions import Fraction
from math import comb

import pytest

from docs.blocks import ROOT
from immure.cli import main as command_line
from immure.cli.exit_codes import ExitCode
from immure.dumps.detect import FORMATS
from immure.keymaterial.encodings import encodings, in_lines, secret_numbers
from immure.keymaterial.key import RsaNumbers
from immure.keymaterial.private import ec_from_scalar, okp_from_seed, rsa_from_prime
from immure.scanning import plan, texts
from immure.scanning.detectors import montgomery, rsa
from immure.scanning.kernels.rsa import EXPONENT_MULTIPLE
from immure.scanning.kernels.workspace import DULL_BITS

DESIGN = (ROOT / "docs" / "explanation" / "scan-design.md").read_text(encoding="utf-8")
DULL = Fraction(2 << DULL_BITS, 1 << 64)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def _stated(test: str) -> float:
    """The probability in the row of the table whose first cell begins with ``test``."""
    row = re.search(rf"^\| {re.escape(test)}[^|]*\|[^|]*\| ([^|]+) \|$", DESIGN, flags=re.MULTILINE)
    assert row, test
    words = row[1].split(" ")[0].replace("·10", "e").translate(_SUPERSCRIPTS)
    return float(words)


def _few_distinct(drawn: int, need: int, values: int = 256) -> Fraction:
    """The probability that ``drawn`` random bytes have fewer than ``need`` different values."""
    chances = [Fraction(1)] + [Fraction(0)] * drawn
    for _ in range(drawn):
        chances = [
            chances[k] * Fraction(k, values) + (chances[k - 1] * Fraction(values - k + 1, values) if k else 0)
            for k in range(drawn + 1)
        ]
    return sum(chances[:need], Fraction(0))


def _off_balance(bits: int, square: int) -> Fraction:
    """The probability that of ``bits`` more or less than half are set, by over the root of ``square``."""
    return Fraction(sum(comb(bits, k) for k in range(bits + 1) if (k - bits // 2) ** 2 > square), 1 << bits)


def _share_of_other_factors() -> Fraction:
    """The share of keys whose gcd(p − 1, q − 1) does not divide the multiple tried: a random prime is 1
    modulo r^k with probability 1/φ(r^k)."""
    kept = 1.0
    for prime in (n for n in range(2, 20_000) if all(n % d for d in range(2, int(n**0.5) + 1))):
        power, rest = 1, EXPONENT_MULTIPLE
        while rest % prime == 0:
            rest //= prime
            power += 1
        kept *= 1 - 1 / (prime ** (power - 1) * (prime - 1)) ** 2
    return Fraction(1 - kept)


@pytest.mark.parametrize(
    ("test", "computed"),
    [
        ("loose run, 16 words", 15 * DULL**2),
        ("variety of top bytes (six bits", _few_distinct(16, 8, 64)),
        ("variety, 8 words", _few_distinct(8, 4, 64)),
        ("private exponent |", Fraction(1, 1 << 24)),
        ("private exponent modulo λ", _share_of_other_factors()),
        ("constants, 64 bytes", _few_distinct(64, 40) + _off_balance(512, 100 * 64)),
        ("strict run", 1 - (1 - DULL) ** 4),
        ("sweep", DULL),
    ],
)
def test_a_stated_probability_is_the_computed_one(test: str, computed: Fraction) -> None:
    assert _stated(test.removesuffix(" |")) == pytest.approx(float(computed), rel=0.05)


def test_the_stated_budgets_are_those_of_the_plan() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([\d,]+) \|[^|]*\|$", DESIGN, flags=re.MULTILINE))
    assert {family: int(words.replace(",", "")) for family, words in rows.items()} == plan.BUDGETS


@pytest.mark.parametrize(
    ("words", "figure"),
    [
        ("G = {:,}", EXPONENT_MULTIPLE),
        ("{} bytes for a scalar", plan.LONGEST_SCALAR_RUN),
        ("runs of up to {} bytes", plan.LONGEST_START_RUN),
        ("of those longer than {} ", plan.LONGEST_NUMBER_RUN),
        ("more than {:,} candidates", plan.EDGE_CANDIDATES),
        ("more than {} keys", rsa.DIRECT_KEYS),
        ("at most {} bytes longer", montgomery.SLACK_BYTES),
        ("texts of up to {:,} bytes together", texts.EVERYWHERE_BYTES),
    ],
)
def test_a_stated_figure_is_the_one_in_the_code(words: str, figure: int) -> None:
    assert words.format(figure) in DESIGN


def test_every_secret_and_encoding_is_listed() -> None:
    page = (ROOT / "docs" / "reference" / "secrets-and-encodings.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([a-z0-9_-]+)`", page))
    # the smallest primes that the two encoders accept do: names do not depend on the size
    rsa = rsa_from_prime(RsaNumbers((2**521 - 1) * (2**607 - 1), 65537), 2**521 - 1)
    private_keys = [rsa, ec_from_scalar("P-256", 12345 << 200), okp_from_seed("Ed25519", bytes(range(32)))]
    for private in private_keys:
        for secret, value in secret_numbers(private).items():
            assert secret in listed
            for encoding, _ in encodings(secret, value, private):
                name = encoding.removesuffix("-utf16le").replace("base64url-", "base64-")
                assert name in listed or name.removesuffix("-minimal") in listed, encoding
            assert {encoding for _, encoding, _ in in_lines(private)} <= listed


def test_every_option_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    for command in command_line.COMMANDS:
        loaded = command_line.cli.get_command(None, command)  # type: ignore[arg-type]
        assert loaded is not None
        assert f"## `immure {command}`" in page
        for parameter in loaded.params:
            for option in parameter.opts if parameter.param_type_name == "option" else []:
                assert f"`{option}" in page, f"immure {command} {option}"


def test_every_exit_code_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)} == set(
        map(int, ExitCode)
    )


def test_every_image_format_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    assert {known.name for known in FORMATS} <= set(
        re.findall(r"^\| `([\w-]+)` \|", page, flags=re.MULTILINE)
    )
