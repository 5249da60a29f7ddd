"""PKCS#11 URIs (RFC 7512), as far as they name one private key.

>>> uri = parse_pkcs11_uri("pkcs11:token=release%20keys;object=clearance?module-name=softhsm2")
>>> uri.token, uri.object, uri.module_name
('release keys', 'clearance', 'softhsm2')

An attribute that is not understood is refused wherever it stands: without it another key might be meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

from immure.custody.signer import shown
from immure.errors import SignerError

_MAX_CHARS: Final = 4096
_PATH: Final = ("token", "serial", "manufacturer", "model", "slot-description", "object")
_QUERY: Final = ("module-name", "module-path", "pin-source", "alg")
#: Characters that a value is written with (RFC 7512, section 2.3); of a query also ``&``'s neighbours / ? |.
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9._~:\[\]@!$'()*+,=&/?|-]|%[0-9A-Fa-f]{2})*")
_MODULE_NAME: Final = re.compile(r"[A-Za-z0-9._+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """What a URI says of the key, of the token that it is on, and of the library that reaches it.

    Attributes:
        token, serial, manufacturer, model: as the token gives them (section 2.3).
        slot_id, slot_description: where it is plugged in.
        object, id: label (CKA_LABEL) and identifier (CKA_ID) of the key; at least one is given.
        module_path, module_name: the library: its path, or its name without directory and ending.
        pin_source: file with the PIN.
        algorithm: how to sign, if not by default (``alg``, ours).
    """

    token: str | None = None
    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    slot_description: str | None = None
    slot_id: int | None = None
    object: str | None = None
    id: bytes | None = None
    module_path: str | None = None
    module_name: str | None = None
    pin_source: str | None = None
    algorithm: str | None = None


def parse_pkcs11_uri(uri: str) -> Pkcs11Uri:
    """The parts of a PKCS#11 URI.

    Raises:
        SignerError: it is malformed, holds a PIN or an attribute that is not understood, names no object, or
            not exactly one library.
    """
    if len(uri) > _MAX_CHARS:
        _refuse(uri[:80], f"is longer than {_MAX_CHARS} characters")
    if "pin-value" in uri:  # wherever it stands, also behind a wrong separator
        _refuse(uri, "a PIN in a URI is seen by others; use pin-source")
    _, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    values = _attributes(path, ";", uri)
    options = _attributes(query, "&", uri)
    _check_names(values, options, uri)
    texts = {name.replace("-", "_"): _text(values.pop(name), name, uri) for name in _PATH if name in values}
    found = {name.replace("-", "_"): _text(options[name], name, uri) for name in _QUERY if name in options}
    slot_id, algorithm = _slot_id(values, uri), found.pop("alg", None)
    parsed = Pkcs11Uri(slot_id=slot_id, id=values.get("id"), algorithm=algorithm, **texts, **found)
    _check_whole(parsed, uri)
    return parsed


def _attributes(text: str, separator: str, uri: str) -> dict[str, bytes]:
    """Names and decoded values."""
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch("[a-z0-9-]{1,40}", name):
            _refuse(uri, "an attribute is not of the form name=value")
        if name in found:
            _refuse(uri, f"{name} is given twice")
        if not _VALUE.fullmatch(value):
            _refuse(uri, f"the value of {name} is not percent-encoded")
        found[name] = unquote_to_bytes(value)
    return found


def _check_names(values: dict[str, bytes], options: dict[str, bytes], uri: str) -> None:
    unknown = [*(values.keys() - {*_PATH, "id", "type", "slot-id"}), *(options.keys() - set(_QUERY))]
    if unknown:
        _refuse(uri, f"the attribute {min(unknown)} is not understood there")
    if values.pop("type", b"private") != b"private":
        _refuse(uri, "type is not private, and only private keys sign")


def _text(value: bytes, name: str, uri: str) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(uri, f"the value of {name} is not UTF-8")
    if "\0" in text:
        _refuse(uri, f"the value of {name} holds a zero byte")
    return text


def _slot_id(values: dict[str, bytes], uri: str) -> int | None:
    value = values.get("slot-id")
    if value is None:
        return None
    if not re.fullmatch(b"[0-9]{1,19}", value):
        _refuse(uri, "slot-id is not a number")
    return int(value)


def _check_whole(parsed: Pkcs11Uri, uri: str) -> None:
    if not parsed.object and not parsed.id:
        _refuse(uri, "names no key; add object=LABEL or id=ID")
    if (parsed.module_path is None) == (parsed.module_name is None):
        _refuse(uri, "name the library that reaches the token, by module-path=FILE or module-name=NAME")
    if parsed.module_path is not None and not parsed.module_path.startswith("/"):
        _refuse(uri, "module-path is not an absolute path")
    if parsed.module_name is not None and not _MODULE_NAME.fullmatch(parsed.module_name):
        _refuse(uri, "module-name is a name without a directory")


def _refuse(uri: str, reason: str) -> NoReturn:
    raise SignerError(reason, path=shown(uri))
