"""What a room is for: people come in, one after the other, each with what they need."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from access.authenticator import Authenticator, Authority, b64, der, name
from access.rooms import World, policy_text, screening
from access.test_attacks import enrol
from immure.access import (
    Approval,
    Certificate,
    DeniedError,
    Grant,
    HardwareKey,
    NoGrantError,
    Person,
    Request,
    Session,
)
from immure.access.asking import describe
from immure.access.records import from_plain, to_plain
from immure.access.report import make_report, to_json
from immure.access.texts import spelled


def certificate(**options: Any) -> x509.Certificate:
    options = {"client": True, **options}
    authority = options.pop("authority", None) or Authority.root("Workstations")
    key = ec.generate_private_key(ec.SECP256R1())
    return authority.leaf(name("laptop 17"), key.public_key(), **options)


def workstation(world: World, account: str, one: x509.Certificate | None = None) -> str:
    """A workstation that two have approved; its SHA-256."""
    one = one or certificate()
    data = one.public_bytes(Encoding.PEM)
    request = world.sign(world.door.request_workstation(account, holder=account, certificate=data)).id
    others = [person for person in ("prd-grace", "prd-edsger", "prd-barbara") if person != account]
    world.approve(request, others[0])
    assert world.approve(request, others[1]).state == "done"
    return hashlib.sha256(der(one)).hexdigest()


def test_a_grant_from_its_request_to_its_end(world: World) -> None:
    request = world.ask(hours=2)
    assert world.door.record(Request, request).state == "open"
    world.clock.pass_(minutes=10)
    assert world.approve(request, "prd-grace").state == "open"
    with pytest.raises(NoGrantError, match="nobody was granted"):
        world.door.live_grant("room:debug", "enter")
    world.clock.pass_(minutes=10)
    assert world.approve(request, "prd-edsger").state == "done"
    grant = world.door.live_grant("room:debug", "enter", account="prd-ada")
    assert grant.approvers == ("prd-edsger", "prd-grace")
    assert (grant.begins, grant.ends - grant.begins) == (world.clock.at, timedelta(hours=2))
    entry = world.door.use(grant.id, "enter", {"from": "192.0.2.7"})
    assert entry.kind == "access.used"
    world.sign(world.door.begin_closing("prd-ada", grant.id))
    with pytest.raises(NoGrantError, match="is closed"):
        world.door.live_grant("room:debug", "enter")
    with pytest.raises(NoGrantError):
        world.door.use(grant.id, "enter")


def test_of_several_grants_the_longest(world: World) -> None:
    world.granted(hours=1)
    longest = world.granted(hours=4)
    world.granted("prd-edsger", hours=3)
    assert world.door.live_grant("room:debug", "enter").id == longest
    assert world.door.live_grant("room:debug", "enter", account="prd-edsger").account == "prd-edsger"


def test_a_session(world: World) -> None:
    station = workstation(world, "prd-ada")
    grant = world.granted(hours=2)
    done = world.sign(world.door.begin_session("prd-ada", grant, workstation=station))
    assert done.secret is not None
    secret = done.secret.reveal()
    assert "Secret(32 bytes)" in repr(done)
    session, its_grant = world.door.session(secret, workstation=station)
    assert (session.id, its_grant.id) == (done.id, grant)
    assert session.ends == its_grant.ends
    with pytest.raises(NoGrantError) as caught:
        world.door.session(secret, workstation="f" * 64)
    assert caught.value.rule == "workstation"
    log = (world.path / "log" / "entries.jsonl").read_bytes() + (world.path / "door.db").read_bytes()
    assert secret not in log
    assert b64(secret).encode() not in log
    world.clock.pass_(hours=2)
    with pytest.raises(NoGrantError, match="has ended"):
        world.door.session(secret, workstation=station)
    world.door.verify()


def test_a_session_ends_when_somebody_signs_out(world: World) -> None:
    station = workstation(world, "prd-ada")
    done = world.sign(world.door.begin_session("prd-ada", world.granted(), workstation=station))
    assert done.secret is not None
    world.door.end_session(done.id)
    with pytest.raises(NoGrantError, match="has ended"):
        world.door.session(done.secret.reveal(), workstation=station)
    with pytest.raises(NoGrantError):
        world.door.end_session(done.id)


def test_who_has_signed_in_may_look(world: World) -> None:
    done = world.sign(world.door.begin_sign_in("prd-ada"))
    assert done.secret is not None
    secret = done.secret.reveal()
    assert world.door.signed_in(secret).id == "prd-ada"
    world.granted()
    with pytest.raises(NoGrantError, match="was granted nothing"):
        world.door.session(secret, workstation="")
    with pytest.raises(NoGrantError, match="no such session"):
        world.door.signed_in(b"x" * 32)
    world.sign(world.door.begin_suspension("prd-barbara", "prd-ada", "seems odd"))
    with pytest.raises(NoGrantError, match="has ended"):
        world.door.signed_in(secret)
    world.door.verify()


def test_a_look_from_one_workstation_only(world: World) -> None:
    station = workstation(world, "prd-ada")
    with pytest.raises(DeniedError, match="no workstation of prd-ada"):
        world.door.begin_sign_in("prd-ada", workstation="f" * 64)
    done = world.sign(world.door.begin_sign_in("prd-ada", workstation=station))
    assert done.secret is not None
    assert world.door.signed_in(done.secret.reveal(), workstation=station)
    for other in ("", "f" * 64):
        with pytest.raises(NoGrantError, match="another workstation"):
            world.door.signed_in(done.secret.reveal(), workstation=other)
    world.clock.pass_(hours=8)
    with pytest.raises(NoGrantError, match="has ended"):
        world.door.signed_in(done.secret.reveal(), workstation=station)


def _entered(world: World) -> tuple[str, bytes, str]:
    station = workstation(world, "prd-ada")
    grant = world.granted()
    done = world.sign(world.door.begin_session("prd-ada", grant, workstation=station))
    ends = spelled(world.clock.at + timedelta(minutes=30))
    world.door.record_certificate(grant, "enter", kind="ssh", serial="17", ends=ends)
    assert done.secret is not None
    return grant, done.secret.reveal(), station


ENDS = {
    "revoked": lambda w, g: w.sign(w.door.begin_revocation("prd-barbara", g, "not needed any more")),
    "given back": lambda w, g: w.sign(w.door.begin_closing("prd-ada", g)),
    "suspended": lambda w, g: w.sign(w.door.begin_suspension("prd-barbara", "prd-ada", "seems odd")),
    "left": lambda w, g: w.sign(w.door.begin_leaving("prd-barbara", "prd-ada", "retires")),
    "key lost": lambda w, g: w.sign(
        w.door.begin_lost_key("prd-barbara", b64(next(iter(w.keys["prd-ada"][0].credentials))), w.clock.at)
    ),
    "approver's key lost": lambda w, g: w.sign(
        w.door.begin_lost_key("prd-barbara", b64(next(iter(w.keys["prd-grace"][0].credentials))), w.clock.at)
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ENDS)
def test_sessions_and_certificates_end_with_the_grant(row: str, world: World) -> None:
    grant, secret, station = _entered(world)
    assert world.door.session(secret, workstation=station)
    assert world.door.revoked_certificates("ssh") == []
    ENDS[row](world, grant)
    with pytest.raises(NoGrantError, match="has ended"):
        world.door.session(secret, workstation=station)
    assert [one.serial for one in world.door.revoked_certificates("ssh")] == ["17"]
    assert world.door.revoked_certificates("x509") == []
    assert [one.state for one in world.door.records(Session)] == ["ended"]
    world.clock.pass_(minutes=31)
    assert world.door.revoked_certificates("ssh") == []  # it has run out by itself
    world.door.verify()


def test_certificates_of_a_grant_that_is_dead_are_listed_whatever_it_died_of(world: World) -> None:
    """Nobody has revoked anything: the screening has run out, and sshd knows nothing of that."""
    enrol(world, "prd-eve", "P-eve", expires=spelled(world.clock.at + timedelta(hours=1)))
    grant = world.granted("prd-eve", hours=2)
    other = world.granted("prd-edsger", hours=2)
    for number, (one, minutes) in enumerate(((grant, 60), (grant, 30), (other, 120))):
        ends = spelled(world.clock.at + timedelta(minutes=minutes))
        world.door.record_certificate(one, "enter", kind="ssh", serial=str(number), ends=ends)
    assert world.door.revoked_certificates("ssh") == []
    sooner = screening(world.clock.at, expires=spelled(world.clock.at + timedelta(minutes=5)))
    subject = {"account": "prd-eve", "screening": sooner}
    request = world.sign(world.door.begin_request("prd-barbara", "screening", subject)).id
    world.approve(request, "prd-grace")
    assert world.approve(request, "prd-edsger").state == "done"
    world.clock.pass_(minutes=6)
    assert [one.serial for one in world.door.revoked_certificates("ssh")] == ["0", "1"]
    assert world.door.revoked_certificates("x509") == []
    world.clock.pass_(minutes=30)
    assert [one.serial for one in world.door.revoked_certificates("ssh")] == ["0"]
    key = b64(next(iter(world.keys["prd-edsger"][1].credentials)))  # which has nothing to do with the grant
    world.sign(world.door.begin_lost_key("prd-barbara", key, world.clock.at))
    assert [one.serial for one in world.door.revoked_certificates("ssh")] == ["0", "2"]


def test_a_certificate_does_not_outlast_the_screening(world: World) -> None:
    until = world.clock.at + timedelta(hours=1)
    enrol(world, "prd-eve", "P-eve", expires=spelled(until))
    grant = world.granted("prd-eve", hours=2)
    assert world.door.rights_end(world.door.record(Grant, grant)) == until
    with pytest.raises(NoGrantError, match="or the screening of who has it"):
        world.door.record_certificate(
            grant, "enter", kind="ssh", serial="1", ends=spelled(until + timedelta(seconds=1))
        )
    world.door.record_certificate(grant, "enter", kind="ssh", serial="1", ends=spelled(until))


def test_certificates_that_are_not_issued(world: World) -> None:
    grant = world.granted(hours=1)
    soon = spelled(world.clock.at + timedelta(minutes=5))
    late = spelled(world.clock.at + timedelta(minutes=61))
    for wrong in (
        {"action": "release", "kind": "ssh", "serial": "1", "ends": soon},
        {"action": "enter", "kind": "ssh", "serial": "1", "ends": late},
        {"action": "enter", "kind": "ssh", "serial": "1", "ends": spelled(world.clock.at)},
        {"action": "enter", "kind": "s h", "serial": "1", "ends": soon},
        {"action": "enter", "kind": "ssh", "serial": "", "ends": soon},
    ):
        with pytest.raises(NoGrantError):
            world.door.record_certificate(grant, **wrong)
    world.door.record_certificate(grant, "enter", kind="ssh", serial="1", ends=soon)
    with pytest.raises(NoGrantError, match="was issued before"):
        world.door.record_certificate(grant, "enter", kind="ssh", serial="1", ends=soon)
    assert [one.grant for one in world.door.records(Certificate)] == [grant]


# --- workstations ---

STATIONS = Authority.root("Workstations")
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "of a server": ({"client": False}, "not one for clients"),
    "of another authority": ({"authority": Authority.root("Workstations")}, "does not lead to a root"),
    "run out": ({"end": datetime(2026, 1, 1, tzinfo=UTC)}, "not valid"),
    "not valid yet": ({"begin": datetime(2027, 1, 1, tzinfo=UTC)}, "not valid"),
    "of an authority": ({"ca": True}, "of an authority"),
}


@pytest.mark.parametrize("row", WRONG)
def test_certificates_that_are_of_no_workstation(row: str, place: Any) -> None:
    options, words = WRONG[row]
    world = World(
        place / "room", text=policy_text(f"\n[workstations]\nroots = ['''{STATIONS.pem.strip()}''']\n")
    )
    world.found()
    with pytest.raises(DeniedError, match=words) as caught:
        workstation(world, "prd-ada", certificate(**{"authority": STATIONS, **options}))
    assert caught.value.rule == "workstation"
    assert workstation(world, "prd-ada", certificate(authority=STATIONS))
    world.door.close()


@pytest.mark.parametrize("noise", [b"", b"x", b"-----BEGIN CERTIFICATE-----\n\xff", b"\x30\x82\xff\xff"])
def test_noise_is_no_workstation(noise: bytes, world: World) -> None:
    with pytest.raises(DeniedError) as caught:
        world.door.request_workstation("prd-ada", holder="prd-ada", certificate=noise)
    assert caught.value.rule == "workstation"


def test_the_workstation_of_another(world: World) -> None:
    one = certificate()
    workstation(world, "prd-ada", one)
    with pytest.raises(DeniedError, match="that of another account"):
        workstation(world, "prd-edsger", one)
    station = hashlib.sha256(der(one)).hexdigest()
    with pytest.raises(DeniedError, match="no workstation of prd-edsger"):
        world.door.begin_session("prd-edsger", world.granted("prd-edsger"), workstation=station)


# --- people and keys ---


def test_a_person_is_enrolled(world: World) -> None:
    ceremony = world.door.request_enrolment("prd-ada", new="prd-eve", person="P-eve", screening=screening())
    request = world.sign(ceremony).id
    assert world.register("prd-eve", request).state == "keys"
    assert world.register("prd-eve", request).state == "open"
    shown = world.door.begin_approval("prd-grace", request)
    assert [key.model for key in world.door.records(HardwareKey, about="prd-eve")] == ["Example Key 5"] * 2
    assert sum("hardware key: Example Key 5" in line for line in shown.words) == 2
    world.sign(shown)
    with pytest.raises(DeniedError, match="no account 'prd-eve'"):
        world.ask("prd-eve")
    world.approve(request, "prd-edsger")
    assert world.door.record(Person, "prd-eve").state == "active"
    assert world.granted("prd-eve")
    assert {one.state for one in world.door.records(Approval)} == {"given"}


def test_one_more_key_and_a_newer_screening(world: World) -> None:
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id
    third = Authenticator()
    assert world.register("prd-ada", request, third).state == "open"
    world.approve(request, "prd-grace")
    world.approve(request, "prd-edsger")
    ceremony = world.door.request_grant(
        "prd-ada",
        resource="room:debug",
        actions=["enter"],
        purpose="crash of the mailer",
        ticket="INC-1",
        hours=1,
    )
    assert world.sign(ceremony, key=third).act == "request"
    record = screening(
        world.clock.at, expires=spelled(world.clock.at + timedelta(days=900)), reference="case 80"
    )
    subject = {"account": "prd-ada", "screening": record}
    request = world.sign(world.door.begin_request("prd-grace", "screening", subject)).id
    world.approve(request, "prd-edsger")
    assert world.approve(request, "prd-barbara").state == "done"
    assert world.door.record(Person, "prd-ada").reference == "case 80"
    world.door.verify()


def test_who_has_lost_a_key_gets_another_by_a_colleague(world: World) -> None:
    lost = b64(next(iter(world.keys["prd-ada"][0].credentials)))
    world.sign(world.door.begin_lost_key("prd-ada", lost, world.clock.at), key=world.keys["prd-ada"][1])
    assert world.door.record(HardwareKey, lost).state == "lost"
    with pytest.raises(DeniedError, match="fewer than 2 hardware keys"):
        world.ask()
    request = world.sign(world.door.begin_request("prd-grace", "key", {"account": "prd-ada"})).id
    world.keys["prd-ada"].pop(0)
    world.register("prd-ada", request)
    world.approve(request, "prd-edsger")
    world.approve(request, "prd-barbara")
    assert world.ask()


def test_who_was_enrolled_with_a_stolen_key_is_suspended(world: World) -> None:
    ceremony = world.door.request_enrolment("prd-ada", new="prd-eve", person="P-eve", screening=screening())
    request = world.sign(ceremony).id
    world.register("prd-eve", request)
    world.register("prd-eve", request)
    world.approve(request, "prd-grace")
    world.approve(request, "prd-edsger")
    stolen = b64(next(iter(world.keys["prd-grace"][0].credentials)))
    since = world.clock.at - timedelta(hours=1)
    world.sign(world.door.begin_lost_key("prd-barbara", stolen, since))
    assert world.door.record(Person, "prd-eve").state == "suspended"


def test_whoever_has_left_may_come_back_under_another_account(world: World) -> None:
    world.sign(world.door.begin_leaving("prd-grace", "prd-barbara", "retires"))
    assert {key.state for key in world.door.records(HardwareKey, about="prd-barbara")} == {"retired"}
    ceremony = world.door.request_enrolment(
        "prd-ada", new="prd-barbara-2", person="P-barbara", screening=screening()
    )
    assert world.sign(ceremony).state == "keys"


def test_unique_attestation_tells_one_piece_of_hardware(place: Any) -> None:
    """With enterprise attestation two credentials on one key are known to be on one key."""
    text = policy_text(**{'name = "Example Key 5"': 'name = "Example Key 5"\nunique_attestation = true'})
    world = World(place / "room", text=text)
    with pytest.raises(DeniedError) as caught:
        world.founder("prd-ada", "P-ada")
    assert caught.value.rule == "same-hardware"
    assert world.door.begin_registration("prd-ada").options["attestation"] == "enterprise"
    world.door.close()


# --- broken glass ---


class Pager(http.server.BaseHTTPRequestHandler):
    heard: list[Any]
    status = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).heard.append(json.loads(body))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        type(self).heard.append("followed")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def pager() -> Iterator[tuple[str, type[Pager]]]:
    class One(Pager):
        pass

    One.heard = []
    server = http.server.HTTPServer(("127.0.0.1", 0), One)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/alarm", One
    server.shutdown()
    server.server_close()


def test_broken_glass_is_heard_short_and_reviewed(place: Any, pager: tuple[str, type[Pager]]) -> None:
    url, handler = pager
    text = policy_text(**{"http://127.0.0.1:9/alarm": url})
    world = World(place / "room", text=text).found()
    ceremony = world.door.begin_break_glass(
        "prd-ada", resource="room:debug", actions=["enter"], reason="nobody answers"
    )
    assert any("BREAK THE GLASS" in line for line in ceremony.words)
    done = world.sign(ceremony)
    assert done.silent == ()
    assert handler.heard[0]["alarm"] == "break-glass"
    assert handler.heard[0]["words"] == "prd-ada has broken the glass for room:debug: nobody answers"
    assert [alarm.account for alarm in world.heard] == ["prd-ada"]
    assert world.door.live_grant("room:debug", "enter").glass
    world.clock.pass_(hours=1)
    with pytest.raises(NoGrantError, match="has ended"):
        world.door.live_grant("room:debug", "enter")
    with pytest.raises(DeniedError, match="nobody has reviewed"):
        world.ask()
    review = world.door.begin_review("prd-grace", done.id, verdict="justified", reason="saw the log, INC-12")
    assert world.sign(review).state == "justified"
    world.sign(world.door.begin_closing("prd-ada", done.id))
    assert world.door.record(Grant, done.id).state == "closed"
    assert world.ask()
    world.door.verify()
    world.door.close()


def test_an_alarm_that_nobody_hears_is_logged(place: Any, pager: tuple[str, type[Pager]]) -> None:
    url, handler = pager
    handler.status = 302  # nor is it followed to where the policy does not say
    world = World(place / "room", text=policy_text(**{"http://127.0.0.1:9/alarm": url})).found()

    def broken(_: Any) -> None:
        raise OSError("no line")

    world.door.close()
    world.door = world.open(sounders=[("pager", broken)])
    done = world.sign(
        world.door.begin_break_glass(
            "prd-ada", resource="room:debug", actions=["enter"], reason="nobody answers"
        )
    )
    assert [one.partition(":")[0] for one in done.silent] == ["pager", "http"]
    assert "followed" not in handler.heard
    last = list(world.door.log.entries())[-1]
    assert last.kind == "access.alarm"
    assert world.door.live_grant("room:debug", "enter").glass
    world.door.close()


def test_not_justified_ends_it_at_once(world: World) -> None:
    done = world.sign(
        world.door.begin_break_glass(
            "prd-ada", resource="room:debug", actions=["enter"], reason="nobody answers"
        )
    )
    review = world.door.begin_review(
        "prd-grace", done.id, verdict="not-justified", reason="somebody answered"
    )
    assert world.sign(review).state == "not-justified"
    with pytest.raises(NoGrantError, match="is revoked"):
        world.door.live_grant("room:debug", "enter")


def test_two_reviewers_if_the_policy_says_so(place: Any) -> None:
    text = policy_text(**{"[break_glass]": "[break_glass]\nreviewers = 2"})
    world = World(place / "room", text=text).found()
    done = world.sign(
        world.door.begin_break_glass(
            "prd-ada", resource="room:debug", actions=["enter"], reason="nobody answers"
        )
    )
    for account, state in (("prd-grace", "unreviewed"), ("prd-edsger", "justified")):
        review = world.door.begin_review(account, done.id, verdict="justified", reason="saw the log, INC-12")
        assert world.sign(review).state == state
    world.door.close()


# --- looking ---


def test_the_report(world: World) -> None:
    grant, _, _ = _entered(world)
    dump = world.granted(resource="dump:9f86d081", actions=["release"])
    world.door.use(dump, "release", {"to": "sftp://debug.example/in"})
    with pytest.raises(DeniedError):
        world.approve(world.ask(), "prd-grace", twist=lambda made: made.but(signature=b"\0"))
    report = make_report(world.door)
    assert [use["detail"] for use in report.left] == [{"to": "sftp://debug.example/in"}]
    assert {one["id"] for one in report.grants if one["live"]} == {grant, dump}
    assert [row["rule"] for row in report.refused] == ["signature"]
    assert len(report.people) == 4
    assert len(report.waiting) == 1
    assert report.notes == []
    plain = json.dumps(to_json(report))
    for secret in ("cose", "handle", "clientDataJSON"):
        assert secret not in plain
    world.clock.pass_(hours=3)
    later = make_report(world.door, world.clock.at - timedelta(minutes=30))
    assert (later.uses, later.grants) == ([], [])


def test_a_register_says_that_it_is_one(world: World) -> None:
    world.granted()
    assert "It is a register" in make_report(world.door).notes[0]


def test_records_have_one_plain_form(world: World) -> None:
    _entered(world)
    for kind in (Person, HardwareKey, Request, Approval, Grant, Session, Certificate):
        for record in world.door.records(kind):
            assert from_plain(kind, json.loads(json.dumps(to_plain(record)))) == record


def test_what_goes_to_a_browser(world: World) -> None:
    """The options are those that parseRequestOptionsFromJSON and parseCreationOptionsFromJSON take."""
    from fido2.webauthn import PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions

    asked = describe(world.door.begin_approval("prd-grace", world.ask()))
    options = PublicKeyCredentialRequestOptions.from_dict(asked["options"])
    assert options.user_verification == "required"
    assert len(options.allow_credentials or ()) == 2
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id
    made = PublicKeyCredentialCreationOptions.from_dict(
        dict(world.door.begin_registration("prd-ada", request).options)
    )
    assert made.attestation == "direct"
    assert len(made.exclude_credentials or ()) == 8
