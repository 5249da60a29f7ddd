"""What WSGI servers pass on, and what they may get wrong."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

from immure.integrations.environ import der, from_environ, tls_certificate
from integrations.wsgi import Identity

ADAPTERS = {
    "flask": "flask",
    "django": "django",
    "drf": "rest_framework",
    "aiohttp": "aiohttp",
    "grpc": "grpc",
}


@pytest.mark.parametrize("name", ["address", "environ"])
def test_the_examples_of_the_docstrings(name):
    done = doctest.testmod(importlib.import_module(f"immure.integrations.{name}"))
    assert (done.failed, done.attempted > 0) == (0, True)


def test_a_certificate(tmp_path):
    client = Identity(tmp_path, "client")
    for pem in (client.pem, client.pem.decode(), client.pem.decode() + "\n"):
        assert tls_certificate({"SSL_CLIENT_CERT": pem}) == client.der


@pytest.mark.parametrize(
    "pem", [None, "", b"", 7, "(null)", "-----BEGIN CERTIFICATE-----\nä\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_is_none(pem):
    assert der(pem) is None


def test_headers_cannot_forge_it():
    assert tls_certificate({"HTTP_SSL_CLIENT_CERT": "x", "HTTP_X_SSL_CLIENT_CERT": "x"}) is None


def test_nothing_is_read_that_only_looks_like_the_header():
    near = {"HTTP_AUTHORIZATION_": "x", "AUTHORIZATION": "x", "HTTP_X_AUTHORIZATION": "x", "HTTP_DPOP_": "x"}
    made = from_environ({"REQUEST_METHOD": "GET", **near}, "https://mail.example/")
    assert (made.authorization, made.dpop) == ([], [])


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_loads_its_own_framework_and_no_other(adapter):
    others = {*ADAPTERS.values(), "starlette", "fastapi"} - {ADAPTERS[adapter]}
    if adapter == "drf":
        others -= {"django"}
    loaded = modules(f"immure.integrations.{adapter}")
    assert ADAPTERS[adapter] in loaded
    assert not loaded & others


def test_immure_itself_loads_none():
    assert not modules("immure, immure.integrations.bearer") & set(ADAPTERS.values())


def modules(imported):
    program = f"import sys, {imported}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())
