"""Keys on a real PKCS#11 token (SoftHSM2)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading

import pytest

from custody.softhsm import KEYS, PIN, TOKEN
from immure.custody import open_signer
from immure.custody.pkcs11_module import DIRECTORIES, find_module
from immure.custody.pkcs11_public import ec_numbers
from immure.custody.pkcs11_uri import Pkcs11Uri
from immure.errors import KeyFormatError, SignerError

from . import keys


@pytest.mark.parametrize("label", KEYS)
def test_signatures_hold(token, label):
    algorithm, identity = KEYS[label]
    with open_signer(token.uri(label), pin=PIN) as signer:
        assert signer.algorithm == algorithm
        assert signer.warning is None
        assert PIN not in repr(signer)
        for message in (b"", b"m", bytes(3_000_000)):
            signature = signer.sign(message)
            assert keys.holds(signer.public.to_jwk(), algorithm, message, signature)
            assert not keys.holds(signer.public.to_jwk(), algorithm, message + b"!", signature)
        by_id = "".join(f"%{byte:02x}" for byte in identity)
        uri = f"pkcs11:id={by_id};token={quoted(TOKEN)}?module-path={token.library}"
        with open_signer(uri, pin=PIN) as same:
            assert same.public == signer.public
    with pytest.raises(SignerError, match="is closed"):
        signer.sign(b"m")


def test_rs256(token):
    with open_signer(token.uri("rsa", "&alg=RS256"), pin=PIN) as signer:
        assert keys.holds(signer.public.to_jwk(), "RS256", b"m", signer.sign(b"m"))


def test_the_public_half_may_be_in_a_certificate(token):
    with open_signer(token.uri("certified"), pin=PIN) as signer:
        assert keys.holds(signer.public.to_jwk(), "ES256", b"m", signer.sign(b"m"))


def test_a_key_that_wants_the_pin_each_time(token):
    with open_signer(token.uri("pin-each-time"), pin=PIN) as signer:
        for message in (b"a", b"b"):
            assert keys.holds(signer.public.to_jwk(), "ES256", message, signer.sign(message))
        assert PIN not in repr(vars(signer))
        signer._pin = None
        with pytest.raises(SignerError, match="the token wants a PIN first"):
            signer.sign(b"c")


def test_the_pin_comes_from_a_file_the_environment_or_a_person(token, directory, monkeypatch):
    source = keys.write_key(directory / "pin", f"{PIN}\n".encode())
    open_signer(token.uri("ed", f"&pin-source=file:{source}")).close()
    asked = []
    open_signer(token.uri("ed"), ask=lambda question: asked.append(question) or PIN).close()
    assert asked == [f"PIN of the token '{TOKEN}'"]
    monkeypatch.setenv("IMMURE_PIN", PIN)
    open_signer(token.uri("ed")).close()


@pytest.mark.parametrize(
    ("label", "arguments", "words"),
    [
        ("ed", {"pin": "wrong-4711"}, "wrong PIN"),
        ("ed", {"pin": "4"}, "wrong PIN"),
        ("ed", {"pin": "4711" * 300}, "wrong PIN"),
        ("ed", {}, "the token wants a PIN, and there is none"),
        ("ed", {"ask": lambda question: None}, "the token wants a PIN, and there is none"),
        ("none", {"pin": PIN}, "there is no such private key on the token"),
        ("twice", {"pin": PIN}, "2 private keys are meant"),
        ("small", {"pin": PIN}, "RSA-1024 keys do not sign here"),
        ("p521", {"pin": PIN}, "P-521 keys do not sign here"),
        ("no-public", {"pin": PIN}, "the token has no public key and no certificate"),
        ("no-sign", {"pin": PIN}, "the token does not let this key sign"),
    ],
)
def test_what_cannot_be_opened(token, label, arguments, words):
    with pytest.raises(SignerError, match=words) as caught:
        open_signer(token.uri(label), **arguments)
    assert PIN not in str(caught.value)
    assert "4711" not in str(caught.value)
    assert "4711" not in repr(caught.value.__cause__)
    assert token.library not in str(caught.value)  # the query, where a PIN might be, is not shown


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("token=another", "there is no such token"),
        ("token=", "there is no such token"),
        ("serial=0", "there is no such token"),
        ("model=Nitrokey", "there is no such token"),
        ("slot-id=99", "there is no such token"),
        ("slot-description=nowhere", "there is no such token"),
        (
            "manufacturer=SoftHSM%20project",
            r"\d+ tokens are meant|wants a PIN",
        ),  # one more that is not initialised
    ],
)
def test_tokens_that_are_not_there(token, path, words):
    with pytest.raises(SignerError, match=words):
        open_signer(f"pkcs11:{path};object=ed?module-path={token.library}")


def test_halves_that_do_not_belong_together_sign_nothing(token):
    with (
        open_signer(token.uri("swapped"), pin=PIN) as signer,
        pytest.raises(SignerError, match="what it signed does not hold against its public half"),
    ):
        signer.sign(b"m")


@pytest.mark.parametrize(
    ("library", "words"),
    [
        ("/nonexistent/lib.so", "/nonexistent/lib.so: there is no such PKCS#11 library"),
        ("/etc", "/etc: there is no such PKCS#11 library"),
        ("/etc/passwd", "cannot be loaded as a PKCS#11 library: invalid ELF header"),
        ("{cryptography}", "cannot be loaded as a PKCS#11 library: undefined symbol"),
    ],
)
def test_libraries_that_are_none(token, library, words):
    from cryptography.hazmat.bindings import _rust

    library = library.format(cryptography=_rust.__file__)
    with pytest.raises(SignerError, match=words):
        open_signer(f"pkcs11:object=ed?module-path={library}", pin=PIN)


def test_a_library_by_name(token, directory, monkeypatch):
    monkeypatch.setattr("immure.custody.pkcs11_module.DIRECTORIES", (*DIRECTORIES, str(directory)))
    assert find_module(Pkcs11Uri(module_name="softhsm2")).endswith("/libsofthsm2.so")
    shutil.copy(token.library, directory / "mine.so")
    assert find_module(Pkcs11Uri(module_name="mine")) == str(directory / "mine.so")
    with pytest.raises(SignerError, match="there is no PKCS#11 library yours"):
        find_module(Pkcs11Uri(module_name="yours"))


VANISHING = """
import os, sys
from immure.custody import open_signer
from immure.errors import SignerError

uri, pin, directory = sys.argv[1:]
with open_signer(uri, pin=pin) as signer:
    signer.sign(b"m")
    os.rename(directory, directory + "-away")
    for step in (lambda: signer.sign(b"m"), lambda: open_signer(uri, pin=pin)):
        try:
            step()
        except SignerError as error:
            print(error.reason)
"""


def test_a_token_that_vanishes_while_it_is_used(token, directory):
    shutil.copytree(token.directory, directory / "tokens")
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\nlog.level = ERROR\n")
    run = subprocess.run(
        [sys.executable, "-c", VANISHING, token.uri("p256"), PIN, directory / "tokens"],
        env=os.environ | {"SOFTHSM2_CONF": str(configuration)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines() == [
        "the key is gone from the token",
        "the token's library reports a fault",
    ]


def test_many_threads_use_one_key(token):
    wrong = []
    with open_signer(token.uri("ed"), pin=PIN) as signer:
        jwk = signer.public.to_jwk()

        def work(number: int) -> None:
            for count in range(10):
                message = b"%d %d" % (number, count)
                if not keys.holds(jwk, "EdDSA", message, signer.sign(message)):
                    wrong.append(message)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


WITHOUT = """
import sys
sys.modules["pkcs11"] = None
from immure.custody import open_signer
open_signer("file:" + sys.argv[1]).close()
open_signer("pkcs11:object=a?module-path=/etc/passwd")
"""


def test_without_the_python_package(directory):
    path = keys.write_key(directory / "key", keys.private_bytes("Ed25519"))
    run = subprocess.run([sys.executable, "-c", WITHOUT, path], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert (
        "SignerError: pkcs11: keys need the Python package python-pkcs11, which is not installed"
        in run.stderr
    )


WITH_FILE = """
import sys
from immure.custody import open_signer
open_signer("file:" + sys.argv[1]).close()
print("pkcs11" in sys.modules)
"""


def test_nothing_of_pkcs11_is_loaded_for_a_file(directory):
    path = keys.write_key(directory / "key", keys.private_bytes("Ed25519"))
    run = subprocess.run([sys.executable, "-c", WITH_FILE, path], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


ED = bytes.fromhex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")


@pytest.mark.parametrize(
    ("parameters", "point", "result"),
    [
        ("06032b6570", ED, ED),
        ("06032b6570", b"\x04\x20" + ED, ED),
        ("130c656477617264733235353139", b"\x04\x20" + ED, ED),
        ("06032b6570", b"\x04\x20" + ED + b"\0", "DER"),
        ("06032b6570", b"\x04\x1f" + ED, "DER"),
        ("06032b6570", b"\x04\x1f" + ED[1:], "Ed25519 must have 32 bytes"),
        ("06032b6571", ED, "unknown elliptic curve"),
        ("1303666f6f", ED, "unknown elliptic curve"),
        ("06", ED, "DER value is cut off"),
        ("06082a8648ce3d030107", b"\x04\x41\x04" + bytes(64), "point is not on P-256"),
        ("06082a8648ce3d030107", b"\x04" + bytes(64), "point is not on P-256"),
        ("06082a8648ce3d030107", b"", "DER value is cut off"),
    ],
)
def test_points_in_both_writings(parameters, point, result):
    if isinstance(result, bytes):
        assert ec_numbers(bytes.fromhex(parameters), point).x == result
    else:
        with pytest.raises(KeyFormatError, match=result):
            ec_numbers(bytes.fromhex(parameters), point)


def quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
