"""Sketches as files: JSON of the format ``immure-sketch-1``, read with care and written with mode 0600."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any, Final

from immure.errors import InputError, LimitError
from immure.files import write_whole
from immure.keymaterial.key import b64url
from immure.keymaterial.sketch import (
    DIGEST_BYTES,
    FORMS,
    KINDS,
    LOOKS,
    MOST_LENGTH,
    SALT_BYTES,
    SCHEMA,
    WHOLE_BYTES,
    WINDOW,
    Sketch,
    SketchedSecret,
    SketchString,
    to_bytes,
)

#: What a file may have at most. 100,000 keys of 32 bytes fit.
MOST_BYTES: Final = 256 << 20
MOST_SECRETS: Final = 1_000_000
MOST_STRINGS: Final = 64
MOST_WINDOWS: Final = 1 << 23
MOST_NAME: Final = 200
MOST_PART: Final = 16


def write_sketch(path: str | Path, sketch: Sketch) -> None:
    """Write a file that only its owner can read.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(Path(path), to_bytes(sketch), mode=0o600)


def read_sketch(path: str | Path) -> Sketch:
    """Read a file.

    Raises:
        InputError: it cannot be read, or is no sketch.
        LimitError: it is too large.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(getattr(error, "strerror", None) or "no path", path=name) from error
    return parse_sketch(data, name)


def parse_sketch(data: bytes, path: str) -> Sketch:
    """The sketch in a file's bytes; raises as :func:`read_sketch`."""
    if len(data) > MOST_BYTES:
        raise LimitError(f"a sketch of more than {MOST_BYTES} bytes", path=path)
    try:
        plain = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError("is no sketch: not JSON", path=path) from None
    return _Parser(path).sketch(plain)


class _Parser:
    """Takes apart what JSON gave, and refuses what it does not know."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._windows = 0

    def _no(self, reason: str) -> InputError:
        return InputError(f"is no sketch: {reason}", path=self._path)

    def _table(self, value: Any, names: tuple[str, ...], what: str) -> dict[str, Any]:
        if type(value) is not dict or sorted(value) != sorted(names):
            raise self._no(f"{what} has other members than {', '.join(names)}")
        return value

    def _list(self, value: Any, least: int, most: int, what: str) -> list[Any]:
        if type(value) is not list or not least <= len(value) <= most:
            raise self._no(f"{what} are no list of {least} to {most}")
        return value

    def _text(self, value: Any, most: int, what: str) -> str:
        if type(value) is not str or not 0 < len(value) <= most or not value.isprintable():
            raise self._no(f"{what} is no text of 1 to {most} printable characters")
        return value

    def _bytes(self, value: Any, what: str) -> bytes:
        if type(value) is not str or not value.isascii():
            raise self._no(f"{what} is not base64url")
        try:
            found = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (ValueError, binascii.Error):
            raise self._no(f"{what} is not base64url") from None
        if b64url(found) != value:
            raise self._no(f"{what} is not base64url")
        return found

    def sketch(self, value: Any) -> Sketch:
        if type(value) is not dict or value.get("schema") != SCHEMA:
            raise self._no(f"its schema is not {SCHEMA}")
        plain = self._table(value, ("schema", "salt", "looks", "secrets"), "the file")
        salt = self._bytes(plain["salt"], "the salt")
        if len(salt) != SALT_BYTES:
            raise self._no(f"the salt has {len(salt)} bytes, not {SALT_BYTES}")
        looks = self._list(plain["looks"], 0, len(LOOKS), "looks")
        if any(look not in LOOKS for look in looks):
            raise self._no(f"looks are out of {', '.join(LOOKS)}")
        secrets = self._list(plain["secrets"], 1, MOST_SECRETS, "secrets")
        return Sketch(salt, frozenset(looks), tuple(map(self._secret, secrets)), self._path)

    def _secret(self, value: Any) -> SketchedSecret:
        plain = self._table(value, ("name", "kind", "guessable", "strings"), "a secret")
        name, kind = self._text(plain["name"], MOST_NAME, "a name"), plain["kind"]
        if type(kind) is not str or kind not in KINDS:
            raise self._no(f"the kind of a secret is one of {', '.join(KINDS)}")
        if type(plain["guessable"]) is not bool:
            raise self._no("guessable is neither true nor false")
        strings = self._list(plain["strings"], 1, MOST_STRINGS, "the strings of a secret")
        return SketchedSecret(name, kind, plain["guessable"], tuple(map(self._string, strings)))

    def _string(self, value: Any) -> SketchString:
        plain = self._table(value, ("part", "form", "whole", "windows"), "a string")
        part, form = self._text(plain["part"], MOST_PART, "a part"), plain["form"]
        if type(form) is not str or form not in FORMS:
            raise self._no(f"the form of a string is one of {', '.join(FORMS)}")
        whole, windows = self._bytes(plain["whole"], "a digest"), self._bytes(plain["windows"], "windows")
        if len(whole) != WHOLE_BYTES:
            raise self._no(f"the digest of a whole string has {len(whole)} bytes, not {WHOLE_BYTES}")
        count, rest = divmod(len(windows), DIGEST_BYTES)
        if rest or not 1 <= count <= MOST_LENGTH - WINDOW + 1:
            raise self._no(f"the windows of a string have {len(windows)} bytes")
        self._windows += count
        if self._windows > MOST_WINDOWS:
            raise LimitError(f"a sketch of more than {MOST_WINDOWS} windows", path=self._path)
        return SketchString(part, form, whole, windows)
