"""What worlds share: the enterprises' issuer, and one crash for each way of keeping the consumers' key.

    with Stage(scenario, Options()) as stage:
        scene = stage.scene(custody=False, rotation=False)      # a signer that has crashed, and its dump

A world changes nothing here that another one could see. Whatever takes long is done once: a crash for each
set-up, and each file is searched and redacted once, by the digest of its bytes.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from immure.errors import UsageError
from immure.keymaterial.key import PublicKey
from immure.redact.options import RedactOptions
from immure.redact.redactor import redact_file
from immure.replay.crash import BY_KERNEL
from immure.replay.crashing import COME_BACK, answers, crashed, publics_of, until
from immure.replay.identity import Directory
from immure.replay.issuers import CONSUMER, ENTERPRISE, Custody, Issuer
from immure.replay.load import Load
from immure.replay.networks import Network
from immure.replay.options import Options, custody_kind, lacking_controls, mail_kind, networks_kind
from immure.replay.program import free_ports
from immure.replay.publishing import Publisher
from immure.replay.scenario import Scenario
from immure.replay.searching import digest, search
from immure.replay.soft_token import PLACE as TOKEN_PLACE
from immure.scanning.finding import ScanReport

#: Seconds in which a key whose month is two seconds long must be gone.
_RETIRED: Final = 120.0
#: What the services keep keys in, by custody.
PLACES: Final = ("custody", "holder", TOKEN_PLACE)
#: Tokens that the signer gives out before it crashes.
TOKENS: Final = 40


@dataclass(frozen=True)
class Scene:
    """A signing system whose key is lost, or not.

    Attributes:
        issuer: of the key.
        victim: whose tokens open the mail; another issuer, or the same.
        publisher: of the common endpoint, where its keys are.
        publics: its public keys at the time of the crash, and ``jwks`` the document that has them.
        dump: what the crash left; None if none was wanted.
        loot: what the service has its keys in, as it was then; None if nobody takes that.
        how: how the dump was taken.
        tokens: given out before.
    """

    issuer: Issuer
    victim: Issuer
    publisher: Publisher
    publics: tuple[PublicKey, ...]
    jwks: Path
    dump: Path | None
    loot: Path | None
    how: str
    tokens: int

    @property
    def lost_kid(self) -> str:
        """The name of the key that the attacker wants."""
        return self.issuer.first_kid


@dataclass
class Stage:
    """See the module. Use it as a context.

    Attributes:
        top: the directory of all rooms.
        mail: ``dovecot`` or ``http``.
        debugging: the network of that room; None if it is the machine's.
        custody: what keeps the key where that control is on: ``pkcs11`` or ``keyholder``.
        lacking: controls that cannot be on here.
        stands_in: what stands in for real parts here, in words; empty if nothing does.
    """

    scenario: Scenario
    options: Options = field(default_factory=Options)

    def __enter__(self) -> Stage:
        self._ended = ExitStack()
        try:
            self._open()
        except BaseException:
            self._ended.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.close()

    def _open(self) -> None:
        if find_spec("uvicorn") is None:
            raise UsageError("the extra immure[serve] is not installed (uvicorn)")
        self.mail, mail_words = mail_kind(self.options)
        self.custody, custody_words = custody_kind(self.options, self.scenario)
        self._parted, network_words = networks_kind(self.options)
        self.lacking, lacking_words = lacking_controls(self.options, self.scenario)
        self.stands_in = mail_words + custody_words + network_words + lacking_words
        self.top = Path(tempfile.mkdtemp(prefix="immure-replay-", dir=self.options.directory))
        self.top.chmod(0o711)  # Dovecot's processes have users of their own
        if not self.options.keep:
            self._ended.callback(shutil.rmtree, self.top, ignore_errors=True)
        self._rooms = 0
        self._scenes: dict[tuple[bool, bool], Scene] = {}
        self._searched: dict[str, ScanReport] = {}
        self._redacted: dict[str, tuple[Path, dict[str, Any]]] = {}
        self.directory = Directory(self.top / "directory", self.scenario.organizations)
        self.debugging = self._network()
        self._victim: Issuer | None = None
        if self.scenario.lost == CONSUMER:
            self._victim = self._issuer(ENTERPRISE)
            self._ended.enter_context(Load(self._victim, pause=0.2))

    def room(self, name: str) -> Path:
        """A new directory of its own."""
        self._rooms += 1
        made = self.top / f"{name}-{self._rooms}"
        made.mkdir()
        return made

    def scene(self, *, custody: bool, rotation: bool) -> Scene:
        """The signing system with these controls, crashed if the scenario has it crash.

        Raises:
            ReplayError: it cannot be set up, or leaves no dump.
        """
        if (custody, rotation) not in self._scenes:
            self._scenes[custody, rotation] = self._made(custody=custody, rotation=rotation)
        return self._scenes[custody, rotation]

    def spend(self, scene: Scene) -> None:
        """What a world has changed for good: the next one gets another."""
        self._scenes = {name: one for name, one in self._scenes.items() if one is not scene}

    def searched(self, dump: Path, publics: tuple[PublicKey, ...]) -> ScanReport:
        """What is in a file; each is searched once, by the digest of its bytes."""
        name = digest(dump)
        if name not in self._searched:
            self._searched[name] = search(dump, publics)
        return self._searched[name]

    def searched_room(self, room: Path, publics: tuple[PublicKey, ...]) -> ScanReport:
        """What is in all files of a directory; one file is searched once, whatever it is called."""
        files = [one for one in room.rglob("*") if one.is_file()]
        return self.searched(files[0], publics) if len(files) == 1 else search(room, publics)

    def redacted(self, dump: Path, publics: tuple[PublicKey, ...]) -> tuple[Path, dict[str, Any]]:
        """A redacted copy of a dump, proved, and the record of that; made once.

        Raises:
            RedactionError: it cannot be redacted, or not be proved.
        """
        name = digest(dump)
        if name not in self._redacted:
            copy = self.room("redacted") / "redacted.core"
            record = redact_file(str(dump), str(copy), keys=publics, options=RedactOptions(debugger=False))
            self._redacted[name] = (copy, record.to_json())
        return self._redacted[name]

    # --- how it is done ---

    def _network(self) -> Network | None:
        """Of a room; None if rooms are not parted."""
        if not self._parted:
            return None
        made = Network.make()
        self._ended.callback(made.close)
        return made

    def _issuer(
        self, kind: str, *, custody: Custody = "keyholder", rotation: bool = False, may_dump: bool = False
    ) -> Issuer:
        issuer = Issuer(
            kind,
            self.room("production"),
            free_ports(1)[0],
            custody,
            rotation,
            may_dump=may_dump,
            network=self._network(),
        )
        self._ended.callback(issuer.stop)
        issuer.prepare(self.scenario.organizations if kind == ENTERPRISE else ())
        issuer.start()
        issuer.wait()
        return issuer

    def _made(self, *, custody: bool, rotation: bool) -> Scene:
        crashes = self.scenario.way == "dump"
        issuer = self._issuer(
            self.scenario.lost,
            custody=self.custody if custody else "file",
            rotation=rotation,
            may_dump=crashes,
        )
        dump, how = None, ""
        with Load(issuer) as load:
            tokens = load.wait(TOKENS)
            jwks = self.room("public") / "jwks.json"
            publics = publics_of(issuer, jwks)
            if crashes:
                dump = issuer.room / "crash.core"
                how = crashed(issuer, dump, kernel_only=self.options.require_real)
                self._note(how)
            loot = self._loot(issuer) if self.scenario.way in ("host", "repository") else None
        until(lambda: answers(issuer), COME_BACK, "the signer does not come back after its crash")
        victim = self._victim or issuer
        if victim is issuer:
            self._ended.enter_context(Load(issuer, pause=0.2))
        issuers = (issuer,) if victim is issuer else (issuer, victim)
        publisher = Publisher(issuers, self.room("common") / "keys.json")
        self._ended.enter_context(publisher)
        return Scene(issuer, victim, publisher, publics, jwks, dump, loot, how, tokens)

    def _loot(self, issuer: Issuer) -> Path:
        """A copy of what the service has its keys in: the moment at which they are lost."""
        room = self.room("loot")
        for name in PLACES:
            for one in (issuer.room / name).rglob("*"):
                target = room / one.relative_to(issuer.room)
                target.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # a key that is destroyed just now is there for nobody
                    if one.is_file():
                        shutil.copyfile(one, target)
        return room

    def _note(self, how: str) -> None:
        """Say of a dump that is not the kernel's that it is not, once."""
        words = f"another dump stands in for the kernel's core: {how}"
        if how != BY_KERNEL and words not in self.stands_in:
            self.stands_in += (words,)

    def await_retirement(self, scene: Scene) -> float:
        """Until the lost key is not published any more; how long that took.

        Raises:
            ReplayError: it never is.
        """
        began = time.monotonic()
        until(lambda: not scene.publisher.has(scene.lost_kid), _RETIRED, "the key is never retired")
        return time.monotonic() - began
