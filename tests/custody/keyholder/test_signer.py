"""``keyholder:`` and ``file+unsafe:`` as key URIs."""

from __future__ import annotations

import pytest

from custody import keys as files
from immure.custody import open_signer
from immure.custody.algorithms import is_signature
from immure.custody.keyholder import KeyHolder
from immure.custody.keyholder.asking import KeyInfo, signing_input
from immure.custody.keyholder.signer import parse_keyholder_uri
from immure.errors import SignerError

from .making import CHEAP, PIN, claims, rules

STATEMENT = b"DSSEv1 1 a 1 b"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("signer") / "own" / "keys.sealed"
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        for algorithm in ("PS256", "ES256", "ES384", "EdDSA"):
            holder.generate(algorithm, rules(algorithm, purposes=frozenset({"statement"})), bits=2048)
        holder.generate("two", rules(purposes=frozenset({"statement", "note"})))
        holder.generate("token", rules())
    return path


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "ES384", "EdDSA"])
def test_signatures_are_as_signer_has_them(store, algorithm):
    with open_signer(f"keyholder:{store}?key={algorithm}", pin=PIN) as signer:
        signature = signer.sign(STATEMENT)
        assert signer.algorithm == algorithm
        assert signer.warning is None
        assert signer.uri == f"keyholder:{store}?key={algorithm}"
        assert is_signature(signer.public.numbers, algorithm, STATEMENT, signature)
        with pytest.raises(SignerError, match="no statement"):
            signer.sign(b"eyJ.eyJ")
    with pytest.raises(SignerError, match="is closed"):
        signer.sign(STATEMENT)


def test_where_the_pin_comes_from(store, tmp_path, monkeypatch):
    uri = f"keyholder:{store}?key=ES256"
    asked = []
    open_signer(uri, ask=lambda question: asked.append(question) or PIN).close()
    assert asked == [f"PIN of {store}"]
    source = files.write_key(tmp_path / "pin", PIN.encode())
    open_signer(f"{uri}&pin-source=file:{source}").close()
    with pytest.raises(SignerError, match="there is no PIN; give pin-source"):
        open_signer(uri)
    monkeypatch.setenv("IMMURE_PIN", PIN)
    open_signer(uri).close()
    with pytest.raises(SignerError, match="wrong PIN, or the file was altered"):
        open_signer(uri, pin="wrong")


def test_a_key_of_two_purposes(store):
    uri = f"keyholder:{store}?key=two"
    with pytest.raises(SignerError, match="say purpose=note or purpose=statement"):
        open_signer(uri, pin=PIN)
    with open_signer(f"{uri}&purpose=note", pin=PIN) as signer:
        assert signer.sign(b"a\n\n")
        with pytest.raises(SignerError, match="no note"):
            signer.sign(STATEMENT)


def test_a_key_for_tokens_signs_nothing_else(store):
    signed = signing_input(KeyInfo("token", None, rules(), None, "", 0), None, claims())
    with open_signer(f"keyholder:{store}?key=token", pin=PIN) as signer:
        assert is_signature(signer.public.numbers, "ES256", signed, signer.sign(signed))
        with pytest.raises(SignerError, match="not base64url"):
            signer.sign(STATEMENT)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("keyholder:", "names no file"),
        ("keyholder:?key=a", "names no file"),
        ("keyholder:/a", "names no key"),
        ("keyholder:/a?key=", "options of a keyholder: URI"),
        ("keyholder:/a?kid=b", "options of a keyholder: URI"),
        ("keyholder:/a?key=a&key=b", "key is given 2 times"),
        ("keyholder:/a?key=a&pin-source=1&pin-source=2&pin-source=3", "pin-source is given 3 times"),
        ("keyholder:/a?key=a&pin-value=1234", "a PIN in a URI is seen by others"),
        ("keyholder://host/a?key=a", "names no other host"),
        ("keyholder:/none/there?key=a", "No such file"),
    ],
)
def test_uris_that_are_refused(uri, words):
    with pytest.raises(SignerError, match=words) as caught:
        open_signer(uri, pin="1234")
    assert "1234" not in str(caught.value)


def test_what_a_uri_says():
    parsed = parse_keyholder_uri("keyholder:/a%20b?key=k%2F1&purpose=note&pin-source=p&pin-source=q")
    assert parsed == ("/a b", "k/1", "note", ("p", "q"))


def test_unsafe_is_named_so_everywhere(tmp_path):
    path = files.write_key(tmp_path / "key", files.private_bytes("P-256"))
    with open_signer(f"file+unsafe:{path}") as signer:
        assert signer.uri == f"file+unsafe:{path}"
        assert "file+unsafe:" in repr(signer)
        assert signer.warning.startswith("UNSAFE")
        signature = signer.sign(b"m")
        assert is_signature(signer.public.numbers, "ES256", b"m", signature)
    with pytest.raises(SignerError, match="No such file"):
        open_signer(f"file+unsafe:{tmp_path}/none")
