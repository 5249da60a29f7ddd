"""Names of destinations, and which of them a policy allows.

>>> Pattern.parse("file:///srv/debug/*").fits("file:///srv/debug/team-a")
True
>>> Pattern.parse("s3://dumps/**").fits("s3://dumps-of-others/x")
False
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from immure.errors import UsageError

SCHEMES: Final = ("file", "s3", "sftp")
_MOST: Final = 2048
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", re.ASCII
)
_NAME = re.compile(r"[^/\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True)
class Place:
    """A directory, or bucket and prefix, where dumps may be put down: what a URL says, without credentials.

    Attributes:
        scheme: ``file``, ``s3`` or ``sftp``.
        host: host and port, or bucket; nothing for ``file``.
        path: from the root, unquoted, without a slash at its end.
    """

    scheme: str
    host: str
    path: str

    @property
    def url(self) -> str:
        """As policies, logs and receipts have it."""
        return f"{self.scheme}://{self.host}{quote(self.path, errors='surrogateescape')}"


def parse_place(url: str) -> Place:
    """The place that a URL names.

    Raises:
        UsageError: it is none that a dump can go to, or it holds more: credentials or a query.
    """
    shown = _without_credentials(url)
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError as error:
        raise UsageError("is not a destination", path=shown) from error
    if parts.scheme not in SCHEMES or len(url) > _MOST:
        raise UsageError(f"is not a destination: {', '.join(f'{s}://…' for s in SCHEMES)} are", path=shown)
    if "@" in parts.netloc:
        raise UsageError("user names and passwords do not belong in a destination", path=shown)
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise UsageError("a destination has neither a query nor a fragment", path=shown)
    if (parts.scheme == "file") != (parts.netloc == "") or (
        parts.netloc and not _HOST.fullmatch(parts.netloc)
    ):
        raise UsageError("has a host where none belongs, or none that is one", path=shown)
    return Place(parts.scheme, parts.netloc.lower(), _clean_path(parts.path, shown))


def _clean_path(path: str, shown: str) -> str:
    from urllib.parse import unquote

    try:
        plain = unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise UsageError("its path is not UTF-8", path=shown) from error
    segments = plain.strip("/").split("/") if plain.strip("/") else []
    if any(segment in ("", ".", "..") or not _NAME.fullmatch(segment) for segment in segments):
        raise UsageError("its path has empty parts, dots or control characters", path=shown)
    return "".join(f"/{segment}" for segment in segments)


def _without_credentials(url: str) -> str:
    """What may be shown of a URL that may be wrong in any way."""
    return re.split(r"[?#]", re.sub(r"//[^/]*@", "//…@", url[:200]), maxsplit=1)[0]


def check_name(name: str) -> str:
    """``name``, if a file can be put down under it.

    Raises:
        UsageError: it cannot: it is a path, is hidden, or holds control characters.
    """
    if not _NAME.fullmatch(name) or name.startswith(".") or len(name.encode("utf-8", "surrogatepass")) > 200:
        raise UsageError(f"{name[:80]!r} is not a name to release a dump under")
    if not name.isprintable():
        raise UsageError(f"{name[:80]!r} is not a name to release a dump under")
    return name


@dataclass(frozen=True, slots=True)
class Pattern:
    """Destinations that a policy allows. ``*`` stands for one part of the path, ``**`` at the end for any."""

    text: str
    place: Place

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern.

        Raises:
            UsageError: it is none. Wildcards in scheme, host or bucket are not allowed.
        """
        place = parse_place(text)
        segments = place.path.split("/")[1:]
        if any("*" in part and part not in ("*", "**") for part in segments) or "**" in segments[:-1]:
            raise UsageError("* stands for a whole part of the path, and ** only at its end", path=text)
        return cls(text, place)

    def fits(self, url: str) -> bool:
        """Whether a place is one of these."""
        place = parse_place(url)
        if (place.scheme, place.host) != (self.place.scheme, self.place.host):
            return False
        wanted, given = self.place.path.split("/")[1:], place.path.split("/")[1:]
        if wanted and wanted[-1] == "**":
            wanted, given = wanted[:-1], given[: len(wanted) - 1]
        if len(wanted) != len(given):
            return False
        return all(want in ("*", have) for want, have in zip(wanted, given, strict=True))
