"""Findings out of reports: what ``immure detect`` and ``immure scan`` write as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from immure.response.errors import FormError
from immure.response.finding import Finding
from immure.toml_file import read_bounded

_DETECT: Final = "https://immure.example/schemas/detect-1.json"
_SCAN: Final = "https://immure.example/schemas/scan-report-1.json"
_KINDS: Final = {"token-forged": "forged-token", "signatures-without-rows": "hsm-counter"}


def read_finding(path: Path, *, most: int = 256 << 20, kid: str | None = None) -> Finding:
    """The worst finding of a report that names a key.

    Args:
        path: of the report.
        most: bytes of the longest.
        kid: only of this key.

    Raises:
        FormError: it cannot be read, is no such report, or has no such finding.
    """
    name, data = read_bounded(path, most, FormError)
    if len(data) > most:
        raise FormError(f"a report of more than {most:,} bytes", path=name)
    try:
        report = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormError("is no report: no JSON", path=name) from error
    for finding in parse_findings(report, name):
        if kid is None or finding.kid == kid:
            return finding
    words = "" if kid is None else f" of {kid[:80]!a}"
    raise FormError(f"has no finding{words} that names a key", path=name)


def parse_findings(report: object, source: str) -> Iterator[Finding]:
    """The findings of a report that name a key, in its order; raises FormError."""
    if not isinstance(report, Mapping) or report.get("schema") not in (_DETECT, _SCAN):
        raise FormError("is neither a report of immure detect nor of immure scan (JSON)", path=source)
    made = _detected(report, source) if report["schema"] == _DETECT else _scanned(report, source)
    try:
        yield from made
    except FormError as error:
        raise FormError(error.reason, path=source) from error


def _detected(report: Mapping[str, Any], source: str) -> Iterator[Finding]:
    for one in _objects(report.get("findings")):
        known = {**_texts(one.get("facts")), **_texts(one.get("keys"))}
        kid = known.get("kid", "")
        if kid:
            details = {"rule": _text(one.get("rule")), "finding": _text(one.get("id"))}
            kind = _KINDS.get(details["rule"], "forged-token")
            yield Finding(kid=_line(kid), kind=kind, issuer=_line(known.get("iss", "")),
                          summary=_line(_text(one.get("reason")) or _text(one.get("title"))), details=details,
                          source=_line(source))  # fmt: skip


def _scanned(report: Mapping[str, Any], source: str) -> Iterator[Finding]:
    for image in _objects(report.get("images")):
        for one in _objects(image.get("findings")):
            key = one.get("key")
            if not isinstance(key, Mapping):
                continue
            thumbprint = _text(key.get("thumbprint"))
            kid = _text(key.get("kid")) or thumbprint
            if kid:
                path = _text(image.get("path"))
                details = {"thumbprint": thumbprint, "image": path, "proof": _text(one.get("proof"))}
                yield Finding(kid=_line(kid), kind="key-in-dump", issuer=_line(_text(key.get("issuer"))),
                              summary=_line(f"the private key was found in {path}"), details=details,
                              source=_line(source))  # fmt: skip


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            yield one


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {name: text for name, text in value.items() if isinstance(name, str) and isinstance(text, str)}


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""


def _line(text: str) -> str:
    """Foreign text as a line that a finding can hold."""
    return (text if text.isprintable() else ascii(text))[:1000]
