"""``awskms:`` key URIs: a key of AWS KMS, and how it is reached.

>>> uri = parse_kms_uri("awskms:alias/release?region=eu-central-1&alg=RS256")
>>> uri.key, uri.region, uri.algorithm
('alias/release', 'eu-central-1', 'RS256')

Credentials are never part of it: they are found where the tools of AWS find them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

from immure.custody.pin import unquoted
from immure.custody.signer import shown
from immure.errors import KeySourceError, SignerError
from immure.keymaterial.sources_http import split_url

_MOST_CHARS: Final = 2048
_OPTIONS: Final = ("region", "profile", "endpoint", "alg")
#: Identifiers, aliases and ARNs of keys (KMS API reference, "KeyId"), of any partition.
_KEY: Final = re.compile(
    r"(?:arn:aws[a-z-]{0,20}:kms:[a-z0-9-]{1,30}:\d{12}:(?:key/|(?=alias/)))?"
    r"(?:alias/[A-Za-z0-9/_-]{1,250}|(?:mrk-)?[A-Fa-f0-9-]{32,36})"
)
_REGION: Final = re.compile(r"[a-z]{2,6}(?:-[a-z]{2,12}){1,3}-\d{1,2}")
_PROFILE: Final = re.compile(r"[\w@.+ -]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class KmsUri:
    """What an ``awskms:`` URI says.

    Attributes:
        key: identifier, alias or ARN of the key; of a service, the beginning of its keys' aliases.
        region, profile: as the tools of AWS take them; by default as those find them.
        endpoint: URL of another server than AWS's own.
        algorithm: how to sign, if not by default.
    """

    key: str
    region: str | None = None
    profile: str | None = None
    endpoint: str | None = None
    algorithm: str | None = None


def parse_kms_uri(uri: str) -> KmsUri:
    """The parts of ``awskms:KEY?region=NAME&profile=NAME&endpoint=URL&alg=NAME``.

    Raises:
        SignerError: it is malformed, or has an option that is unknown or given twice.
    """
    if len(uri) > _MOST_CHARS:
        raise SignerError(f"is longer than {_MOST_CHARS} characters", path="awskms:…")
    path, _, query = uri.partition(":")[2].partition("?")
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if name not in _OPTIONS or not equals or not value:
            _refuse(uri, "options of an awskms: URI are region=, profile=, endpoint= and alg=")
        if name in options:
            _refuse(uri, f"{name} is given twice")
        options[name] = unquoted(value)
    key = unquoted(path)
    if not _KEY.fullmatch(key):
        _refuse(uri, "names no key: give its identifier, its ARN, or alias/NAME")
    made = KmsUri(key, *(options.get(name) for name in _OPTIONS))
    if made.region is not None and not _REGION.fullmatch(made.region):
        _refuse(uri, "region is no name of a region")
    if made.profile is not None and not _PROFILE.fullmatch(made.profile):
        _refuse(uri, "profile is no name of a profile")
    if made.endpoint is not None:
        try:
            split_url(made.endpoint, allow_loopback=True)
        except KeySourceError as error:
            _refuse(uri, f"endpoint: {error.reason}")
    return made


def _refuse(uri: str, reason: str) -> NoReturn:
    raise SignerError(reason, path=shown(uri))
