"""How hard a secret is to guess, at most, for somebody who holds a sketch of it.

>>> round(guess_bits(b"correct horse battery staple", 16)) < 60
True

An estimate can say no, never yes: what a person chose, or a program made of a date and a counter, may look
random to every estimate. It is made for the easiest piece of the secret, because a sketch lets pieces be
guessed one by one: with one known, each further byte takes 256 guesses.
"""

from __future__ import annotations

import re
from math import log2
from typing import Final

#: Bits that the easiest window of a secret must have, by the estimate, to be sketched. The fastest
#: processors of 2026 try some 2^35 digests a second, and a guess is compared with all windows of a sketch,
#: of which 10,000 keys have 2^19: 2^71 tries, and so 2^36 seconds on one of them.
LEAST_BITS: Final = 90

#: Pairs of letters, one behind the other, that make up most of English and German words.
_LETTERS: Final = (
    "thheineranreonatenndtiesorteofedisitalarsttontngsehaasouiolevecomedehiriroicneearacelichllbe"
    "masiomurcaeltalansdifohopeecprnoctusacotiltrlyncetutsssorsunlowageiewheewiemadolrtpowenaulni"
    "tsmoowpaimmiaishirsuidosiviaamficivipligtuevldrympfeblabghtyopwosaayexkeuifrooagaveiausccktt"
    "geeubabudadoduepegebfagogrhuifipjejukikokulumunuobodogokovpipurdrnrmrkrrruskspswtwubudueufug"
    "umupvavoyeyozawnpsbrcrdrglknquslsmsnftphysnybymy"
)
_PAIRS: Final = frozenset(_LETTERS[at : at + 2] for at in range(0, len(_LETTERS), 2))
_ROWS: Final = ("qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "1234567890")
_LETTER_OF_WORD: Final = 2.3
_EXPECTED: Final = 1.0
_WORD: Final = re.compile(rb"[A-Za-z][a-z]{4,}|[A-Z]{5,}")
_SHARE_OF_WORDS: Final = 0.4


def guess_bits(data: bytes, window: int) -> float:
    """At most how many bits the easiest ``window`` bytes in a row have; of a shorter secret, all of it."""
    costs, letters = _costs(data), _letters_of_words(data)
    window = min(window, len(data))
    return min(
        (_bits(costs[at : at + window], letters[at : at + window]) for at in range(len(data) - window + 1)),
        default=0.0,
    )


def _bits(costs: list[float], letters: list[bool]) -> float:
    """Bits of a piece. Five letters that look like a word stand in one random text of a hundred: so words
    count where much of the piece is words."""
    if sum(letters) < _SHARE_OF_WORDS * len(letters):
        return sum(costs)
    return sum(
        min(cost, _LETTER_OF_WORD) if is_letter else cost
        for cost, is_letter in zip(costs, letters, strict=True)
    )


def _costs(data: bytes) -> list[float]:
    """Bits of each byte, given those before it; but for words."""
    costs = [_base(data)] * len(data)
    _separators(data, costs)
    seen: set[bytes] = set()
    for at in range(2, len(data)):
        first, second, third = data[at - 2 : at + 1]
        steps = third - second, second - first
        goes_on = steps[0] == steps[1] and abs(steps[0]) <= 1
        four = data[max(0, at - 3) : at + 1]
        if goes_on or (len(four) == 4 and (four in seen or _is_on_a_row(four))):
            costs[at] = min(costs[at], _EXPECTED)
        seen.add(four)
    return costs


def _base(data: bytes) -> float:
    """Bits of a byte of its alphabet: that of its characters if it is text, or of all bytes."""
    values = set(data)
    if 2 * len(values) < len(data) and len(values) < 16:  # few symbols, whichever
        return log2(max(2, len(values)))
    if any(not 0x20 <= value < 0x7F for value in values):
        return 8.0 if 2 * len(values) > min(len(data), 64) else log2(max(2, len(values))) + 1
    letters = {value for value in values if chr(value).isalpha()}
    digits = bool(values & set(b"0123456789"))
    if letters <= set(b"abcdef") or letters <= set(b"ABCDEF"):
        return log2((10 if digits else 0) + (6 if letters else 0) or 33)
    others = len({value for value in values if not chr(value).isalnum()})
    upper, lower = any(chr(v).isupper() for v in letters), any(chr(v).islower() for v in letters)
    size = 26 * (upper + lower) + 10 * digits + (33 if others > 3 else others)
    return log2(max(2, size))


def _separators(data: bytes, costs: list[float]) -> None:
    """One sign that stands between all groups, as in UUIDs and passphrases, says nothing."""
    others = {value for value in data if not chr(value).isalnum()}
    if len(others) == 1:
        for at, value in enumerate(data):
            if value in others:
                costs[at] = min(costs[at], _EXPECTED)


def _letters_of_words(data: bytes) -> list[bool]:
    """Which bytes are letters of what looks like a word: small ones after any first one, or capitals."""
    found = [False] * len(data)
    for match in _WORD.finditer(data):
        if _is_word(match[0]):
            found[match.start() : match.end()] = [True] * len(match[0])
    return found


def _is_word(letters: bytes) -> bool:
    text = letters.decode("ascii").lower()
    pairs = [text[at : at + 2] in _PAIRS for at in range(len(text) - 1)]
    return 5 * sum(pairs) >= 4 * len(pairs)


def _is_on_a_row(data: bytes) -> bool:
    text = data.decode("latin-1").lower()
    return any(text in row or text[::-1] in row for row in _ROWS)
