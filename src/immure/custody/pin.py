"""Where a PIN or password comes from: never from the URI itself, which shows in lists of processes."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import unquote_to_bytes

from immure.custody.secret_file import read_secret_file, wipe
from immure.custody.signer import Ask
from immure.errors import SignerError
from immure.secret import Secret

VARIABLE: Final = "IMMURE_PIN"
_MAX_BYTES: Final = 1024


def find_pin(pin: str | None, source: str | None, ask: Ask | None, question: str) -> Secret[bytes] | None:
    """The PIN: ``pin``, else what the file ``source`` holds, else :data:`VARIABLE`, else what is answered.

    Args:
        source: a ``pin-source`` (RFC 7512, section 2.4): a path or ``file:`` URI.
        question: what is asked for, for people.

    Raises:
        SignerError: the file cannot be used.
    """
    if pin is not None:
        return Secret(_bytes(pin))
    if source is not None:
        return _read(source)
    given = os.environb.get(VARIABLE.encode())
    if given is not None:
        return Secret(given)
    answer = ask(question) if ask is not None else None
    return None if answer is None else Secret(_bytes(answer))


def _read(source: str) -> Secret[bytes]:
    """The first line of a file that nobody else can read, without its line break."""
    path = source_path(source)
    data = read_secret_file(path, most=_MAX_BYTES)
    line = bytes(data).splitlines()[0] if data else b""
    wipe(data)
    if not line:
        raise SignerError("there is no PIN in its first line", path=path)
    return Secret(line)


def _bytes(pin: str) -> bytes:
    return pin.encode("utf-8", "surrogateescape")  # what a terminal gives need not be UTF-8


def source_path(source: str) -> str:
    """The path of a ``pin-source``; commands (``|…``) are not run.

    Raises:
        SignerError: it names no file.
    """
    if source.startswith("|"):
        raise SignerError("a pin-source that is a command is not run; name a file")
    scheme, colon, rest = source.partition(":")
    if not colon or "/" in scheme:
        return source
    if scheme.lower() != "file":
        raise SignerError(f"a pin-source is a path or a file: URI, not {scheme}:")
    return file_path(rest)


def file_path(rest: str) -> str:
    """The path of a ``file:`` URI (RFC 8089), given what follows ``file:``: ``/a``, ``a``, ``///a``.

    Raises:
        SignerError: it names another host.
    """
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in ("", "localhost") or not slash:
            raise SignerError("a file: URI names no other host; file:PATH and file:///PATH are understood")
        rest = "/" + path
    return unquoted(rest)


def unquoted(text: str) -> str:
    """``text`` with its percent-encoding undone, as a name of a file.

    Raises:
        SignerError: it cannot be one.
    """
    try:
        return os.fsdecode(unquote_to_bytes(os.fsencode(text)))
    except UnicodeError:
        raise SignerError("holds characters that no name of a file has") from None
