"""Sketches of what a holder holds: right, complete, and no byte of a key in them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from immure.custody.keyholder import KeyHolder
from immure.custody.keyholder.client_sketches import export_sketches
from immure.custody.keyholder.errors import (
    HolderFaultError,
    HolderFileError,
    HolderRequestError,
    HolderRoleError,
)
from immure.custody.keyholder.protocol import Op
from immure.custody.keyholder.sketches import _strings
from immure.keymaterial.sketch import Sketch, whole_digest, window_digests
from immure.keymaterial.sketch_file import read_sketch
from immure.registry.state import KeyState
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets

from .making import CHEAP, PIN, rules


def turned(data: bytes) -> bytes:
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def number(value: int, size: int) -> dict[str, bytes]:
    data = value.to_bytes(size, "big").lstrip(b"\0")
    forms = {"be": data, "le": data[::-1]}
    return forms | ({"be32w": turned(data)} if len(data) % 4 == 0 else {})


def _forms(key: Any) -> dict[tuple[str, str], bytes]:
    """What is sketched of a key, by part and form, worked out from its own numbers."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers, size = key.private_numbers(), key.key_size // 16
        parts = {"p": number(numbers.p, size), "q": number(numbers.q, size)}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        parts = {"d": number(key.private_numbers().private_value, (key.key_size + 7) // 8)}
    else:
        parts = {"seed": {"raw": key.private_bytes_raw()}}
    return {(part, form): data for part, forms in parts.items() for form, data in forms.items()}


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    return {
        "rs": rsa.generate_private_key(65537, 2048),
        "es": ec.generate_private_key(ec.SECP256R1()),
        "e3": ec.generate_private_key(ec.SECP384R1()),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.fixture(scope="module")
def manager(keys: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyHolder]:
    """A holder of keys that the tests know, because they were imported."""
    folder = tmp_path_factory.mktemp("sketched")
    algorithms = {"rs": "PS256", "es": "ES256", "e3": "ES384", "ed": "EdDSA"}
    with KeyHolder.create(folder / "own" / "k", [PIN], **CHEAP) as holder:
        for kid, key in keys.items():
            file = folder / kid
            file.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
            holder.import_key(kid, rules(algorithms[kid]), file)
            file.unlink()
        yield holder


@pytest.fixture(scope="module")
def exported(manager: KeyHolder, tmp_path_factory: pytest.TempPathFactory) -> Sketch:
    path = tmp_path_factory.mktemp("exported") / "keys.sketch"
    assert export_sketches(manager, path) == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return read_sketch(path)


def test_every_digest_is_of_the_right_bytes(keys: dict[str, Any], exported: Sketch) -> None:
    kinds = {"rs": "rsa", "es": "ec", "e3": "ec", "ed": "okp"}
    for secret in exported.secrets:
        assert (secret.kind, secret.guessable) == (kinds[secret.name], False)
        expected = _forms(keys[secret.name])
        assert {(one.part, one.form) for one in secret.strings} == set(expected)
        for one in secret.strings:
            data = expected[one.part, one.form]
            assert one.whole == whole_digest(exported.salt, data)
            assert list(one.digests()) == window_digests(exported.salt, data)
    assert {secret.name for secret in exported.secrets} == set(keys)


def test_the_private_exponent_is_not_in_it(keys: dict[str, Any], exported: Sketch) -> None:
    """Its upper half follows from the public half, and from there a sketch would give the rest away."""
    numbers = keys["rs"].private_numbers()
    known = {digest for secret in exported.secrets for one in secret.strings for digest in one.digests()}
    for value in (numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp):
        for data in number(value, 256).values():
            assert not known & set(window_digests(exported.salt, data))


@pytest.mark.parametrize("kid", ["rs", "es", "e3", "ed"])
def test_a_scanner_finds_24_bytes(kid: str, keys: dict[str, Any], exported: Sketch, tmp_path: Path) -> None:
    for place, ((part, form), data) in enumerate(_forms(keys[kid]).items()):
        memory = bytearray(8192)
        memory[4097 + place : 4097 + place + 24] = data[4:28]
        # beside them stands something else than in the key
        memory[4096 + place], memory[4121 + place] = data[3] ^ 255, data[28] ^ 255
        (tmp_path / "image").write_bytes(memory)
        options = ScanOptions(threads=1, sketches=(exported,))
        report = scan_targets([str(tmp_path / "image")], options=options)
        (finding,) = report.findings
        assert finding.key.origin.kid == kid
        (found,) = finding.occurrences
        assert (found.secret, found.encoding, found.offset, found.length) == (part, form, 4097 + place, 24)


def test_each_export_has_a_salt_of_its_own(manager: KeyHolder, tmp_path: Path) -> None:
    export_sketches(manager, tmp_path / "1")
    export_sketches(manager, tmp_path / "2")
    one, two = read_sketch(tmp_path / "1"), read_sketch(tmp_path / "2")
    assert one.salt != two.salt
    assert one.secrets[0].strings[0].whole != two.secrets[0].strings[0].whole


def test_a_file_that_is_there_stays(manager: KeyHolder, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(HolderFileError, match="File exists"):
        export_sketches(manager, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(HolderFileError, match="No such file"):
        export_sketches(manager, tmp_path / "no" / "where")


def test_a_holder_that_signs_only_says_no(holder: KeyHolder, tmp_path: Path) -> None:
    with pytest.raises(HolderRoleError, match="sketches needs a holder that was started to manage keys"):
        export_sketches(holder, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_request_without_a_file_is_refused(manager: KeyHolder) -> None:
    with pytest.raises(HolderRequestError, match="sketches need a file"):
        manager._ask(Op.SKETCHES, b"")


def test_keys_of_every_state_but_destroyed_ones(path: Path, tmp_path: Path) -> None:
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        with pytest.raises(HolderRequestError, match="no key to sketch"):
            export_sketches(holder, tmp_path / "none")
        for kid in ("a", "b", "c"):
            holder.generate(kid, rules("ES256"))
        holder.set_state("b", KeyState.SUSPENDED, "test")
        holder.set_state("c", KeyState.COMPROMISED, "test")
        holder.set_state("c", KeyState.DESTROYED, "test")
        assert export_sketches(holder, tmp_path / "s") == 2
    assert [secret.name for secret in read_sketch(tmp_path / "s").secrets] == ["a", "b"]


@pytest.mark.parametrize(
    "data", [b"p", b"pb\x01\x00" + bytes(39), b"xb\x01\x00" + bytes(40), b"px\x01\x00" + bytes(40)]
)
def test_what_the_native_half_would_never_write(data: bytes) -> None:
    with pytest.raises(HolderFaultError, match="no sketch"):
        _strings(data)
