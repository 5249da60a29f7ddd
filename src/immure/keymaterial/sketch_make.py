"""Makes sketches of secrets, on their owner's machine."""

from __future__ import annotations

import base64
import re
import secrets as randomness
from collections.abc import Iterable, Iterator
from typing import Final

from immure.errors import UsageError
from immure.keymaterial.sketch import (
    DIGEST_BYTES,
    MOST_LENGTH,
    SALT_BYTES,
    WINDOW,
    Sketch,
    SketchedSecret,
    SketchString,
    whole_digest,
    window_digests,
)
from immure.keymaterial.sketch_guess import LEAST_BITS, guess_bits

#: Characters that hold a window: with fewer, a piece would have less than 16 bytes behind it.
HEX_CHARS: Final = 2 * WINDOW
BASE64_CHARS: Final = 22
_HEX: Final = re.compile(rb"(?:[0-9a-f]{2}){16,}|(?:[0-9A-F]{2}){16,}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{22,}={0,2}")
#: What tokens of one service begin with, such as ``ghp_`` and ``sk_live_``: it is no secret.
_PREFIX: Final = re.compile(rb"(?:[a-z]{2,10}[_-]){1,3}(?=[A-Za-z0-9+/_-]{22})")
#: Beginnings of what has a public half, or a head that everybody knows. Whoever knows 16 bytes in a row of a
#: secret finds the others by its sketch one by one.
_KNOWN: Final = (
    (re.compile(rb"-----BEGIN "), "is a key as PEM text: its public half finds it (immure scan --keys)"),
    (
        re.compile(rb"\x30[\x20-\x84].{0,8}\x02\x01", re.DOTALL),
        "is a key as DER: its public half finds it (immure scan --keys)",
    ),
    (
        re.compile(rb"eyJ[A-Za-z0-9_-]+\.|\{\s*\"[\s\x20-\x7e]{8}"),
        "begins with a header that others know, as JSON and JWT do",
    ),
)
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
#: Longest key that HMAC-SHA-256 pads and does not hash first (RFC 2104, section 2).
_HMAC_BLOCK: Final = 64

#: A name, one of the kinds, and the bytes; these are secret.
Named = tuple[str, str, bytes]


def sketch_of(named: Iterable[Named], *, allow_guessable: bool = False, salt: bytes | None = None) -> Sketch:
    """The sketch of some secrets.

    Args:
        named: name, kind and bytes of each.
        allow_guessable: take secrets, too, that may be guessed; the sketch is then as secret as they are.
        salt: 32 random bytes; by default they are made here.

    Raises:
        UsageError: there is none, or one is too short, too long, or may be guessed.
    """
    salt = salt if salt is not None else randomness.token_bytes(SALT_BYTES)
    looks: set[str] = set()
    made = []
    for name, kind, value in named:
        strings = list(strings_of(kind, value, name))
        bits, known = least_bits(value), known_beginning(value)
        guessable = bits < LEAST_BITS or known is not None
        if guessable and not allow_guessable:
            raise UsageError(_refusal(name, bits, known))
        looks |= _looks(strings)
        sketched = tuple(sketch_string(salt, "secret", form, data) for form, data in strings)
        made.append(SketchedSecret(name, kind, guessable, sketched))
    if not made:
        raise UsageError("there is no secret to sketch")
    return Sketch(salt, frozenset(looks), tuple(made))


def sketch_string(salt: bytes, part: str, form: str, data: bytes) -> SketchString:
    """The sketch of one byte string."""
    windows = b"".join(digest.to_bytes(DIGEST_BYTES, "big") for digest in window_digests(salt, data))
    return SketchString(part, form, whole_digest(salt, data), windows)


def strings_of(kind: str, value: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """By which byte strings a secret is recognised, as (form, bytes), no bytes twice.

    Text in hex or base64 is taken for the bytes behind it: 16 characters of hex hold eight bytes only, which
    can be guessed. The scanner decodes what it sees, so both the text and the bytes are found.

    Raises:
        UsageError: it is shorter than a window, or too long.
    """
    if len(value) < WINDOW:
        raise UsageError(
            f"{name}: a secret of {len(value)} bytes cannot be sketched: {WINDOW} are the least; with the"
            " secret itself, immure redact --secret-file erases it"
        )
    if len(value) > MOST_LENGTH:
        raise UsageError(f"{name}: is longer than {MOST_LENGTH} bytes")
    seen: set[bytes] = set()
    for form, data in _forms(kind, value):
        if data not in seen:
            seen.add(data)
            yield form, data


def _forms(kind: str, value: bytes) -> Iterator[tuple[str, bytes]]:
    form, data = behind_text(value)
    yield form, data
    if form == "text":
        return
    if len(data) % 4 == 0:  # as ciphers of Java and plain C keep words of a key
        yield "be32w", turned(data)
    if kind.startswith("hs") and len(data) <= _HMAC_BLOCK:
        yield "ipad", bytes(byte ^ 0x36 for byte in data)
        yield "opad", bytes(byte ^ 0x5C for byte in data)


def behind_text(value: bytes) -> tuple[str, bytes]:
    """The form of a secret, and its bytes: of text in hex or base64, those behind it."""
    known = _prefix(value)
    if _HEX.fullmatch(value, known):
        return "hex", bytes.fromhex(value[known:].decode("ascii"))
    if _BASE64.fullmatch(value):
        text = value.rstrip(b"=").translate(_TO_STANDARD)
        # characters beyond the last whole byte hold a few bits only
        whole = text[: len(text) - (len(text) % 4 == 1)]
        data = base64.b64decode(whole + b"=" * (-len(whole) % 4))
        return "base64", data[-(-6 * known // 8) :]
    return ("text" if is_text(value) else "raw"), value


def is_text(value: bytes) -> bool:
    """Whether no byte has its top bit set: a scanner looks at such windows only if it is told to."""
    return max(value) < 0x80


def turned(data: bytes) -> bytes:
    """Words of four bytes, each the other way round."""
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def least_bits(value: bytes) -> float:
    """At most how many bits the easiest piece of a secret has, read as text and as what is behind it."""
    form, data = behind_text(value)
    chars = {"hex": HEX_CHARS, "base64": BASE64_CHARS}.get(form)
    bits = guess_bits(data, WINDOW)
    return bits if chars is None else min(bits, guess_bits(value[_prefix(value) :], chars))


def _prefix(value: bytes) -> int:
    """Characters that a service puts before its tokens."""
    found = _PREFIX.match(value)
    return found.end() if found is not None and _BASE64.fullmatch(value) else 0


def known_beginning(value: bytes) -> str | None:
    """Why the beginning of a secret is none, if so."""
    return next((words for pattern, words in _KNOWN if pattern.match(value)), None)


def _looks(strings: Iterable[tuple[str, bytes]]) -> set[str]:
    found = set()
    for form, data in strings:
        if form == "text":
            found.add("text")
        if form == "base64" and _has_one_case(data):
            found.add("one-case")
    return found


def _has_one_case(data: bytes) -> bool:
    """Whether a piece of 22 characters of its base64 has no capital or no small letter."""
    text = base64.b64encode(data).decode("ascii")
    pieces = (text[at : at + BASE64_CHARS] for at in range(0, max(1, len(text) - BASE64_CHARS + 1), 4))
    return any(piece.upper() == piece or piece.lower() == piece for piece in pieces)


def _refusal(name: str, bits: float, known: str | None) -> str:
    why = known or (
        f"{WINDOW} bytes of it have {bits:.0f} bits at most, {LEAST_BITS} are the least: whoever holds the"
        " sketch could guess it"
    )
    return f"{name}: {why}; --allow-guessable makes a sketch that is as secret as the secret itself"
