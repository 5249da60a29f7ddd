"""``keyholder:`` keys as :class:`~immure.custody.signer.Signer`: one key of a key file, with a holder for it.

``keyholder:PATH?key=KID`` with ``&purpose=NAME`` if the key has several, and ``&pin-source=FILE``, twice if
the file is under two PINs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from immure.custody.keyholder.client import KeyHolder
from immure.custody.keyholder.errors import HolderKeyError, HolderPinError
from immure.custody.keyholder.pins import MOST_PINS, Pin
from immure.custody.pin import VARIABLE, file_path, source_path, unquoted
from immure.custody.signer import Ask, Signer
from immure.errors import SignerError
from immure.keymaterial import der

_WIDTHS: Final = {"ES256": 32, "ES384": 48}


class HolderUri(NamedTuple):
    """What a ``keyholder:`` key URI says."""

    path: str
    kid: str
    purpose: str | None
    pin_sources: tuple[str, ...]

    def __str__(self) -> str:
        return f"keyholder:{self.path}?key={self.kid}"


class HolderSigner(Signer):
    """Signs by a holder that this process started; the key is not in this process."""

    def __init__(self, uri: HolderUri, holder: KeyHolder) -> None:
        self._kid = uri.kid
        key = holder.find(uri.kid)
        super().__init__(str(uri), key.public, key.algorithm)
        purposes = key.rules.purposes
        if uri.purpose is None and len(purposes) != 1:
            words = " or ".join(f"purpose={name}" for name in sorted(purposes))
            raise HolderKeyError(f"the key has several purposes; say {words}", path=self.uri)
        self._purpose = uri.purpose or min(purposes)
        self._holder: KeyHolder | None = holder

    def _sign(self, message: bytes) -> bytes:
        if self._holder is None:
            raise SignerError("is closed", path=self.uri)
        signature = self._holder.sign(self._kid, self._purpose, message)
        width = _WIDTHS.get(self.algorithm)
        if width is None:
            return signature
        numbers = (int.from_bytes(part, "big") for part in (signature[:width], signature[width:]))
        return der.sequence(*map(der.integer, numbers))

    def close(self) -> None:
        """See :meth:`Signer.close`; the holder ends."""
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.close()


def open_keyholder(uri: str, pin: str | None = None, ask: Ask | None = None) -> HolderSigner:
    """The key of a key file; arguments and errors as :func:`~immure.custody.signer.open_signer`."""
    parsed = parse_keyholder_uri(uri)
    holder = KeyHolder.start(parsed.path, _pins(parsed, pin, ask))
    try:
        return HolderSigner(parsed, holder)
    except BaseException:
        holder.close()
        raise


def parse_keyholder_uri(uri: str) -> HolderUri:
    """The parts of a URI; raises SignerError for what is unknown, missing or given twice."""
    if "pin-value" in uri:
        raise SignerError("a PIN in a URI is seen by others; use pin-source", path="keyholder:…")
    _, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    options: dict[str, list[str]] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if name not in ("key", "purpose", "pin-source") or not equals or not value:
            raise SignerError(
                "options of a keyholder: URI are key=, purpose= and pin-source=", path="keyholder:…"
            )
        options.setdefault(name, []).append(unquoted(value))
    if not path:
        raise SignerError("names no file", path="keyholder:…")
    name = file_path(path)
    for option, most in (("key", 1), ("purpose", 1), ("pin-source", MOST_PINS)):
        if len(options.get(option, [])) > most:
            raise SignerError(f"{option} is given {len(options[option])} times", path=f"keyholder:{name}")
    if "key" not in options:
        raise SignerError("names no key; add ?key=KID", path=f"keyholder:{name}")
    purpose = next(iter(options.get("purpose", ())), None)
    return HolderUri(name, options["key"][0], purpose, tuple(options.get("pin-source", ())))


def _pins(uri: HolderUri, pin: str | None, ask: Ask | None) -> list[Pin]:
    """As :func:`~immure.custody.pin.find_pin` looks for it, but files are left for the holder to read."""
    if pin is not None:
        return [pin]
    if uri.pin_sources:
        return [Path(source_path(source)) for source in uri.pin_sources]
    given = os.environ.get(VARIABLE)
    if given is None and ask is not None:
        given = ask(f"PIN of {uri.path}")
    if given is None:
        raise HolderPinError("there is no PIN; give pin-source=FILE", path=uri.path)
    return [given]
