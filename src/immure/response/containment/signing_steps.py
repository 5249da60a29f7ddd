"""What is done at the issuer: its key signs no more, is compromised, is out of the key set; another signs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from immure.errors import ImmureError, KeySourceError
from immure.files import write_whole
from immure.keymaterial.sources_http import is_loopback_url
from immure.registry.errors import TransitionError
from immure.registry.opening import open_store
from immure.registry.state import KeyState
from immure.response.containment.action import Action
from immure.response.containment.errors import ContainmentError
from immure.response.timeline import JsonValue
from immure.signing.errors import NoKeyError
from immure.signing.rotation import signing_key
from immure.tokens.errors import JsonError
from immure.tokens.sources.fetch import HttpsPages
from immure.tokens.strict import decode_object
from immure.toml_file import read_bounded

#: Seconds between two looks at what the signing service has made of it.
_LOOK: Final = 0.05
_FETCH: Final = 3.0
_MOST_FILE: Final = 16 << 20
_OVER: Final = (KeyState.COMPROMISED, KeyState.DESTROYED)


class StopSigning(Action):
    """The key is suspended: whoever signs reads the registry four times a second, and takes no such key."""

    name = "stop-signing"
    words = "the key signs no more"

    def targets(self) -> Sequence[str]:
        """The key."""
        return [self.scene.kid]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        state = self.scene.record().state
        return "suspend it" if state.signs else f"nothing: it is {state.value}, and does not sign"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        scene = self.scene
        with open_store(scene.settings.registry) as store:
            record = store.get(scene.thumbprint)
            if record.state.signs:
                try:
                    record = store.change_state(
                        scene.thumbprint,
                        KeyState.SUSPENDED,
                        reason=scene.reason,
                        by=scene.actor,
                        now=scene.time,
                    )
                except TransitionError:  # somebody else was quicker
                    record = store.get(scene.thumbprint)
            if record.state.signs:
                raise ContainmentError("the key signs again: somebody has made it active")
        return {"state": record.state.value, "since": scene.stopped(record)}


class Compromise(Action):
    """The key becomes compromised in the registry, which cannot be undone."""

    name = "compromise"
    words = "the key is compromised in the registry"

    def targets(self) -> Sequence[str]:
        """The key."""
        return [self.scene.kid]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        state = self.scene.record().state
        return f"nothing: it is {state.value}" if state in _OVER else f"from {state.value} to compromised"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        scene = self.scene
        with open_store(scene.settings.registry) as store:
            record = store.get(scene.thumbprint)
            if record.state not in _OVER:
                try:
                    record = store.change_state(
                        scene.thumbprint,
                        KeyState.COMPROMISED,
                        reason=scene.reason,
                        by=scene.actor,
                        now=scene.time,
                    )
                except TransitionError:
                    record = store.get(scene.thumbprint)
                    if record.state not in _OVER:
                        raise
        return {"state": record.state.value}


class KeySets(Action):
    """Key sets that are published do not have the key any more; files are rewritten, URLs are looked at."""

    name = "key-set"
    words = "the key is in no key set"

    def targets(self) -> Sequence[str]:
        """URLs and files."""
        settings = self.scene.settings
        own = self.scene.signing_name
        urls = settings.key_sets or ((f"{self.scene.issuer}/jwks",) if own is not None else ())
        return [*(str(path) for path in settings.key_set_files), *urls]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        if _is_url(target):
            return "wait until it is without the key"
        return "take the key out" if self._has(_read_file(target)) else "nothing: it is not in there"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        if not _is_url(target):
            return self._rewrite(target)
        words = "the key is still in the key set"
        if self.scene.signing_name is not None:
            words += ", or no other is in there"
        wait(lambda: self._is_over(self._fetch(target)), self.patience, words)
        return {"without": self.scene.now()}

    def _is_over(self, document: dict[str, Any]) -> bool:
        """Relying parties look again when they hear of it: our service's next key is to be there then."""
        rotates = self.scene.signing_name is not None
        return not self._has(document) and (bool(_keys(document)) or not rotates)

    def _has(self, document: dict[str, Any]) -> bool:
        return any(self._is(one) for one in _keys(document))

    def _is(self, one: Any) -> bool:
        """By its name, or by its numbers under another one."""
        if not isinstance(one, dict):
            return False
        return one.get("kid") == self.scene.kid or thumbprint_of(one) == self.scene.thumbprint

    def _fetch(self, url: str) -> dict[str, Any]:
        # patience is for the service to follow, not for one connection that hangs
        fetcher = HttpsPages(allow_private_hosts=True, allow_loopback=is_loopback_url(url), seconds=_FETCH)
        return _decoded(fetcher.fetch(url).data, url)

    def _rewrite(self, target: str) -> JsonValue:
        document = _read_file(target)
        if not self._has(document):
            return {"removed": 0}
        kept = [one for one in _keys(document) if not self._is(one)]
        removed = len(_keys(document)) - len(kept)
        try:
            write_whole(Path(target), json.dumps({**document, "keys": kept}, indent=1).encode() + b"\n")
        except OSError as error:
            raise ContainmentError(f"cannot be written: {error.strerror}", path=target) from error
        return {"removed": removed}


class Rotate(Action):
    """Emergency rotation: the signing service has another key sign within a second by itself; it is seen."""

    name = "rotate"
    words = "another key signs"

    def targets(self) -> Sequence[str]:
        """The issuer, if it is our service's."""
        return [self.scene.issuer] if self.scene.signing_name is not None else []

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        found = self._signs()
        return "wait until another key signs" if found is None else f"nothing: {found} signs"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        words = "no other key signs: does the signing service run?"
        wait(lambda: self._signs() is not None, self.patience, words)
        return {"kid": self._signs()}

    def _signs(self) -> str | None:
        with open_store(self.scene.settings.registry) as store:
            records = [one for one in store.records() if one.thumbprint != self.scene.thumbprint]
        try:
            return signing_key(records, self.scene.issuer).kid
        except NoKeyError:
            return None


def wait(is_so: Callable[[], bool], seconds: float, words: str) -> None:
    """Until it is so; what cannot be looked at may be soon.

    Raises:
        ContainmentError: it was not so for so long.
    """
    end, why = time.monotonic() + seconds, ""
    while True:
        try:
            if is_so():
                return
            why = ""
        except ImmureError as error:
            why = f" ({error})"
        if time.monotonic() >= end:
            raise ContainmentError(f"{words}{why}")
        time.sleep(_LOOK)


def thumbprint_of(jwk: dict[str, Any]) -> str | None:
    """RFC 7638; None for what is no key."""
    from immure.errors import KeyFormatError
    from immure.tokens.errors import TokenError
    from immure.tokens.jwk_scope import scoped_key

    try:
        return scoped_key(jwk, "key set").key.thumbprint
    except (KeyFormatError, TokenError):
        return None


def _is_url(target: str) -> bool:
    return target.startswith(("https://", "http://"))


def _keys(document: dict[str, Any]) -> list[Any]:
    keys = document.get("keys")
    return keys if isinstance(keys, list) else []


def _read_file(path: str) -> dict[str, Any]:
    name, data = read_bounded(path, _MOST_FILE, ContainmentError)
    if len(data) > _MOST_FILE:
        raise ContainmentError(f"is longer than {_MOST_FILE:,} bytes", path=name)
    return _decoded(data, name)


def _decoded(data: bytes, path: str) -> dict[str, Any]:
    try:
        document = decode_object(data)
    except JsonError as error:
        raise KeySourceError(error.reason, path=path) from None
    if not isinstance(document.get("keys"), list):
        raise KeySourceError("is not a JWK Set", path=path)
    return document
