"""Letters to a real SMTP server: each once, and what happens when something goes wrong."""

from __future__ import annotations

import json
import ssl
import tarfile
from pathlib import Path

import pytest

from immure.custody.signer import Signer
from immure.response.bundle import export
from immure.response.errors import BusyError, ConflictError, FormError
from immure.response.incident import Incident
from immure.response.notification.bouncing import bounce
from immure.response.notification.errors import ApprovalError, LettersError
from immure.response.notification.history import State
from immure.response.notification.sending import send_letters
from immure.response.notification.settings import Contact, Pace, Settings, Smtp
from immure.response.notification.status import Sent, newest_letters, standing_of
from immure.secret import Secret
from response.notification.conftest import Open
from response.notification.making import (
    CONTOSO,
    FABRIKAM,
    QUIET,
    Clock,
    Mailroom,
    add_radius,
    mailroom,
    prepared,
    radius,
    settings,
)
from servers.program import free_port
from servers.tls import Authority


def send(incident: Incident, given: Settings, *, again: bool = False, clock: Clock | None = None) -> Sent:
    return send_letters(incident, given, actor="ann", again=again, clock=clock or Clock())


def states(found: Sent) -> dict[str, State]:
    return {one.delivery.to: one.state for one in found.deliveries}


def test_each_recipient_gets_one_letter_with_the_list_beside_it(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO, FABRIKAM, QUIET)
    given = settings(post.port)
    letters = prepared(incident, given).letters
    found = send(incident, given)
    assert found.complete
    assert sorted(to for to, _ in post.raw) == [
        "ceo@contoso.example",
        "it@contoso.example",
        "security@fabrikam.example",
    ]
    by_address = dict(post.messages())
    german, english = by_address["it@contoso.example"], by_address["security@fabrikam.example"]
    assert german["From"].addresses[0].addr_spec == "security@login.example"
    assert german["To"].addresses[0].addr_spec == "it@contoso.example"
    assert german["Subject"] == f"Missbrauch eines Signaturschlüssels, Vorfall {incident.name}"
    assert english["Subject"] == f"Misuse of a signing key, incident {incident.name}"
    plain, html = german.get_body(("plain",)), german.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "Angenommene Token: 2" in plain.get_content()
    assert "<code>k1</code>" in html.get_content()
    (attached,) = german.iter_attachments()
    assert attached.get_filename() == "statement.json"
    statement = json.loads(attached.get_content())
    (delivery,) = [one for one in letters.deliveries if one.to == "it@contoso.example"]
    assert attached.get_content() == letters.read(delivery, "json")
    assert statement["subjects"] == ["ada@contoso.example"]
    assert statement["mailboxes"][0]["folders"] == ["Inbox"]
    assert german["Message-ID"] == delivery.message_id
    unknown = english.get_body(("plain",))
    assert unknown is not None
    assert "That does not mean that nothing happened" in unknown.get_content()


def test_lines_are_ascii_and_short_enough_for_every_server(open_incident: Open, post: Mailroom) -> None:
    box = CONTOSO.mailboxes[0]
    long = type(box)(box.address, tuple(f"message {n} " + "x" * 3000 for n in range(3)), ("Größe",), 3)
    incident = open_incident(type(CONTOSO)("contoso", 2, ("ädä",), (long,), (), None, None))
    given = settings(post.port)
    prepared(incident, given)
    assert send(incident, given).complete
    for _, data in post.raw:
        assert data.isascii()
        assert max(len(line) for line in data.splitlines()) <= 998


def test_a_second_run_sends_nothing(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    prepared(incident, given)
    send(incident, given)
    before = len(incident.entries())
    assert send(incident, given).complete
    assert len(post.raw) == 2
    assert len(incident.entries()) == before


@pytest.mark.parametrize("people", [(), ("bo",)], ids=["nobody", "one"])
def test_less_than_two_approvals_send_nothing(
    open_incident: Open, post: Mailroom, people: tuple[str, ...]
) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    letters = prepared(incident, given, approve=False).letters
    for person in people:
        incident.approve(letters.digest, actor=person)
    with pytest.raises(ApprovalError, match=f"have that of {len(people)}"):
        send(incident, given)
    assert not post.raw


def test_an_approver_who_is_none_any_more_does_not_count(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    prepared(incident, given)
    incident.grant_role("approver", "bo", actor="ann", granted=False)
    with pytest.raises(ApprovalError, match=r"have that of 1 \(cleo\)"):
        send(incident, given)


def test_an_approval_of_older_letters_does_not_count(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    prepared(incident, settings(post.port))
    contacts = {"contoso": Contact(mail=("other@contoso.example",))}
    given = settings(post.port, contacts)
    prepared(incident, given, approve=False)
    with pytest.raises(ApprovalError, match="letters 2 need the approval"):
        send(incident, given)


@pytest.mark.parametrize("suffix", ["json", "txt", "html"])
def test_a_letter_that_was_changed_after_the_approval_is_not_sent(
    open_incident: Open, post: Mailroom, suffix: str
) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    letters = prepared(incident, given).letters
    path = letters.folder / f"{letters.deliveries[0].stem}.{suffix}"
    path.write_bytes(path.read_bytes().replace(b"2", b"3"))
    with pytest.raises(LettersError, match="it was changed"):
        send(incident, given)
    assert not post.raw


def test_a_changed_manifest_is_not_sent(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    path = prepared(incident, given).letters.folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"ceo@", b"foe@"))
    with pytest.raises(LettersError, match="it was changed"):
        send(incident, given)


def test_letters_of_a_radius_that_was_corrected_are_not_sent(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    prepared(incident, given)
    old = incident.entries()[-4].sequence
    assert "radius" in incident.entries()[old].body
    add_radius(incident, radius(CONTOSO, FABRIKAM), corrects=old)
    with pytest.raises(ConflictError, match="are of another blast radius"):
        send(incident, given)


def test_without_letters_there_is_nothing_to_send(open_incident: Open) -> None:
    with pytest.raises(FormError, match="no letters were written yet"):
        send(open_incident(CONTOSO), settings())


def test_without_a_mail_server_in_the_settings_nothing_is_begun(open_incident: Open) -> None:
    incident = open_incident(CONTOSO)
    given = settings(smtp=None)
    prepared(incident, given)
    before = len(incident.entries())
    with pytest.raises(FormError, match=r"no \[smtp\]"):
        send(incident, given)
    assert len(incident.entries()) == before


def test_a_server_that_is_not_there_leaves_all_of_them_untold(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    nowhere = settings(free_port())
    prepared(incident, nowhere)
    found = send(incident, nowhere)
    assert set(states(found).values()) == {State.FAILED}
    assert not found.complete
    assert found.deliveries[0].detail.endswith("Connection refused")
    notes = [one.body["state"] for one in incident.entries() if one.body.get("notice") == "delivery"]
    assert notes == ["failed", "failed"]  # one for each letter, not one for each knock at the door
    assert send(incident, settings(post.port)).complete


@pytest.mark.parametrize(
    ("when", "lines", "state", "taken"),
    [
        ("refuse", ["450 later"], State.SENT, 1),
        ("refuse", ["450 later", "451 later"], State.FAILED, 0),
        ("refuse", ["550 no such mailbox"], State.REFUSED, 0),
        ("after_data", ["452 disk full"], State.SENT, 1),
        ("after_data", ["452 disk full", "452 disk full"], State.FAILED, 0),
        ("after_data", ["554 not wanted"], State.REFUSED, 0),
    ],
)
def test_what_the_server_says(
    open_incident: Open, post: Mailroom, when: str, lines: list[str], state: State, taken: int
) -> None:
    incident = open_incident(FABRIKAM)
    given = settings(post.port)
    prepared(incident, given)
    getattr(post, when)["security@fabrikam.example"] = list(lines)
    found = send(incident, given)
    assert states(found) == {"security@fabrikam.example": state}
    assert len(post.raw) == taken
    if state is State.REFUSED:
        assert states(send(incident, given)) == {"security@fabrikam.example": State.REFUSED}
        assert send(incident, given, again=True).complete


def test_a_server_that_takes_a_letter_and_does_not_say_so(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(FABRIKAM)
    given = settings(post.port, pace=Pace(attempts=1))
    prepared(incident, given)
    post.silent = 1
    found = send(incident, given)
    assert states(found) == {"security@fabrikam.example": State.UNCERTAIN}
    assert send(incident, given, clock=Clock(1_800_000_000)).complete
    assert len(post.raw) == 2
    assert post.raw[0] == post.raw[1], "the same bytes, so that a server can know them again"
    assert len(post.delivered()) == 1


def test_over_tls_with_a_password(open_incident: Open, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    incident = open_incident(FABRIKAM)
    with mailroom(context=context, password=b"hunter2") as post:

        def smtp(password: bytes, ca_file: Path | None) -> Settings:
            secret = Secret(password)
            made = Smtp("127.0.0.1", post.port, "starttls", "login", secret, ca_file, seconds=5)
            return settings(smtp=made, pace=Pace(attempts=1))

        prepared(incident, smtp(b"", None))
        found = send(incident, smtp(b"hunter2", None))
        assert "certificate verify failed" in found.deliveries[0].detail
        found = send(incident, smtp(b"wrong", authority.certificate))
        assert "does not let us in" in found.deliveries[0].detail
        assert states(found) == {"security@fabrikam.example": State.FAILED}
        assert send(incident, smtp(b"hunter2", authority.certificate)).complete
        assert len(post.raw) == 1


def test_a_server_without_tls_gets_nothing_that_was_to_go_over_tls(
    open_incident: Open, post: Mailroom
) -> None:
    incident = open_incident(FABRIKAM)
    given = settings(smtp=Smtp("127.0.0.1", post.port, "starttls", seconds=5), pace=Pace(attempts=1))
    prepared(incident, given)
    assert not send(incident, given).complete
    assert not post.raw


def test_two_at_once_do_not_send_twice(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    prepared(incident, given)
    with incident.alone("notify"), pytest.raises(BusyError):
        send(incident, given)
    assert not post.raw


def test_a_letter_that_came_back_is_not_told(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(FABRIKAM)
    given = settings(post.port)
    prepared(incident, given)
    (sent,) = send(incident, given).deliveries
    bounce(incident, sent.delivery.id, reference="5.1.1 mailbox unknown", actor="ann")
    found = standing_of(incident, newest_letters(incident))
    assert states(found) == {"security@fabrikam.example": State.REFUSED}
    assert found.deliveries[0].detail == "came back: 5.1.1 mailbox unknown"
    with pytest.raises(FormError, match="was sent"):
        bounce(incident, sent.delivery.id, reference="", actor="ann")
    # a new address gets a first letter, no correction: nobody there was told anything
    moved = settings(post.port, {"fabrikam": Contact(mail=("new@fabrikam.example",))})
    prepared(incident, moved)
    assert states(send(incident, moved)) == {"new@fabrikam.example": State.SENT}
    assert "Correction" not in post.messages()[-1][1]["Subject"]


def test_a_bundle_has_what_was_sent(open_incident: Open, post: Mailroom, key: Signer, tmp_path: Path) -> None:
    incident = open_incident(CONTOSO, FABRIKAM)
    given = settings(post.port)
    letters = prepared(incident, given).letters
    send(incident, given)
    export(incident, tmp_path / "bundle.tar", key=key)
    with tarfile.open(tmp_path / "bundle.tar") as tar:
        names = set(tar.getnames())
        for one in letters.deliveries:
            for suffix in ("json", "txt", "html"):
                path = f"incident/work/letters-0001/{one.stem}.{suffix}"
                member = tar.extractfile(path)
                assert member is not None
                assert member.read() == letters.read(one, suffix)
    assert "incident/work/letters-0001/manifest.json" in names


def test_who_cannot_be_told_is_said(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO, FABRIKAM)
    given = settings(post.port, {"contoso": Contact(mail=("it@contoso.example",))})
    prepared(incident, given)
    found = send(incident, given)
    assert [one.tenant for one in found.untold] == ["fabrikam"]
    assert states(found) == {"it@contoso.example": State.SENT}
    assert not found.complete
