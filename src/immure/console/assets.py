"""The style sheet, the script and the icon: read once, named by their digests, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

_STATIC: Final = Path(__file__).parent / "static"
_KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PREFIX: Final = "/static/"


class Asset(NamedTuple):
    """A file, its media type, and the first digits of its SHA-256."""

    data: bytes
    kind: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """All of them, by name."""
    made = {}
    for path in sorted(_STATIC.iterdir()):
        if path.suffix in _KINDS:
            data = path.read_bytes()
            made[path.name] = Asset(data, _KINDS[path.suffix], hashlib.sha256(data).hexdigest()[:16])
    return made


def address_of(name: str) -> str:
    """Where a page finds one."""
    return f"{PREFIX}{name}?{assets()[name].digest}"


def serve(request: Request) -> Response:
    """The endpoint of ``/static/NAME``."""
    asset = assets().get(request.path_params["name"])
    if asset is None:
        return Response("there is no such file", 404, media_type="text/plain")
    fresh = request.url.query == asset.digest
    kept = "public, max-age=31536000, immutable" if fresh else "no-cache"
    return Response(asset.data, media_type=asset.kind, headers={"cache-control": kept})
