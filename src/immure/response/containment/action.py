"""A step of a containment: what it is about, and how it is done so that doing it twice does no harm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from immure import clock
from immure.registry.opening import open_store
from immure.registry.record import KeyRecord
from immure.registry.state import KeyState
from immure.response.containment.errors import UnknownKeyOfIncidentError
from immure.response.containment.settings import Containment
from immure.response.finding import Finding
from immure.response.incident import Incident
from immure.response.timeline import JsonValue

_STOPPED: Final = (KeyState.SUSPENDED, KeyState.COMPROMISED, KeyState.DESTROYED)


@dataclass(frozen=True, slots=True)
class Scene:
    """What all steps know.

    Attributes:
        settings: see :class:`Containment`.
        incident: name of the incident.
        issuer, kid, thumbprint: of the key.
        actor: who contains it.
        work: directory of the incident for what can be made again.
        opened: when the incident was opened, seconds since 1970.
        log: the incident itself, to be read.
        time: where the time is from.
    """

    settings: Containment
    incident: str
    issuer: str
    kid: str
    thumbprint: str
    actor: str
    work: Path
    opened: int
    log: Incident = field(compare=False, repr=False)
    time: clock.Clock = field(default=clock.now, compare=False)

    @classmethod
    def of(
        cls, settings: Containment, incident: Incident, *, actor: str, time: clock.Clock = clock.now
    ) -> Scene:
        """The scene of an incident.

        Raises:
            UnknownKeyOfIncidentError: the registry has no such key.
            RegistryError: it cannot be read.
        """
        finding, opened = incident.opened, incident.entries()[0].at
        record = key_of(settings.registry, finding)
        issuer = finding.issuer or record.issuer or ""
        names = issuer, record.kid, record.thumbprint
        return cls(settings, incident.name, *names, actor, incident.work, opened, incident, time)

    @property
    def reason(self) -> str:
        """Why, for histories."""
        return f"incident {self.incident}"

    @property
    def signing_name(self) -> str | None:
        """What the signing service calls the issuer; None if it has no such."""
        if self.settings.signing is None:
            return None
        issuers = self.settings.signing.issuers
        return next((name for name, one in issuers.items() if one.url == self.issuer), None)

    def record(self) -> KeyRecord:
        """The key as the registry has it now; raises RegistryError."""
        with open_store(self.settings.registry) as store:
            return store.get(self.thumbprint)

    def stopped(self, record: KeyRecord | None = None) -> int | None:
        """Since when the key is stopped, seconds since 1970; None if it is not."""
        found: datetime | None = None
        for change in reversed((record or self.record()).history):
            if change.state not in _STOPPED:
                break
            found = change.at
        return None if found is None else int(found.timestamp())

    def since(self) -> int:
        """From when on nothing of the key counts: since it was stopped, or the incident was opened."""
        return self.stopped() or self.opened

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.time().timestamp())


def key_of(registry: str, finding: Finding) -> KeyRecord:
    """The record of the key that a finding names; raises as :meth:`Scene.of`."""
    from immure.registry.errors import UnknownKeyError

    with open_store(registry) as store:
        try:
            return store.find(finding.kid, finding.issuer or None)
        except UnknownKeyError as error:
            whose = f" of {finding.issuer[:200]!a}" if finding.issuer else ""
            raise UnknownKeyOfIncidentError(
                f"{error.reason}{whose}: nothing is done about a key that nobody knows", path=registry
            ) from None


class Action(ABC):
    """A step.

    Attributes:
        name: in the timeline.
        words: in a line, what it does.
        needs: names of steps before which it is not done for good, as it would have done too little.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        #: Seconds for which it may wait for others to follow.
        self.patience = scene.settings.patience

    @abstractmethod
    def targets(self) -> Sequence[str]:
        """For whom, or at whom, it is done; none means that there is nothing to do."""

    @abstractmethod
    def plan(self, target: str) -> str:
        """What would be done, in words, without doing it; raises ImmureError if that cannot be told."""

    @abstractmethod
    def act(self, target: str) -> JsonValue:
        """Do it; called again after a crash, or an error, it ends in the same state.

        Returns:
            What came of it, for the timeline.

        Raises:
            ImmureError: it was not done.
        """
