"""The deny-list: the key is on it, it lies where it is fetched, and relying parties have it in force."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from immure.custody import open_signer
from immure.response.containment.action import Action, Scene
from immure.response.containment.errors import ContainmentError
from immure.response.containment.publisher import Publisher, copy_list
from immure.response.containment.settings import DenyListSettings, Party
from immure.response.events.http import Sender
from immure.response.timeline import JsonValue
from immure.tokens.deny_list import MEDIA_TYPE, DeniedKey, DenyList
from immure.tokens.errors import JsonError
from immure.tokens.strict import decode_object


@contextmanager
def publisher_of(settings: DenyListSettings) -> Iterator[Publisher]:
    """The publisher of a deny-list, with its key open."""
    with open_signer(settings.key) as signer:
        yield Publisher(
            settings.directory,
            name=settings.name,
            signer=signer,
            lifetime=settings.lifetime,
        )


class Deny(Action):
    """The deny-list has the key, and the time from which on tokens of the issuer count."""

    name = "deny-list"
    words = "the key is on the signed deny-list"

    def targets(self) -> Sequence[str]:
        """The list."""
        deny_list = self.scene.settings.deny_list
        return [] if deny_list is None else [deny_list.name]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        settings = self._settings
        epoch = (
            ", and let tokens of the issuer count only from when it stopped signing" if settings.epoch else ""
        )
        return f"put the key on the list{epoch}; sign it with {settings.key.partition(':')[0]}:"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        made = self.published()[1]
        return {"sequence": made.sequence, "expires": made.expires, "keys": len(made.keys)}

    @property
    def _settings(self) -> DenyListSettings:
        settings = self.scene.settings.deny_list
        if settings is None:
            raise ContainmentError("the settings have no deny-list")
        return settings

    def current(self) -> tuple[bytes, DenyList]:
        """The list as it was signed last, if it has the key and does not run out soon; else a new one. Steps
        after this one hand on what it has signed, and change nothing."""
        scene, settings = self.scene, self._settings
        with publisher_of(settings) as publisher:
            found = publisher.current()
        if found is None or not found[1].names(scene.issuer, scene.kid, scene.thumbprint):
            return self.published()
        return found if found[1].expires - scene.now() > settings.lifetime // 2 else self.published()

    def published(self) -> tuple[bytes, DenyList]:
        """The list with the key on it."""
        scene, settings = self.scene, self._settings
        since = scene.since()
        key = DeniedKey(scene.issuer, scene.kid, scene.thumbprint, since)
        with publisher_of(settings) as publisher:
            return publisher.deny([key], {scene.issuer: since} if settings.epoch else {})


class _WithList(Action):
    """A step that hands the list on: to many at once, and signed once."""

    needs = (Deny.name,)

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._lock = threading.Lock()
        self._made: tuple[bytes, DenyList] | None = None

    def _list(self) -> tuple[bytes, DenyList]:
        with self._lock:
            if self._made is None:
                self._made = Deny(self.scene).current()
            return self._made


class Publish(_WithList):
    """Files from which relying parties fetch the list have it."""

    name = "publish"
    words = "the deny-list is where relying parties fetch it"

    def targets(self) -> Sequence[str]:
        """Files."""
        deny_list = self.scene.settings.deny_list
        return [] if deny_list is None else [str(path) for path in deny_list.copies]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        return "write the list there"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        text, made = self._list()
        copy_list(text, Path(target))
        return {"sequence": made.sequence}


class Push(_WithList):
    """Each relying party that takes pushes has the list in force."""

    name = "push"
    words = "the deny-list is in force at the relying party"

    def targets(self) -> Sequence[str]:
        """Relying parties that take pushes."""
        if self.scene.settings.deny_list is None:
            return []
        return [name for name, one in self.scene.settings.parties.items() if one.push]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        return f"push it to {self.scene.settings.parties[target].push}"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        text, made = self._list()
        return {"sequence": push_list(self.scene.settings.parties[target], text, made.sequence)}


def push_list(party: Party, text: bytes, sequence: int) -> int:
    """Push a list; the number of the one that is in force there then.

    Raises:
        ContainmentError: it is an older one, or the answer is none.
        SendError: there is no answer.
    """
    sender = Sender.to(
        party.push, private_hosts=party.private_hosts, ca_file=party.ca_file, seconds=party.seconds
    )
    answer = sender.send(party.push, text, {"Content-Type": MEDIA_TYPE, "Accept": "application/json"})
    words = f"HTTP status {answer.status}"
    try:
        members = decode_object(answer.body[:4096])
    except JsonError:
        members = {}
    if answer.status == 200:
        held = members.get("sequence")
        if type(held) is int and held >= sequence:
            return held
        words = "says that another list is in force"
    detail = members.get("error_description")
    if isinstance(detail, str) and detail.isprintable():
        words = f"{words}: {detail[:200]}"
    raise ContainmentError(f"the relying party does not take the list ({words})")
