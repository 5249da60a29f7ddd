"""The door of the rooms that hold production data (:mod:`immure.access`), and who tries to come in.

    door = FrontDoor(room)
    door.prepare()                      # four people, with two security keys each
    door.engineer_enters()              # with a grant that two others have approved
    door.attacks(("room:debugging",))   # how each try with the engineer's corporate account ends

The security keys are software that stands in for hardware; the door, its policy and its log are Immure's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from immure import clock
from immure.clock import to_rfc3339
from immure.errors import ImmureError
from immure.replay.errors import ReplayError
from immure.replay.hardware_key import AAGUID, HardwareKey, Vendor

if TYPE_CHECKING:
    from immure.access import Ceremony, Done, Door

ENGINEER: Final = "prd-ada"
#: What the engineer is called in the corporate network: the account that is taken.
CORPORATE: Final = "ada@corp.example"
_OTHERS: Final = ("prd-bo", "prd-cy", "prd-di")
_ORIGIN: Final = "https://rooms.prod.example"
_POLICY: Final = """version = 1
namespace = "prd-"
corporate_domains = ["corp.example"]

[relying_party]
id = "rooms.prod.example"
name = "Rooms with production data"
origins = ["{origin}"]

[people]
levels = ["vetted"]

[[key]]
name = "Replay Key"
aaguid = "{aaguid}"
roots = ['''{root}''']

[[rule]]
resources = ["room:*"]
actions = ["enter"]
level = "vetted"
hours = 8
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A way that was tried to come in; ``refused`` is why it did not work, "" if it did."""

    words: str
    refused: str


def why_not() -> str | None:
    """Why there can be no door here; None if there can."""
    return "the extra immure[access] is not installed (fido2)" if find_spec("fido2") is None else None


class FrontDoor:
    """See the module; ``room`` is a directory of its own."""

    def __init__(self, room: Path) -> None:
        self._room = room
        self._vendor = Vendor()
        self._keys: dict[str, list[HardwareKey]] = {}
        #: Responses that crossed the network: the engineer's, and an approver's.
        self._asked: dict[str, Any] = {}
        self._approved: dict[str, Any] = {}

    def prepare(self) -> None:
        """Found the room: people are screened, and register their keys.

        Raises:
            ReplayError: it cannot be founded.
        """
        from immure.access import Door
        from immure.custody import open_signer
        from immure.custody.generate import generate
        from immure.custody.note_signer import NoteSigner

        policy = _POLICY.format(origin=_ORIGIN, aaguid=UUID(bytes=AAGUID), root=self._vendor.root.strip())
        try:
            generate(self._room / "log.key", "EdDSA")
            signer = NoteSigner("rooms.prod.example/door", open_signer(f"file:{self._room / 'log.key'}"))
            Door.create(self._room / "door", policy=policy, signer=signer).close()
            self._door = Door.open(self._room / "door", signer=signer)
            self._found(self._door)
        except ImmureError as error:
            raise ReplayError(f"the door cannot be founded: {error}") from error

    def close(self) -> None:
        """Close the door's database."""
        self._door.close()

    @property
    def entries(self) -> int:
        """In the log of the door."""
        return len(self._door.log)

    def engineer_enters(self, resource: str) -> str:
        """The engineer comes in by her own keys, and two others' approval: the door is no wall.

        Returns:
            Who approved it.

        Raises:
            ReplayError: it keeps her out.
        """
        door = self._door
        try:
            self._asked = self._touch(self._asks(ENGINEER, resource))
            asked = door.complete(self._asked).id
            for other in _OTHERS[:2]:
                ceremony = door.begin_approval(other, asked)
                self._approved = self._touch(ceremony)
                door.complete(self._approved)
            grant = door.live_grant(resource, "enter", account=ENGINEER)
            door.use(grant.id, "enter", {"to": resource})
        except ImmureError as error:
            raise ReplayError(f"the door keeps the engineer out, too: {error}") from error
        return " and ".join(_OTHERS[:2])

    def attacks(self, resources: Sequence[str]) -> list[Attempt]:
        """How each try ends of somebody who has taken the engineer's corporate account, and has seen what
        crossed the network.

        Raises:
            ReplayError: the door says neither yes nor no.
        """
        own = HardwareKey(self._vendor, _ORIGIN, counted=1 << 20)  # no count gives him away
        own.create({"user": {"id": "AA"}, "rp": {"id": "rooms.prod.example"}, "challenge": "AA"})
        found = []
        for one in resources:
            tries: tuple[tuple[str, Callable[[], object]], ...] = (
                (f"{CORPORATE} asks for {one}", partial(self._asks, CORPORATE, one)),
                (f"a key of his own answers for {ENGINEER}", partial(self._own_key, own, one)),
                ("an approval that he has seen is sent again", partial(self._replayed, one)),
            )
            found += [self._tried(words, act) for words, act in tries]
        return found

    def _own_key(self, own: HardwareKey, resource: str) -> None:
        ceremony = self._asks(ENGINEER, resource)
        stolen = self._asked["id"], self._asked["response"]["userHandle"]
        self._door.complete(own.get(ceremony.options, claims=stolen))

    def _replayed(self, resource: str) -> None:
        asked = self._door.complete(self._touch(self._asks(ENGINEER, resource))).id  # she asks again
        self._door.begin_approval(_OTHERS[1], asked)  # for which it would be the answer
        self._door.complete(self._approved)

    def _tried(self, words: str, act: Callable[[], object]) -> Attempt:
        """Only the door's own no counts: one that is broken keeps nobody out by what it is for."""
        from immure.access import DeniedError

        try:
            act()
        except DeniedError as error:
            return Attempt(words, str(error))
        except ImmureError as error:
            raise ReplayError(f"the door says neither yes nor no: {words}: {error}") from error
        return Attempt(words, "")

    # --- people ---

    def _found(self, door: Door) -> None:
        now = clock.now()
        screening = {
            "attester": "Example Screening Ltd",
            "level": "vetted",
            "screened": to_rfc3339((now - timedelta(days=30)).replace(microsecond=0)),
            "expires": to_rfc3339((now + timedelta(days=300)).replace(microsecond=0)),
            "reference": "case 1",
        }
        for account in (ENGINEER, *_OTHERS):
            door.name_founder(account, f"P-{account[4:]}", screening=screening)
            self._keys[account] = [HardwareKey(self._vendor, _ORIGIN) for _ in range(2)]
            for key in self._keys[account]:
                door.complete(key.create(door.begin_registration(account).options))
        for account in self._keys:
            self._sign(door.begin_founding(account))

    def _asks(self, account: str, resource: str) -> Ceremony:
        return self._door.request_grant(
            account,
            resource=resource,
            actions=["enter"],
            purpose="a crash of the consumer signer",
            ticket="INC-1",
            hours=2,
        )

    def _touch(self, ceremony: Ceremony) -> dict[str, Any]:
        account = str(ceremony.document["account"])
        return self._keys[account][0].get(ceremony.options)

    def _sign(self, ceremony: Ceremony) -> Done:
        return self._door.complete(self._touch(ceremony))
