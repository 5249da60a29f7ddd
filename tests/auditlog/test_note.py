"""Signed notes and checkpoints: as others write them, and nothing that is nearly one."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.auditlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from immure.auditlog.keyfile import parse_key
from immure.auditlog.note import MAX_NOTE_BYTES, NoteKey, parse_note, parse_vkey, sign_note
from immure.auditlog.tree import EMPTY_ROOT
from immure.errors import LogError

from .helpers import KEY, ORIGIN, SIGNER, SoftwareSigner

#: Public facts: the key of the Go checksum database, and checkpoints that it has signed at different times.
GO_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO_NOTES = [
    (6476701, "mb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=",
     "Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw="),
    (65209736, "5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=",
     "Az3grnbssgK7ubgFX36gVETtNv0U23qxyAhAMai2QUfeGa3nB/akvkMdlUErfcZz7l/R3cVtYspg3dxXABkGZZKdsQ8="),
    (28891140, "++pUIeKTwGvykMUkmM3AT97PwQipMT6H/p7t86E0Sp0=",
     "Az3grqNvOILDz7xwAKugtVFZwd+I9IyB/mHrUYzcVaS9zKsRVdRLNGLFpnAcLhyoBBkdIYEzK/+7Eu4wanYttLrPsQo="),
]  # fmt: skip

TEXT = f"{ORIGIN}\n5\n{base64.b64encode(bytes(range(32))).decode()}\n"
NOTE = sign_note(TEXT, SIGNER)


@pytest.mark.parametrize(("size", "root", "signature"), GO_NOTES)
def test_checkpoints_of_another_log(size: int, root: str, signature: str) -> None:
    text = f"go.sum database tree\n{size}\n{root}\n"
    key = parse_vkey(GO_VKEY)
    assert key.to_vkey() == GO_VKEY
    note = parse_note(f"{text}\n— sum.golang.org {signature}\n".encode())
    assert note.text == text
    note.verify(key)
    wrong = parse_note(f"{text.replace('tree', 'twig')}\n— sum.golang.org {signature}\n".encode())
    with pytest.raises(
        LogError, match=re.escape("the signature by the key sum.golang.org+033de0ae is wrong")
    ):
        wrong.verify(key)


def test_a_note_of_ours() -> None:
    assert NOTE.decode().startswith(f"{TEXT}\n— {ORIGIN} ")
    note = parse_note(NOTE)
    assert note.text == TEXT
    note.verify(KEY)
    assert parse_vkey(KEY.to_vkey()) == KEY
    assert parse_checkpoint(NOTE) == Checkpoint(ORIGIN, 5, bytes(range(32)))
    assert parse_checkpoint(NOTE).note == NOTE


def test_texts_may_have_blank_lines() -> None:
    note = sign_note("one\n\n\ntwo\n", SIGNER)
    assert parse_note(note).text == "one\n\n\ntwo\n"
    parse_note(note).verify(KEY)


def test_other_signatures_do_not_matter() -> None:
    witness = SoftwareSigner(2, "witness.example/w1")
    own, other = NOTE.splitlines(keepends=True)[-1], sign_note(TEXT, witness).splitlines(keepends=True)[-1]
    head = TEXT.encode() + b"\n"
    for lines in ([own, other], [other, own], [other] * 15 + [own]):
        parse_note(head + b"".join(lines)).verify(KEY)
    with pytest.raises(LogError, match="not signed by the key"):
        parse_note(head + other).verify(KEY)
    # the right name with another key is another key
    impostor = sign_note(TEXT, SoftwareSigner(3))
    with pytest.raises(LogError, match="not signed by the key"):
        parse_note(impostor).verify(KEY)


def test_every_signature_of_the_key_must_hold() -> None:
    wrong = sign_note("other text\n", SIGNER).splitlines(keepends=True)[-1]
    with pytest.raises(LogError, match="is wrong"):
        parse_note(NOTE + wrong).verify(KEY)


@pytest.mark.parametrize("position", range(len(NOTE)))
def test_every_altered_byte_is_noticed(position: int) -> None:
    for change in (1, 0x20, 0x80):
        altered = bytearray(NOTE)
        altered[position] ^= change
        with pytest.raises(LogError):
            parse_checkpoint(bytes(altered)).verify(KEY)


SIGNATURE = NOTE.splitlines()[-1].decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a signed note"),
        (b"text\n", "not a signed note"),
        (b"text\n\n", "not a signed note"),
        (NOTE[:-1], "not a signed note"),
        (NOTE.replace(b"\n", b"\r\n"), "not a signed note"),
        (NOTE.replace(b"\n5\n", b"\n5\t\n"), "not a signed note"),
        (NOTE.replace(b"\n5\n", b"\n\xff\n"), "not UTF-8"),
        (NOTE + b"x\n", "no signature stands among"),
        (NOTE.replace("— ".encode(), b"- "), "no signature stands among"),
        (NOTE.replace("— ".encode(), "—  ".encode()), "no signature stands among"),
        (f"t\n\n{SIGNATURE} x\n".encode(), "no signature stands among"),
        (f"t\n\n{SIGNATURE[:-1]}\n".encode(), "no signature stands among"),
        ("t\n\n— name AAAAAA==\n".encode(), "no signature stands among"),
        ("t\n\n— na+me AAAAAAA=\n".encode(), "no signature stands among"),
        ("t\n\n— na\u00a0me AAAAAAA=\n".encode(), "no signature stands among"),
        ("t\n\n— name AAAAAAB=\n".encode(), "no signature stands among"),
        (b"t\n\n" + "— name AAAAAAA=\n".encode() * 65, "more than 64 signatures"),
        (b"x" * (MAX_NOTE_BYTES + 1), "more than 262144 bytes"),
    ],
)
def test_what_is_no_note(data: bytes, words: str) -> None:
    with pytest.raises(LogError, match=words):
        parse_note(data, path="checkpoint")


ROOT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{ORIGIN}\n5\n", "has three lines, this note has 2"),
        (f"{ORIGIN}\n5\n{ROOT}\nextension\n", "has three lines, this note has 4"),
        (f"\n5\n{ROOT}\n", "first line"),
        (f"a b\n5\n{ROOT}\n", "first line"),
        (f"a+b\n5\n{ROOT}\n", "first line"),
        (f"{'a' * 256}\n5\n{ROOT}\n", "first line"),
        (f"{ORIGIN}\n05\n{ROOT}\n", "second line"),
        (f"{ORIGIN}\n-5\n{ROOT}\n", "second line"),
        (f"{ORIGIN}\n٥\n{ROOT}\n", "second line"),
        (f"{ORIGIN}\n\n{ROOT}\n", "second line"),
        (f"{ORIGIN}\n{1 << 63}\n{ROOT}\n", "second line"),
        (f"{ORIGIN}\n5\n{ROOT[:-1]}\n", "third line"),
        (f"{ORIGIN}\n5\n{ROOT[:-2]}9=\n", "third line"),
        (f"{ORIGIN}\n5\nAAAA\n", "third line"),
    ],
)
def test_what_is_no_checkpoint(text: str, words: str) -> None:
    with pytest.raises(LogError, match=words) as caught:
        parse_checkpoint(sign_note(text, SIGNER), path="somewhere")
    assert caught.value.path == "somewhere"


def test_a_checkpoint_is_signed_by_the_key_of_its_own_log() -> None:
    state = sign_checkpoint(ORIGIN, 0, EMPTY_ROOT, SIGNER)
    assert state.verify(KEY) == state.verify(SIGNER.public_key) == KEY
    with pytest.raises(LogError, match="the log is 'logs"):
        sign_checkpoint("logs.example/other", 0, EMPTY_ROOT, SIGNER)
    with pytest.raises(LogError, match="and the key is that of 'sum"):
        state.verify(parse_vkey(GO_VKEY))
    with pytest.raises(LogError, match="not signed by"):
        state.verify(bytes(32))


def test_a_signer_that_signs_something_else_is_found_out() -> None:
    class Careless(SoftwareSigner):
        def sign(self, message: bytes) -> bytes:
            return super().sign(message + b"!")

    with pytest.raises(LogError, match="does not verify"):
        sign_note(TEXT, Careless())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a public key"),
        ("name", "not a public key"),
        (GO_VKEY.replace("033de0ae", "033de0af"), "another hash than it says"),
        (GO_VKEY.replace("sum", "som"), "another hash than it says"),
        (GO_VKEY.upper(), "not a public key"),
        (GO_VKEY + "\n", "not a public key"),
        (GO_VKEY[:-1], "not a public key"),
        (GO_VKEY.replace("+Ac4", "+Bc4"), "another kind than Ed25519"),
        ("name+00000000+AQ==", "has 32 bytes, not 0"),
        (f"na me+00000000+{base64.b64encode(bytes([1] * 33)).decode()}", "neither white space"),
    ],
)
def test_what_is_no_public_key(text: str, words: str) -> None:
    with pytest.raises(LogError, match=words):
        parse_vkey(text)


def test_a_key_that_is_no_point_of_the_curve_verifies_nothing() -> None:
    assert not NoteKey("name", b"\xff" * 32).verify(b"", bytes(64))
    assert not KEY.verify(b"", b"")


def test_files_with_keys() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    pem = Ed25519PublicKey.from_public_bytes(KEY.public_key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert parse_key(pem) == KEY.public_key
    assert parse_key(f"  {KEY.to_vkey()}\r\n".encode()) == KEY
    for data, words in [
        (b"-----BEGIN PUBLIC KEY-----\n", "no PEM public key"),
        (pem.replace(b"MCow", b"MCox"), "no PEM public key"),
        (b"\xff", "neither"),
        (b"x" * 70_000, "more than 65536"),
        (b"x", "name\\+hash\\+base64"),
    ]:
        with pytest.raises(LogError, match=words) as caught:
            parse_key(data, path="key")
        assert caught.value.path == "key"


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(alphabet="—\n +=aA0", max_size=60).map(str.encode)
    | st.tuples(st.integers(0, len(NOTE)), st.integers(0, len(NOTE)), st.binary(max_size=9)).map(
        lambda cut: NOTE[: cut[0]] + cut[2] + NOTE[cut[1] :]
    )
)
def test_anything_may_come(data: bytes) -> None:
    try:
        state = parse_checkpoint(data)
        state.verify(KEY)
    except LogError:
        return
    assert state == parse_checkpoint(NOTE)
    with_others = [line for line in data.split(b"\n") if line.startswith("— ".encode())]
    assert NOTE.split(b"\n")[-2] in with_others
