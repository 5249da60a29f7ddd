"""A request as WSGI has it (PEP 3333): a dictionary, in which each header is one text.

>>> from_environ({"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": "Bearer a,Bearer b"}, "/").authorization
['Bearer a,Bearer b']

A server joins headers of one name with commas. They are not taken apart here, as no token and no proof has a
comma in it: two ``Authorization`` headers are one that is malformed, which is what they are.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from immure.integrations.client_cert import parse_client_cert
from immure.integrations.credentials import Request


def from_environ(environ: Mapping[str, Any], url: str, certificate: bytes | None = None) -> Request:
    """What a guard needs to know.

    Args:
        environ: from a WSGI server, or ``META`` of Django.
        url: absolute.
        certificate: of the client, DER, if it has shown one.
    """
    authorization, dpop = _values(environ, "HTTP_AUTHORIZATION"), _values(environ, "HTTP_DPOP")
    return Request(str(environ["REQUEST_METHOD"]), url, authorization, dpop, certificate)


def tls_certificate(environ: Mapping[str, Any]) -> bytes | None:
    """The client's certificate, DER, by the variable of Apache's ``mod_ssl``, which other servers have too.

    No header can forge it: the names of headers begin with ``HTTP_`` here.
    """
    return der(environ.get("SSL_CLIENT_CERT"))


def proxied_certificate(environ: Mapping[str, Any]) -> bytes | None:
    """The client's certificate, DER, by the field ``Client-Cert`` of a proxy that ended the TLS connection.

    The proxy must remove the field from what clients send, and the server must drop names with underscores,
    as most do: ``Client_Cert`` is the same name here.
    """
    return parse_client_cert(_values(environ, "HTTP_CLIENT_CERT"))


def der(pem: Any) -> bytes | None:
    """A certificate that a server has in PEM. What is none is taken for none, and opens nothing."""
    text = pem.decode("latin-1") if isinstance(pem, bytes) else pem
    if not isinstance(text, str):
        return None
    try:
        return ssl.PEM_cert_to_DER_cert(text)
    except ValueError:
        return None


def _values(environ: Mapping[str, Any], name: str) -> list[str]:
    value = environ.get(name)
    return [] if value is None else [str(value)]
