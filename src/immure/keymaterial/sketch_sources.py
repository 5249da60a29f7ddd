"""Where the secrets come from that are sketched: files, lists, JWKs of type ``oct``, standard input."""

from __future__ import annotations

import binascii
import json
import sys
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from immure.errors import UsageError
from immure.keymaterial.sketch import KINDS, MOST_LENGTH
from immure.keymaterial.sketch_file import MOST_NAME, MOST_SECRETS

MOST_BYTES: Final = 64 << 20
#: Kinds by the member ``alg`` of a JWK (RFC 7518).
_BY_ALGORITHM: Final = {"HS256": "hs256", "HS384": "hs384", "HS512": "hs512"}
_AES: Final = ("A128", "A192", "A256")

Named = tuple[str, str, bytes]


def read_secrets(path: str, kind: str, name: str | None = None) -> list[Named]:
    """The secrets of a file, as (name, kind, bytes): those of a JWK or JWKS, or else all of it as one.

    Raises:
        UsageError: it cannot be read, is too long, or is a JWKS without symmetric keys.
    """
    data, called = _read(path, MOST_BYTES)
    keys = _jwks(data, path)
    if keys is not None:
        found = [_of_jwk(key, number, kind, path) for number, key in enumerate(keys, 1)]
        if not found:
            raise UsageError("holds no key of type oct", path=path)
        return [(name, *found[0][1:])] if name is not None and len(found) == 1 else found
    value = _without_line_end(data)
    if len(value) > MOST_LENGTH:
        raise UsageError(f"is longer than {MOST_LENGTH} bytes, and no JWKS", path=path)
    return [(_name(name or called, path), kind, value)]


def read_list(path: str, kind: str) -> Iterator[Named]:
    """The secrets of a list of NAME=VALUE lines; raises as :func:`read_secrets`."""
    data, _ = _read(path, MOST_BYTES)
    lines = data.split(b"\n")
    if len(lines) > MOST_SECRETS:
        raise UsageError(f"has more than {MOST_SECRETS} lines", path=path)
    for number, line in enumerate(lines, 1):
        line = line.removesuffix(b"\r")
        if not line.strip() or line.startswith(b"#"):
            continue
        name, equals, value = line.partition(b"=")
        if not equals or not value:
            raise UsageError(f"line {number} is not NAME=VALUE", path=path)
        yield _name(name.decode("utf-8", "backslashreplace").strip(), f"{path}: line {number}"), kind, value


def _read(path: str, most: int) -> tuple[bytes, str]:
    try:
        if path == "-":
            data, name = sys.stdin.buffer.read(most + 1), "stdin"
        else:
            with Path(path).open("rb") as stream:
                data, name = stream.read(most + 1), Path(path).name
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read: {getattr(error, 'strerror', 'no path')}", path=path) from error
    if len(data) > most:
        raise UsageError(f"is longer than {most} bytes", path=path)
    return data, name


def _without_line_end(data: bytes) -> bytes:
    """Text without its line end; a key of bytes may end in any."""
    text = data.removesuffix(b"\n").removesuffix(b"\r")
    return text if all(0x20 <= byte < 0x7F for byte in text) else data


def _name(name: str, path: str) -> str:
    if not 0 < len(name) <= MOST_NAME or not name.isprintable():
        raise UsageError(f"the name of a secret is 1 to {MOST_NAME} printable characters", path=path)
    return name


def _jwks(data: bytes, path: str) -> list[dict[str, Any]] | None:
    """The symmetric keys of a JWK or JWKS; None if it is neither."""
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        plain = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if type(plain) is not dict:
        return None
    if "kty" in plain:
        return [plain] if plain["kty"] == "oct" else []
    keys = plain.get("keys")
    if type(keys) is not list:
        return None
    return [key for key in keys if type(key) is dict and key.get("kty") == "oct"]


def _of_jwk(key: dict[str, Any], number: int, kind: str, path: str) -> Named:
    text, kid, algorithm = key.get("k"), key.get("kid"), key.get("alg")
    if type(text) is not str:
        raise UsageError(f"key {number} of type oct has no k", path=path)
    try:
        value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise UsageError(f"key {number} of type oct: its k is not base64url", path=path) from None
    if type(algorithm) is str:
        kind = _BY_ALGORITHM.get(algorithm, "aes" if algorithm.startswith(_AES) else kind)
    name = kid if type(kid) is str else f"{Path(path).name} key {number}"
    return _name(name, path), kind if kind in KINDS else "secret", value
