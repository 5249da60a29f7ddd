"""The link to a Dask scheduler: its address, and how it is protected.

Whoever can talk to a Dask scheduler can run code on every worker, and whoever listens sees names of images
and where keys are. So the link is TLS with certificates on both sides (``tls://``); plain TCP goes to this
machine only, unless the user says otherwise.
"""

from __future__ import annotations

import ipaddress
import os
import re
from importlib import import_module
from typing import Any, Final

from immure.fleet.engines.options import EngineOptions
from immure.fleet.errors import EngineError

_NAME: Final = re.compile(r"dask://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})/?")


def scheduler_address(name: str, options: EngineOptions) -> str:
    """``tls://HOST:PORT`` or ``tcp://HOST:PORT``.

    Raises:
        EngineError: it is no address, or the link would not be protected.
    """
    parts = _NAME.fullmatch(name)
    if parts is None or not 0 < int(parts[2]) < 65536:
        raise EngineError("is no dask://HOST:PORT", path=name[:200])
    host, port = parts[1], parts[2]
    if _has_tls(name, options):
        return f"tls://{host}:{port}"
    if not options.allow_plain and not is_loopback(host):
        reason = "would be talked to without TLS: give --tls-ca, --tls-cert and --tls-key (or --allow-plain)"
        raise EngineError(reason, path=name)
    return f"tcp://{host}:{port}"


def security(name: str, options: EngineOptions) -> Any:
    """What distributed is to be told; None for plain TCP.

    Raises:
        EngineError: a file is missing.
    """
    if not _has_tls(name, options):
        return None
    for path in (options.tls_ca, options.tls_cert, options.tls_key):
        if path is None or not os.access(path, os.R_OK):
            raise EngineError("cannot be read", path=path)
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise EngineError("needs Dask: pip install 'immure[fleet]'", path=name) from error
    return distributed.Security(
        require_encryption=True,
        tls_ca_file=options.tls_ca,
        tls_client_cert=options.tls_cert,
        tls_client_key=options.tls_key,
    )


def _has_tls(name: str, options: EngineOptions) -> bool:
    given = [options.tls_ca, options.tls_cert, options.tls_key]
    if any(given) and not all(given):
        raise EngineError("--tls-ca, --tls-cert and --tls-key go together", path=name)
    return all(given)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
