"""Where public keys come from: files, directories, JWKS URLs, OpenID Connect issuers.

>>> load_keys("no/such/file")
Traceback (most recent call last):
...
immure.errors.KeySourceError: no/such/file: No such file or directory

What a source may hold: a JWK Set or a single JWK (RFC 7517); PEM or DER public keys and certificates, many
in one file; OpenSSH public keys and authorized_keys files; a directory of these. A private key is taken
for its public half, with a note.
"""

from __future__ import annotations

import re

from immure.errors import KeySourceError
from immure.keymaterial.loaded import Fetcher, LoadedKeys
from immure.keymaterial.sources_files import load_path

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")

__all__ = ["Fetcher", "LoadedKeys", "load_keys"]


def load_keys(source: str, *, fetch: Fetcher | None = None, allow_private_hosts: bool = False) -> LoadedKeys:
    """The public keys of a source: a path, or the URL of a key set or of an issuer.

    Members of a set that are malformed or of an unknown type are noted and left out (RFC 7517, section 5);
    directories are read recursively in order of names, and symbolic links in them are not followed.

    Args:
        source: a path; an ``https`` URL of any such file; or an issuer, whose discovery document says
            where its keys are
            (OpenID Connect Discovery 1.0). ``http`` is taken for loopback hosts only.
        fetch: gets a URL instead of the network.
        allow_private_hosts: also connect to addresses that are not public.

    Raises:
        KeySourceError: nothing can be read there, or there is no key in it.
        KeyFormatError: what is there should be a key and is not; the reason names the file.
        LimitError: a file, or a directory, is too large.
    """
    scheme = _SCHEME.match(source)
    if scheme is None:
        return load_path(source)
    if scheme[1].lower() not in ("https", "http"):
        raise KeySourceError(
            f"scheme {scheme[1]!r} is not supported; give a path or an https URL", path=source
        )
    from immure.keymaterial.sources_urls import load_url  # TLS takes a while to load

    return load_url(source, fetch=fetch, allow_private_hosts=allow_private_hosts)
