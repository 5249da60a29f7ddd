"""Files and directories as sources of public keys; what a file is, is told by its content, not its name."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from immure.errors import InputError, KeyFormatError, KeySourceError, LimitError
from immure.keymaterial import asn1, openssh, pem
from immure.keymaterial.certificate import Certificate, parse_certificate, read_certificate
from immure.keymaterial.der import INTEGER, OCTETS, OID, SEQUENCE, Der
from immure.keymaterial.key import Origin
from immure.keymaterial.loaded import Collector, LoadedKeys
from immure.keymaterial.sources_jwks import collect_json, parse_json

#: Bytes of the largest file that is read, files of the largest directory.
MAX_FILE_BYTES = 16 << 20
MAX_FILES = 10_000
_PRIVATE_NOTE = "holds a PRIVATE key; only its public half is used"
_ENCRYPTED = "an encrypted private key: its public half cannot be read without the passphrase"


def load_path(path: str) -> LoadedKeys:
    """The keys of a file or directory; raises as :func:`~immure.keymaterial.sources.load_keys`."""
    if os.path.isdir(path):
        return _load_directory(path)
    return parse_keys(_read(path), path)


def parse_keys(data: bytes, source: str) -> LoadedKeys:
    """The keys in the bytes of a file; raises as :func:`~immure.keymaterial.sources.load_keys`."""
    into = Collector(source)
    collect(data, into)
    return into.result()


def collect(data: bytes, into: Collector) -> None:
    """Takes the keys in the bytes of a file of any known kind."""
    data = _as_utf8(data)
    text = data.lstrip()
    if text[:1] in (b"{", b"["):
        collect_json(parse_json(data, into.source), into)
    elif pem.BEGIN in data:
        _collect_pem(data, into)
    elif data[:1] == b"\x30":
        try:
            _collect_der(data, into)
        except KeyFormatError as error:
            into.problem(error.reason)
    else:
        _collect_lines(data, into)


def _as_utf8(data: bytes) -> bytes:
    """Text without its byte order mark; UTF-16 with one as UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(codecs.BOM_UTF8)


def _load_directory(path: str) -> LoadedKeys:
    into = Collector(path)
    links = 0
    for count, (file, is_link) in enumerate(_walk(path, into)):
        if count >= MAX_FILES:
            raise LimitError(f"more than {MAX_FILES} files", path=path)
        if is_link:
            links += 1
            continue
        try:
            loaded = parse_keys(_read(file), file)
        except InputError as error:
            into.notes.append(str(error))
        else:
            into.keys += loaded.keys
            into.notes += loaded.notes
    if links:
        into.note(f"{links} symbolic link{'s' if links > 1 else ''} not followed")
    return into.result()


def _walk(top: str, into: Collector) -> Iterator[tuple[str, bool]]:
    """Regular files under ``top``, and links (to be counted), by name; no recursion, so no depth to fear."""
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(directory) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            into.notes.append(f"{directory}: {error.strerror or 'cannot be read'}")
            continue
        below = []
        for entry in entries:
            if entry.is_symlink():
                yield entry.path, True
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path, False
        pending += reversed(below)


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise KeySourceError(getattr(error, "strerror", None) or "cannot be read", path=path) from error
    if len(data) > MAX_FILE_BYTES:
        raise LimitError(f"more than {MAX_FILE_BYTES >> 20} MiB, which no file of keys has", path=path)
    return data


def _collect_pem(data: bytes, into: Collector) -> None:
    at = data.find(pem.BEGIN)
    number = 0
    while at >= 0:
        number += 1
        try:
            block = pem.read_block(data, at)
            end = block.end
            _collect_block(block, f"PEM block {number}", into)
        except KeyFormatError as error:
            into.problem(error.reason, f"PEM block {number}")
            end = at + len(pem.BEGIN)
        at = data.find(pem.BEGIN, max(end, at + 1))


def _collect_block(block: pem.Block, where: str, into: Collector) -> None:
    origin = Origin(source=into.source)
    outer = Der(block.data)
    if block.encrypted:
        into.problem(_ENCRYPTED, where)
    elif block.label == pem.OPENSSH_LABEL:
        container = openssh.read_container(block.data)
        into.note(f"{where}: {_PRIVATE_NOTE}")
        for numbers in container.public:
            into.add(numbers, origin)
    elif block.label in pem.CERTIFICATE_LABELS:
        _add_certificate(read_certificate(outer), into)
    elif block.label in pem.PUBLIC_LABELS:
        into.add(asn1.read_public(outer), origin)
    elif block.label in pem.PRIVATE_LABELS:
        into.add(asn1.read_private(outer).public, origin)
        into.note(f"{where}: {_PRIVATE_NOTE}")
    elif block.label != "EC PARAMETERS":
        into.note(f"{where}: {block.label!r} is no key that can be searched for")


def _add_certificate(certificate: Certificate, into: Collector) -> None:
    valid = (certificate.not_before, certificate.not_after)
    into.add(certificate.numbers, Origin(source=into.source, not_before=valid[0], not_after=valid[1]))


def _collect_der(data: bytes, into: Collector) -> None:
    body = Der(data).enter(SEQUENCE)
    if body.next_tag == SEQUENCE:
        inner = body.enter(SEQUENCE)
        if inner.next_tag != OID:
            _add_certificate(parse_certificate(data), into)
            return
        if body.next_tag == OCTETS:
            raise KeyFormatError(_ENCRYPTED)
    outer = Der(data)
    is_private = body.next_tag == INTEGER and body.integer() < 2  # a version; a modulus is greater
    numbers = asn1.read_private(outer).public if is_private else asn1.read_public(outer)
    outer.finish()
    into.add(numbers, Origin(source=into.source))
    if is_private:
        into.note(_PRIVATE_NOTE)


def _collect_lines(data: bytes, into: Collector) -> None:
    for line in openssh.find_lines(data):
        try:
            numbers = openssh.parse_line(line)
        except KeyFormatError as error:
            into.problem(error.reason, f"line {line.number}")
        else:
            into.add(numbers, Origin(source=into.source, kid=line.comment or None))
