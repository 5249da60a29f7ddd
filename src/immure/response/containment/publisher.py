"""The deny-list at who answers for the issuer: add to it, sign it, keep it.

    publisher = Publisher(directory, name="https://login.example/deny-list", signer=signer)
    text, made = publisher.deny(DeniedKey(…), epochs={issuer: since})

Its numbers only go up, and are at least the seconds since 1970: should the directory be lost, what is signed
after that is still newer than what relying parties have. What is on the list already changes nothing, so that
a run which was broken off is followed by one that pushes the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from immure import clock
from immure.custody.signer import Signer
from immure.files import write_whole
from immure.registry.scope import KeyScope, ScopedKey
from immure.registry.state import KeyState
from immure.response.containment.errors import PublishError
from immure.response.errors import IncidentError
from immure.response.events.set_token import sign_compact
from immure.response.locking import exclusive
from immure.tokens.deny_list import MOST_EPOCHS, MOST_KEYS, TYPE, DeniedKey, DenyList
from immure.tokens.deny_list_store import DenyListStore
from immure.tokens.keyset import KeySet

FILE: Final = "deny-list.jwt"
_MODE: Final = 0o644
#: Makes a list of the one that there is, if any, and of a fresh one.
Change = Callable[[DenyList | None, DenyList], DenyList]


class Publisher:
    """See the module.

    Args:
        directory: where the list is kept; made if it is not there.
        name: of the list.
        signer: signs it.
        lifetime: seconds for which a list counts.
        time: where the time is from.

    Raises:
        PublishError: the directory cannot be made.
    """

    def __init__(
        self,
        directory: Path,
        *,
        name: str,
        signer: Signer,
        lifetime: int,
        time: clock.Clock = clock.now,
    ) -> None:
        self.name = name
        self._directory, self._signer, self._lifetime, self._time = directory, signer, lifetime, time
        self._store = DenyListStore(directory / FILE, name=name, keys=pinned(signer))
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PublishError(error.strerror or "cannot be made", path=str(directory)) from error

    def current(self) -> tuple[bytes, DenyList] | None:
        """The list as it was signed last; None if there never was one.

        Raises:
            DenyListError: the file is none of ours.
        """
        text = self._store.text()
        return None if text is None else (text.strip(), self._store.verify(text))

    def deny(
        self, keys: Iterable[DeniedKey] = (), epochs: Mapping[str, int] | None = None
    ) -> tuple[bytes, DenyList]:
        """A list that has these keys and times, besides all that it had; the one that there is, if it has
        them and has half of its time before it.

        Raises:
            PublishError: it would be too long, or cannot be written.
            DenyListError: what is in the directory is no list of ours.
            SignerError: the key cannot be used.
        """
        return self._change(lambda found, fresh: _with(found or fresh, tuple(keys), dict(epochs or {})))

    def begin(self) -> tuple[bytes, DenyList]:
        """A first list, with nothing on it, so that relying parties which need one have it.

        Raises:
            PublishError: there is a list already; or as :meth:`deny`.
        """

        def first(found: DenyList | None, fresh: DenyList) -> DenyList:
            if found is not None:
                raise PublishError(f"there is a list already, number {found.sequence}", path=self._path)
            return fresh

        return self._change(first)

    def renew(self) -> tuple[bytes, DenyList]:
        """The same list, signed anew, so that it counts for longer.

        Raises:
            PublishError: there is none: one that was lost must not be followed by an empty one, which would
                let in again what it kept out; or as :meth:`deny`.
        """

        def again(found: DenyList | None, _: DenyList) -> DenyList:
            if found is None:
                words = "there is no list to sign anew; one that was lost is still at relying parties"
                raise PublishError(words, path=self._path)
            return replace(found, sequence=-1)

        return self._change(again)

    @property
    def _path(self) -> str:
        return str(self._directory / FILE)

    def _change(self, change: Change) -> tuple[bytes, DenyList]:
        try:
            with exclusive(self._directory / "lock"):
                return self._changed(change)
        except (OSError, IncidentError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise PublishError(f"cannot be written: {words}", path=str(self._directory)) from error

    def _changed(self, change: Change) -> tuple[bytes, DenyList]:
        now = int(self._time().timestamp())
        found = self.current()
        old = DenyList(self.name, 0, now, now + self._lifetime) if found is None else found[1]
        made = change(None if found is None else found[1], old)
        if found is not None and made == old and old.expires - now > self._lifetime // 2:
            return found
        if len(made.keys) > MOST_KEYS or len(made.epochs) > MOST_EPOCHS:
            raise PublishError(f"the list would have more than {MOST_KEYS} keys, or {MOST_EPOCHS} issuers")
        sequence = max(old.sequence + 1, now)
        made = replace(made, sequence=sequence, issued=now, expires=now + self._lifetime)
        text = sign_compact(made.plain(), TYPE, self._signer, self._signer.thumbprint).encode("ascii")
        self._store.verify(text)  # what we could not read ourselves must not go out
        write_whole(self._directory / FILE, text + b"\n", mode=_MODE)
        return text, made


def copy_list(text: bytes, path: Path) -> None:
    """Put a list into a file, such as one that a web server gives out; raises PublishError."""
    try:
        if not path.exists() or path.read_bytes() != text + b"\n":
            write_whole(path, text + b"\n", mode=_MODE)
    except OSError as error:
        raise PublishError(f"cannot be written: {error.strerror}", path=str(path)) from error


def _with(old: DenyList, keys: tuple[DeniedKey, ...], epochs: Mapping[str, int]) -> DenyList:
    """A key that is there stays as it is; a time only goes up."""
    known = {(one.issuer, one.kid): one for one in old.keys}
    for one in keys:
        there = known.get((one.issuer, one.kid))
        if there is None or there.thumbprint != one.thumbprint:
            known[one.issuer, one.kid] = one
    later = dict(old.epochs)
    for issuer, since in epochs.items():
        later[issuer] = max(since, later.get(issuer, since))
    return replace(old, keys=tuple(known.values()), epochs=later)


def pinned(signer: Signer) -> KeySet:
    """The public half of a key, as relying parties pin it."""
    key = ScopedKey(signer.public, signer.thumbprint, KeyScope("urn:immure:deny-list"), KeyState.ACTIVE)
    return KeySet([key], signer.uri)
