"""The response, by the real parts: an incident is opened, the key contained, that proved, and everybody told.

    responder = Responder(room)                         # before anything has happened
    responder.prepare()                                 # relying parties pin its key from then on
    answer = responder.answer(case)

Containment stops the signer, takes the key out of registry and key set, and pushes a signed deny-list to
the doorkeeper of the mail. The blast radius is worked out from the logs that there are; where there is none,
what was read is unknown, and the letters say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from immure import clock
from immure.errors import ImmureError
from immure.replay.errors import ReplayError
from immure.replay.issuers import MAIL, Issuer
from immure.replay.post_office import PostOffice
from immure.replay.relying import CLIENT, DENY_LIST, Doorkeeper
from immure.replay.scenario import Organization
from immure.response.containment.settings import Containment, DenyListSettings, Door, Party, Witness
from immure.response.incident import Finding, Incident
from immure.response.radius import BlastRadius

#: Who leads; two others read and approve the letters.
LEAD: Final = "ann"
APPROVERS: Final = ("bo", "cy")
_PARTY: Final = "mail"
_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be answered.

    Attributes:
        kind: of the finding: ``forged-token``, or ``report``, if a stranger had to write.
        summary: what was seen.
        burnt: the issuer whose key it is; ``kid`` its name.
        forged: a token that was forged with it.
        good: gives a genuine token for the mail, of a key that is not burnt.
        doorkeeper: of the mail.
        organizations: whose mail it is.
        accepted, segments: the doorkeeper's log, and the ledger of the issuer that the tokens name; None if
            nobody keeps that.
        opened: the mail-access log (Dovecot's events); None if nobody keeps one.
        thief: address of who opened mail from where nobody had before; None if nobody has seen that.
        since: when it may have begun, seconds since 1970.
    """

    kind: str
    summary: str
    burnt: Issuer
    kid: str
    forged: str
    good: Callable[[], str]
    doorkeeper: Doorkeeper
    organizations: Sequence[Organization]
    since: int
    accepted: Path | None = None
    ledger_of: Issuer | None = None
    opened: Path | None = None
    thief: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it.

    Attributes:
        steps: of the containment, done and failed.
        failed: which failed.
        refused_after: seconds from opening the incident until the last relying party was seen to refuse.
        radius: what the key did.
        told: organizations to which a letter went; ``letters`` how many went.
        entries: in the incident's log, which verifies.
    """

    steps: int
    failed: tuple[str, ...]
    refused_after: float
    radius: BlastRadius
    told: int
    letters: int
    entries: int


def why_not() -> str | None:
    """Why there can be no response here; None if there can."""
    lacking = [one for one in ("duckdb", "pyarrow", "jinja2", "aiosmtplib") if find_spec(one) is None]
    return f"immure[detect] or immure[respond] is not installed ({lacking[0]})" if lacking else None


class Responder:
    """Those who answer, with their keys; ``room`` is a directory of its own."""

    def __init__(self, room: Path) -> None:
        self.room = room

    @property
    def pins(self) -> Path:
        """The public key that relying parties hold deny-lists against."""
        return self.room / "deny.key.pub"

    def prepare(self) -> None:
        """Make the keys, long before they are needed; raises ReplayError."""
        from immure.custody.generate import generate

        try:
            for name in ("deny", "incident"):
                generate(self.room / f"{name}.key", "EdDSA")
        except ImmureError as error:
            raise ReplayError(f"the response cannot be prepared: {error}") from error

    def answer(self, case: Case) -> Answer:
        """Open an incident, and do all of it.

        Raises:
            ReplayError: a step failed, or a relying party goes on to take the key.
        """
        from immure.custody import open_signer

        began = time.time()
        try:
            with open_signer(f"file:{self.room / 'incident.key'}") as signer:
                finding = Finding(case.kind, kid=case.kid, issuer=case.burnt.url, summary=case.summary)
                incident = Incident.open_new(self.room / "incident", finding=finding, actor=LEAD, key=signer)
                steps, failed = self._contain(incident, case)
                refused = self._prove(incident, case)
                radius = self._radius(incident, case)
                told, letters = self._tell(incident, case)
                entries = len(Incident.load(incident.folder).entries())
        except ImmureError as error:
            raise ReplayError(f"the response fails: {error}") from error
        return Answer(steps, failed, refused - began, radius, told, letters, entries)

    # --- how it is done ---

    def _contain(self, incident: Incident, case: Case) -> tuple[int, tuple[str, ...]]:
        from immure.response.containment.running import ContainmentRun

        outcome = ContainmentRun(incident, self._settings(case), actor=LEAD).carry_out()
        return len(outcome.lines), tuple(f"{one.step} {one.target}: {one.words}" for one in outcome.failed)

    def _prove(self, incident: Incident, case: Case) -> float:
        from immure.response.containment.action import Scene
        from immure.response.proof import Prover, write_down

        (self.room / "good.jwt").write_text(case.good(), encoding="ascii")
        scene = Scene.of(self._settings(case), incident, actor=LEAD)
        proof = Prover(scene).run(seconds=_PATIENCE)
        write_down(proof, incident, scene)
        if proof.refused_at is None:
            raise ReplayError(f"not seen to refuse the key: {'; '.join(one.why for one in proof.holding)}")
        return proof.refused_at

    def _settings(self, case: Case) -> Containment:
        from immure.probe.target import How
        from immure.signing.settings_file import read_settings

        (self.room / "burnt.jwt").write_text(case.forged, encoding="ascii")
        keeper = case.doorkeeper
        how = How(introspection=True, client=(CLIENT, keeper.secret))
        party = Party(
            _PARTY,
            audience=MAIL,
            push=keeper.deny_list_url,
            door=Door(keeper.url, how),
            witness=Witness(file=self.room / "burnt.jwt", control_file=self.room / "good.jwt"),
        )
        return Containment(
            registry=str(case.burnt.registry),
            signing=read_settings(case.burnt.room / "signing.toml"),
            deny_list=DenyListSettings(
                DENY_LIST, f"file:{self.room / 'deny.key'}", self.room / "deny-list", epoch=False
            ),
            parties={_PARTY: party},
            owned=("127.0.0.1",),
        )

    def _radius(self, incident: Incident, case: Case) -> BlastRadius:
        from immure.detections.key_facts import Knowledge
        from immure.detections.settings import Input, LedgerInput, Settings
        from immure.ledger.opening import open_ledger
        from immure.ledger.segments import export
        from immure.registry.opening import open_store
        from immure.response.radius_logs import records_of, state_of, take_in_logs
        from immure.response.radius_record import keep_radius
        from immure.response.radius_settings import Known, RadiusSettings
        from immure.response.radius_settings import Party as Reached
        from immure.response.radius_work import work_out

        with open_store(str(case.burnt.registry)) as store:
            records = store.records()
        record, namesakes = records_of(records, case.kid, case.burnt.url)
        ledger = None
        if case.ledger_of is not None:
            segments = self.room / "segments"
            with open_ledger(str(case.ledger_of.ledger)) as issued:
                for _ in export(issued, case.ledger_of.url, segments):
                    pass
            ledger = LedgerInput(segments, case.ledger_of.ledger_log, case.ledger_of.log_key)
        inputs = [Input(case.accepted, "acceptance-log")] if case.accepted is not None else []
        inputs += [Input(case.opened)] if case.opened is not None else []
        logs = Settings([], inputs, ledger, Knowledge(records), threads=1, ended=False)
        settings = RadiusSettings(
            case.kid,
            case.burnt.url,
            record,
            namesakes,
            begin=case.since,
            end=int(time.time()) + 1,
            parties=[Reached(_PARTY, MAIL)],
            tenants=[one.tenant for one in case.organizations],
            addresses=[] if case.thief is None else [case.thief],
            threads=1,
        )
        with state_of(self.room / "state") as state:
            known = take_in_logs(state, logs) if inputs else Known()
            radius = work_out(state, settings, known)
        keep_radius(incident, radius, actor=LEAD)
        return radius

    def _tell(self, incident: Incident, case: Case) -> tuple[int, int]:
        from immure.response.notification.preparing import prepare_letters
        from immure.response.notification.rendering import Templates
        from immure.response.notification.sending import send_letters
        from immure.response.notification.settings import Contact, Sender, Settings, Smtp

        contacts = {
            one.tenant: Contact(one.name, mail=(f"security@{one.domain}",)) for one in case.organizations
        }
        with PostOffice() as post:
            settings = Settings(
                Sender("The mail provider", "security@provider.example"),
                contacts,
                Smtp("127.0.0.1", post.port, tls="none"),
            )
            prepared = prepare_letters(incident, settings, Templates(), actor=LEAD)
            for person in APPROVERS:
                incident.grant_role("approver", person, actor=LEAD)
                incident.approve(prepared.letters.digest, actor=person, what="letters")
            incident.grant_role("communicator", LEAD, actor=LEAD)
            send_letters(incident, settings, actor=LEAD, clock=clock.now)
            came = {address.rpartition("@")[2] for address, _ in post.letters}
            return len(came & {one.domain for one in case.organizations}), len(post.letters)
