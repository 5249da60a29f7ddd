"""Sketches of the keys of a holder: made inside, of the numbers that nobody may have, and written out.

A sketch tells a scanner where a piece of a number stands that arithmetic cannot prove: 24 bytes of a scalar,
or of a prime. Why the primes, scalars and seeds, and not the private exponent: ``c/sketch.c``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from immure.custody.keyholder.cabinet import Cabinet
from immure.custody.keyholder.errors import HolderFaultError, HolderFileError, HolderRequestError
from immure.custody.keyholder.held_key import HeldKey
from immure.custody.keyholder.native import Native
from immure.custody.keyholder.protocol import to_json
from immure.keymaterial.sketch import (
    DIGEST_BYTES,
    SALT_BYTES,
    WHOLE_BYTES,
    Sketch,
    SketchedSecret,
    SketchString,
    to_bytes,
)

_PARTS: Final = {b"p": "p", b"q": "q", b"d": "d", b"s": "seed"}
_FORMS: Final = {b"b": "be", b"l": "le", b"w": "be32w", b"r": "raw"}
_KINDS: Final = {"RSA": "rsa", "EC": "ec", "OKP": "okp"}


def write_sketches(cabinet: Cabinet, native: Native, handles: Sequence[int]) -> bytes:
    """Write a sketch of every key that is held, in any state, to a descriptor; the salt is made here.

    Raises:
        HolderRequestError: there is not one descriptor, or no key.
        HolderFileError: it cannot be written.
    """
    if len(handles) != 1:
        raise HolderRequestError("sketches need a file to write to")
    salt = native.random(SALT_BYTES)
    held = [key for key in cabinet.keys.values() if key.slot >= 0]
    if not held:
        raise HolderRequestError("there is no key to sketch")
    secrets = tuple(_sketched(native, key, salt) for key in held)
    view = memoryview(to_bytes(Sketch(salt, frozenset(), secrets)))
    try:
        while view:
            view = view[os.write(handles[0], view) :]
        os.fsync(handles[0])
    except OSError as error:
        raise HolderFileError(f"the sketches cannot be written: {error.strerror}") from error
    return to_json({"keys": len(secrets)})


def _sketched(native: Native, key: HeldKey, salt: bytes) -> SketchedSecret:
    strings = tuple(_strings(native.sketch(key.slot, salt)))
    return SketchedSecret(key.kid, _KINDS[key.public.kty], False, strings)


def _strings(data: bytes) -> list[SketchString]:
    """What ``kh_sketch`` wrote."""
    found, at = [], 0
    while at < len(data):
        part, form = data[at : at + 1], data[at + 1 : at + 2]
        whole = at + 4
        start = whole + WHOLE_BYTES
        end = start + DIGEST_BYTES * int.from_bytes(data[at + 2 : whole], "little")
        if part not in _PARTS or form not in _FORMS or end > len(data):
            raise HolderFaultError("the native half wrote what is no sketch")
        found.append(SketchString(_PARTS[part], _FORMS[form], data[whole:start], data[start:end]))
        at = end
    return found
