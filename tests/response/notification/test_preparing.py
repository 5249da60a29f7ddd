"""Who gets a letter, who a correction, and who nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from immure.response.errors import ConflictError, FormError, RadiusError
from immure.response.incident import Incident
from immure.response.notification.errors import LettersError
from immure.response.notification.letter_set import Delivery, LetterSet, parse_manifest
from immure.response.notification.planning import MOST_BY_MAIL
from immure.response.notification.sending import send_letters
from immure.response.notification.settings import Contact, Pace, Settings
from immure.response.notification.statement import changes, core_digest, statement_of
from immure.response.notification.status import Sent
from immure.response.radius import BlastRadius, Interval, Mailbox, TenantImpact
from response.notification.conftest import Open
from response.notification.making import (
    ADA,
    BEGIN,
    CONTOSO,
    END,
    FABRIKAM,
    GAP,
    QUIET,
    Clock,
    Mailroom,
    add_radius,
    prepared,
    radius,
    settings,
)

SCHEMA = json.loads(
    files("immure.response.notification").joinpath("notification-1.schema.json").read_text(encoding="utf-8")
)
VALID = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
ONE = {"contoso": Contact(mail=("it@contoso.example",)), "fabrikam": Contact(mail=("it@fabrikam.example",))}


def tell(incident: Incident, given: Settings) -> Sent:
    prepared(incident, given)
    return send_letters(incident, given, actor="ann", clock=Clock())


def list_of(letters: LetterSet, delivery: Delivery) -> Any:
    value = json.loads(letters.read(delivery, "json"))
    VALID.validate(value)
    return value


def radius_entry(incident: Incident) -> int:
    return max(one.sequence for one in incident.entries() if "radius" in one.body and one.kind == "fact")


def test_the_list_is_of_its_schema(open_incident: Open) -> None:
    letters = prepared(open_incident(CONTOSO, FABRIKAM)).letters
    for delivery in letters.deliveries:
        value = list_of(letters, delivery)
        assert value["edition"] == 1
        assert value["corrects"] is None
        assert core_digest(value) == delivery.statement
    assert "m1" in letters.read(letters.deliveries[0], "json").decode()


def test_who_is_told(open_incident: Open) -> None:
    letters = prepared(open_incident(CONTOSO, FABRIKAM, QUIET)).letters
    assert [one.tenant for one in letters.deliveries] == ["contoso", "contoso", "fabrikam"]
    assert not letters.untold
    assert parse_manifest(letters.manifest(), letters.folder) == letters


def test_a_tenant_whose_logs_are_absent_is_told_that_it_is_unknown(open_incident: Open) -> None:
    letters = prepared(open_incident(FABRIKAM)).letters
    value = list_of(letters, letters.deliveries[0])
    assert (value["standing"], value["tokens"], value["at_least"]) == ("unknown", 0, True)
    assert value["unknown"] == [
        {"begin": "2023-11-14T22:13:20Z", "end": "2023-11-14T23:13:20Z", "reason": "no log was kept"}
    ]


def test_what_is_unknown_for_everybody_is_unknown_for_each() -> None:
    found = statement_of(radius(CONTOSO, unknown=(GAP,)), "contoso", incident="i")
    assert found["at_least"] is True
    assert len(found["unknown"]) == 1
    nobody = statement_of(radius(CONTOSO, unknown=(GAP,)), "somebody else", incident="i")
    assert nobody["standing"] == "unknown"
    assert statement_of(radius(CONTOSO), "somebody else", incident="i")["standing"] == "not seen"


def test_written_again_nothing_changes(open_incident: Open) -> None:
    incident = open_incident(CONTOSO, FABRIKAM)
    first = prepared(incident)
    before = len(incident.entries())
    again = prepared(incident)
    assert not again.new
    assert again.letters == first.letters
    assert len(incident.entries()) == before


def test_sent_letters_are_not_written_again(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port)
    first = prepared(incident, given)
    send_letters(incident, given, actor="ann")
    assert not prepared(incident, given).new
    # the radius is worked out anew, with nothing else in it for this tenant
    add_radius(incident, replace(radius(CONTOSO), end=END + 60), corrects=radius_entry(incident))
    second = prepared(incident, given)
    assert second.letters.number == first.letters.number + 1
    assert second.letters.deliveries == ()
    assert send_letters(incident, given, actor="ann").complete
    assert len(post.raw) == 2


def test_a_correction_goes_to_everybody_who_has_the_wrong_statement(
    open_incident: Open, post: Mailroom
) -> None:
    incident = open_incident(CONTOSO, FABRIKAM)
    given = settings(post.port)
    tell(incident, given)
    ids = {to: str(message["Message-ID"]) for to, message in post.messages()}
    post.raw.clear()
    wider = TenantImpact(
        "contoso", 5, ("ada@contoso.example", "bob@contoso.example"),
        (ADA, Mailbox("bob@contoso.example", (), ("Sent",), 1)), (), BEGIN + 100, BEGIN + 900,
    )  # fmt: skip
    add_radius(incident, radius(wider, FABRIKAM), corrects=radius_entry(incident))
    # one of the places has left the settings: it has the wrong statement all the same
    fewer = settings(post.port, {**ONE, "contoso": Contact("Contoso", "en", ("it@contoso.example",))})
    letters = prepared(incident, fewer).letters
    assert {one.to for one in letters.deliveries} == {
        "it@contoso.example",
        "ceo@contoso.example",
        "it@fabrikam.example",  # new in the settings, so that it is told for the first time
    }
    found = send_letters(incident, fewer, actor="ann", clock=Clock())
    assert found.complete
    messages = dict(post.messages())
    corrected = messages["ceo@contoso.example"]
    assert corrected["Subject"].startswith("Correction (version 2)")
    assert corrected["In-Reply-To"] == ids["ceo@contoso.example"]
    assert not messages["it@fabrikam.example"]["In-Reply-To"]
    body = corrected.get_body(("plain",))
    assert body is not None
    assert f"(message {ids['ceo@contoso.example']})" in body.get_content()
    assert "tokens: it said 2, and it is 5" in body.get_content()
    (delivery,) = [one for one in letters.deliveries if one.to == "ceo@contoso.example"]
    corrects = list_of(letters, delivery)["corrects"]
    assert corrects["edition"] == 1
    assert corrects["certain"] is True
    assert {"member": "tokens", "was": 2, "is": 5} in corrects["changes"]
    assert {"member": "subjects", "added": ["bob@contoso.example"], "removed": []} in corrects["changes"]
    mailboxes = {"member": "mailboxes", "added": ["bob@contoso.example"], "removed": [], "changed": []}
    assert mailboxes in corrects["changes"]


def test_who_was_told_and_was_not_affected_is_told_so(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO, FABRIKAM)
    given = settings(post.port, ONE)
    tell(incident, given)
    post.raw.clear()
    add_radius(incident, radius(FABRIKAM), corrects=radius_entry(incident))
    assert tell(incident, settings(post.port, {"fabrikam": ONE["fabrikam"]})).complete
    ((to, message),) = post.messages()
    assert to == "it@contoso.example"
    body = message.get_body(("plain",))
    assert body is not None
    assert "standing: it said affected, and it is not seen" in body.get_content()
    # the same again, and the other way round: an edition for each
    add_radius(incident, radius(CONTOSO, FABRIKAM), corrects=radius_entry(incident))
    tell(incident, given)
    assert post.messages()[-1][1]["Subject"].startswith("Correction (version 3)")


def test_what_was_never_sent_is_not_corrected(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port, ONE)
    prepared(incident, given)
    more = replace(CONTOSO, tokens=9)
    add_radius(incident, radius(more), corrects=radius_entry(incident))
    assert tell(incident, given).complete
    ((_, message),) = post.messages()
    assert "Correction" not in message["Subject"]


def test_whoever_may_have_it_gets_the_very_message_again_or_a_correction(
    open_incident: Open, post: Mailroom
) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port, ONE, pace=Pace(attempts=1))
    prepared(incident, given)
    post.silent = 1
    send_letters(incident, given, actor="ann", clock=Clock())
    # another tenant is new, so that there are new letters; this one may have what is still so
    add_radius(incident, radius(CONTOSO, FABRIKAM), corrects=radius_entry(incident))
    post.silent = 2
    prepared(incident, given)
    send_letters(incident, given, actor="ann", clock=Clock(END + 5000))
    same = [data for to, data in post.raw if to == "it@contoso.example"]
    assert len(same) == 2
    assert same[0] == same[1]
    # now it turns out to be wrong, and nobody knows whether it arrived: a correction that says just that
    add_radius(incident, radius(replace(CONTOSO, tokens=7), FABRIKAM), corrects=radius_entry(incident))
    letters = prepared(incident, given).letters
    (delivery,) = [one for one in letters.deliveries if one.tenant == "contoso"]
    assert list_of(letters, delivery)["corrects"]["certain"] is False
    assert b"That message may not have reached you." in letters.read(delivery, "txt")


def test_letters_that_a_killed_run_has_left_are_taken_away(open_incident: Open) -> None:
    incident = open_incident(CONTOSO)
    left = incident.work / "letters-0001"
    left.mkdir()
    (left / "99999-somebody.txt").write_text("never written down")
    letters = prepared(incident).letters
    assert letters.folder == left
    assert not (left / "99999-somebody.txt").exists()


def test_letters_that_were_taken_back(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port, ONE)
    first = prepared(incident, given)
    words = {"says": "the address was wrong"}
    by = incident.add("correction", words, actor="ann", corrects=first.entry.sequence).sequence
    with pytest.raises(FormError, match=rf"letters 1 were taken back by entry {by}: write them anew"):
        send_letters(incident, given, actor="ann")
    assert tell(incident, given).letters.number == 2
    assert (first.letters.folder / "manifest.json").exists(), "what was approved once stays to be looked at"
    assert len(post.raw) == 1


def test_a_list_too_long_for_mail(open_incident: Open) -> None:
    many = tuple(f"message-{number:06d}-{'x' * 200}" for number in range(MOST_BY_MAIL // 200))
    incident = open_incident(replace(CONTOSO, mailboxes=(replace(ADA, messages=many),)))
    letters = prepared(incident, settings(1, ONE)).letters
    assert letters.deliveries == ()
    assert "too many for mail" in letters.untold[0].reason


def test_without_a_radius_there_are_no_letters(open_incident: Open) -> None:
    with pytest.raises(FormError, match="no blast radius was worked out yet"):
        prepared(open_incident())


def test_two_radii_that_contradict_each_other(open_incident: Open) -> None:
    incident = open_incident(CONTOSO)
    add_radius(incident, radius(FABRIKAM))
    with pytest.raises(ConflictError, match="give two blast radii: correct the one that is wrong"):
        prepared(incident)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_text("{}"), "not an object of the schema"),
        (lambda path: path.write_text(path.read_text().replace('"tokens": 2', '"tokens": 3')), "was changed"),
    ],
    ids=["gone", "empty", "changed"],
)
def test_a_radius_that_is_not_what_was_written(open_incident: Open, change: Any, words: str) -> None:
    incident = open_incident(CONTOSO)
    (path,) = incident.work.glob("radius-*.json")
    change(path)
    with pytest.raises(RadiusError, match=words):
        prepared(incident)


def test_earlier_letters_that_are_gone(open_incident: Open, post: Mailroom) -> None:
    incident = open_incident(CONTOSO)
    given = settings(post.port, ONE)
    tell(incident, given)
    for path in (incident.work / "letters-0001").iterdir():
        path.unlink()
    with pytest.raises(LettersError, match="cannot be read"):
        prepared(incident, given)


@pytest.mark.parametrize(
    "tenant", ["../../etc", "a/b\x00c", "", "ünïcode", "x" * 500, "\u202egnp.exe"], ids=repr
)
def test_names_of_tenants_lead_nowhere(open_incident: Open, tenant: str) -> None:
    incident = open_incident(replace(CONTOSO, tenant=tenant))
    letters = prepared(incident, settings(1, {tenant: Contact(mail=("it@contoso.example",))})).letters
    (delivery,) = letters.deliveries
    assert delivery.tenant == tenant
    assert sorted(path.parent for path in letters.folder.rglob("*")) == [letters.folder] * 4
    assert "\u202e" not in letters.read(delivery, "txt").decode()


TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=4, unique=True).map(tuple)
MAILBOXES = st.lists(
    st.builds(Mailbox, st.text(max_size=4), TEXTS, TEXTS, st.integers(0, 9)),
    max_size=3,
    unique_by=lambda box: box.address,
).map(tuple)
SECONDS = st.integers(0, 1 << 33)
INTERVALS = st.lists(st.builds(Interval, SECONDS, SECONDS, st.text(max_size=4)), max_size=2).map(tuple)
IMPACTS = st.builds(
    TenantImpact, st.just("t"), st.integers(0, 9), TEXTS, MAILBOXES, INTERVALS, st.none() | SECONDS,
    st.none() | SECONDS,
)  # fmt: skip


@hypothesis_given(IMPACTS, IMPACTS)
@hypothesis_settings(max_examples=60, deadline=None)
def test_statements_differ_just_where_there_are_changes(one: TenantImpact, other: TenantImpact) -> None:
    def told(impact: TenantImpact) -> dict[str, Any]:
        return statement_of(BlastRadius("k", "i", tenants=(impact,)), "t", incident="i")

    was, now = told(one), told(other)
    assert (changes(was, now) == []) == (core_digest(was) == core_digest(now))
    frame = {
        "edition": 1, "as_of": "2026-11-30T00:00:00Z", "radius": 64 * "0", "corrects": None,
        "looked_at": {"begin": "2026-11-30T00:00:00Z", "end": "2026-11-30T00:00:00Z"},
    }  # fmt: skip
    VALID.validate({**now, **frame})
    assert core_digest({**now, **frame}) == core_digest(now)
