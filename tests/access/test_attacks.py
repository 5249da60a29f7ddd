"""Attacks on a room, each with the rule that says no. Nobody gets in where they do not belong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from access.authenticator import AAGUID, BE, OTHER_AAGUID, UP, UV, Authenticator, b64, unb64, uuid, vendor
from access.metadata_service import Service, entry
from access.rooms import HOUR, World, policy_text, screening
from immure.access import (
    FOUNDING,
    CeremonyError,
    DeniedError,
    Grant,
    HardwareKey,
    NoGrantError,
    Person,
    Request,
)
from immure.access.texts import spelled
from immure.errors import UsageError

Attack = Callable[[World], Any]
ROWS: dict[str, tuple[str, Attack]] = {}


def attack(rule: str) -> Callable[[Attack], Attack]:
    """An attack that must be refused by this rule."""

    def add(function: Attack) -> Attack:
        ROWS[function.__name__.replace("_", " ")] = (rule, function)
        return function

    return add


def enrol(world: World, account: str, person: str, sponsor: str = "prd-ada", **record: Any) -> str:
    """Enrol somebody; their account."""
    ceremony = world.door.request_enrolment(
        sponsor, new=account, person=person, screening=screening(world.clock.at, **record)
    )
    request = world.sign(ceremony).id
    world.register(account, request)
    world.register(account, request)
    approvers = [one for one in ("prd-grace", "prd-edsger", "prd-barbara") if one != sponsor]
    world.approve(request, approvers[0])
    assert world.approve(request, approvers[1]).state == "done"
    return account


# --- replayed, swapped, stale ---


@attack("challenge")
def an_approval_is_replayed(world: World) -> None:
    request = world.ask()
    response = world.touch(world.door.begin_approval("prd-grace", request))
    world.door.complete(response)
    world.door.complete(response)


@attack("challenge")
def an_approval_is_replayed_for_another_request(world: World) -> None:
    first, second = world.ask(), world.ask(purpose="something else")
    response = world.touch(world.door.begin_approval("prd-grace", first))
    world.door.complete(response)
    world.door.begin_approval("prd-grace", second)
    world.door.complete(response)


@attack("signature")
def the_client_data_are_swapped_for_those_of_another_ceremony(world: World) -> None:
    """The signature is over the request that was shown; the ceremony is that of another one."""
    harmless, wanted = world.ask(purpose="a harmless thing"), world.ask(hours=8)
    response = world.touch(world.door.begin_approval("prd-grace", harmless))
    other = world.door.begin_approval("prd-grace", wanted)
    client = json.loads(unb64(response["response"]["clientDataJSON"]))
    client["challenge"] = b64(other.challenge)
    response["response"]["clientDataJSON"] = b64(json.dumps(client).encode())
    world.door.complete(response)


@attack("credential")
def an_assertion_of_one_person_answers_the_ceremony_of_another(world: World) -> None:
    request = world.ask()
    ceremony = world.door.begin_approval("prd-grace", request)
    world.door.complete(world.keys["prd-edsger"][0].get(ceremony.options, lambda made: made))


@attack("signature")
def the_id_of_another_key_is_put_on_an_assertion(world: World) -> None:
    request = world.ask()
    ceremony = world.door.begin_approval("prd-grace", request)
    other = next(iter(world.keys["prd-grace"][1].credentials))
    response = world.keys["prd-edsger"][0].get(ceremony.options, lambda made: made.but(outer_id=other))
    response["response"].pop("userHandle")
    world.door.complete(response)


@attack("stale")
def a_response_comes_after_five_minutes(world: World) -> None:
    request = world.ask()
    response = world.touch(world.door.begin_approval("prd-grace", request))
    world.clock.pass_(minutes=5, seconds=1)
    world.door.complete(response)


@attack("challenge")
def a_response_comes_after_five_minutes_and_another_ceremony(world: World) -> None:
    request = world.ask()
    response = world.touch(world.door.begin_approval("prd-grace", request))
    world.clock.pass_(minutes=6)
    world.door.begin_approval("prd-grace", request)
    world.door.complete(response)


@attack("challenge")
def a_response_to_nothing(world: World) -> None:
    options = {"challenge": b64(b"x" * 32), "rpId": "access.prod.example", "allowCredentials": []}
    world.door.complete(world.keys["prd-ada"][0].get(options, lambda made: made))


@attack("challenge")
def an_assertion_for_another_room(world: World) -> None:
    """The same people and keys, the same page: each room has an id, and documents name it."""
    request = world.ask()
    ceremony = world.door.begin_approval("prd-grace", request)
    document = {**ceremony.document, "room": "another"}
    from immure.access.document import challenge

    options = {**ceremony.options, "challenge": b64(challenge(document))}
    world.door.complete(world.keys["prd-grace"][0].get(options))


@attack("response")
def a_registration_answers_an_approval(world: World) -> None:
    ceremony = world.door.begin_approval("prd-grace", world.ask())
    options = {
        "rp": {"id": "access.prod.example"},
        "user": {"id": b64(b"h" * 32)},
        "challenge": ceremony.options["challenge"],
        "excludeCredentials": [],
    }
    world.door.complete(Authenticator().create(options))


@attack("act")
def an_approval_is_given_out_as_a_request(world: World) -> None:
    response = world.touch(world.door.begin_approval("prd-grace", world.ask()))
    world.door.complete(response, act="request")


@attack("changed")
def an_approver_is_shown_fewer_keys_than_come_in(world: World) -> None:
    shown = world.door.begin_approval("prd-grace", _enrolment_with_keys(world)).document
    world.door.begin("approve", "prd-grace", {"request": shown["request"], "keys": shown["keys"][:1]})


@attack("changed")
def an_approver_is_shown_fewer_hours_than_are_asked_for(world: World) -> None:
    shown = world.door.begin_approval("prd-grace", world.ask(hours=8)).document["request"]
    harmless = {**shown, "subject": {**shown["subject"], "hours": 1}}
    world.door.begin("approve", "prd-grace", {"request": harmless, "keys": []})


@attack("request")
def a_key_is_slipped_in_among_those_of_another(world: World) -> None:
    """With a third key whoever sponsors a colleague could approve as that colleague."""
    world.register(
        "prd-eve", _enrolment_with_keys(world), world.keys.setdefault("eve's sponsor", [Authenticator()])[0]
    )


@attack("request")
def a_second_key_comes_with_a_request_for_one(world: World) -> None:
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id
    world.register("prd-ada", request)
    world.register("prd-ada", request)


def _enrolment_with_keys(world: World) -> str:
    ceremony = world.door.request_enrolment("prd-ada", new="prd-eve", person="P-eve", screening=screening())
    request = world.sign(ceremony).id
    world.register("prd-eve", request)
    assert world.register("prd-eve", request).state == "open"
    return request


# --- approvers that are none ---


@attack("self")
def the_requester_approves(world: World) -> None:
    world.approve(world.ask(), "prd-ada")


@attack("same-person")
def a_second_account_for_one_person(world: World) -> None:
    enrol(world, "prd-ada-2", "P-ada")


@attack("same-person")
def a_second_account_for_one_person_in_other_letters(world: World) -> None:
    enrol(world, "prd-ada-2", "p-ADA")


@attack("registered")
def a_second_account_with_the_hardware_key_of_the_first(world: World) -> None:
    """The authenticator itself refuses, since it is told which credentials there are; one that would not is
    found out by the credential."""
    ceremony = world.door.request_enrolment("prd-ada", new="prd-eve", person="P-eve", screening=screening())
    request = world.sign(ceremony).id
    key = world.keys["prd-ada"][0]
    begun = world.door.begin_registration("prd-eve", request)
    with pytest.raises(RuntimeError, match="InvalidStateError"):
        key.create(begun.options)
    mine = next(iter(key.credentials.values()))
    world.door.complete(key.create(begun.options, lambda made: made.but(credential=mine, cose=mine.cose)))


@attack("registered")
def a_second_credential_with_one_public_key(world: World) -> None:
    ceremony = world.door.request_enrolment("prd-ada", new="prd-eve", person="P-eve", screening=screening())
    request = world.sign(ceremony).id
    mine = next(iter(world.keys["prd-ada"][0].credentials.values()))
    world.register("prd-eve", request, twist=lambda made: made.but(cose=mine.cose))


@attack("approved")
def one_person_approves_twice(world: World) -> None:
    request = world.ask()
    world.approve(request, "prd-grace")
    world.approve(request, "prd-grace")


@attack("approved")
def one_person_approves_twice_with_two_keys(world: World) -> None:
    request = world.ask()
    world.approve(request, "prd-grace")
    world.approve(request, "prd-grace", key=world.keys["prd-grace"][1])


@attack("credential")
def two_approve_with_one_key(world: World) -> None:
    request = world.ask()
    world.approve(request, "prd-grace")
    ceremony = world.door.begin_approval("prd-edsger", request)
    world.door.complete(world.keys["prd-grace"][0].get(ceremony.options, lambda made: made))


@attack("self")
def whom_it_is_about_approves(world: World) -> None:
    ceremony = world.door.begin_request("prd-ada", "key", {"account": "prd-grace"})
    request = world.sign(ceremony).id
    world.register("prd-grace", request)
    world.approve(request, "prd-grace")


@attack("account")
def somebody_approves_who_is_not_there(world: World) -> None:
    world.door.begin_approval("prd-nobody", world.ask())


@attack("person")
def somebody_approves_who_is_suspended(world: World) -> None:
    request = world.ask()
    world.sign(world.door.begin_suspension("prd-edsger", "prd-grace", "seems odd"))
    world.door.begin_approval("prd-grace", request)


@attack("person")
def somebody_is_suspended_between_challenge_and_response(world: World) -> None:
    response = world.touch(world.door.begin_approval("prd-grace", world.ask()))
    world.sign(world.door.begin_suspension("prd-edsger", "prd-grace", "seems odd"))
    world.door.complete(response)


@attack("screening")
def somebody_approves_whose_screening_has_run_out(world: World) -> None:
    request = world.ask()
    world.clock.pass_(days=364, hours=23)
    request = world.ask()
    world.clock.pass_(hours=2)
    world.door.begin_approval("prd-grace", request)


@attack("level")
def somebody_approves_who_is_screened_to_less(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", level="basic")
    world.approve(world.ask(), "prd-eve")


@attack("level")
def somebody_asks_who_is_screened_to_less(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", level="basic")
    world.ask("prd-eve")


@attack("request")
def an_approval_comes_after_a_day(world: World) -> None:
    request = world.ask()
    world.clock.pass_(hours=24)
    world.approve(request, "prd-grace")


@attack("request")
def an_approval_comes_after_a_denial(world: World) -> None:
    request = world.ask()
    world.approve(request, "prd-grace")
    world.sign(world.door.begin_denial("prd-edsger", request))
    world.approve(request, "prd-barbara")


@attack("request")
def a_third_approval(world: World) -> None:
    world.approve(world.granted(), "prd-barbara")


@attack("no-grant")
def an_approval_of_somebody_who_was_suspended_after_it(world: World) -> None:
    """It does not count any more: with the next one there are two, of which one stands."""
    request = world.ask()
    world.approve(request, "prd-grace")
    world.sign(world.door.begin_suspension("prd-barbara", "prd-grace", "seems odd"))
    assert world.approve(request, "prd-edsger").state == "open"
    world.door.live_grant("room:debug", "enter")


@attack("no-grant")
def an_approval_of_somebody_who_has_come_back_since(world: World) -> None:
    """Why they were suspended may be why they have approved: they must do it again."""
    request = world.ask()
    world.approve(request, "prd-grace")
    world.sign(world.door.begin_suspension("prd-barbara", "prd-grace", "seems odd"))
    subject = {"account": "prd-grace", "reason": "it was not"}
    back = world.sign(world.door.begin_request("prd-barbara", "reinstate", subject)).id
    world.approve(back, "prd-ada")
    assert world.approve(back, "prd-edsger").state == "done"
    assert world.approve(request, "prd-edsger").state == "open"
    world.door.live_grant("room:debug", "enter")


@attack("no-grant")
def an_approval_of_somebody_who_is_screened_to_less_since(world: World) -> None:
    enrol(world, "prd-eve", "P-eve")
    request = world.ask()
    world.approve(request, "prd-eve")
    lower = {"account": "prd-eve", "screening": screening(world.clock.at, level="basic")}
    renewal = world.sign(world.door.begin_request("prd-barbara", "screening", lower)).id
    world.approve(renewal, "prd-grace")
    assert world.approve(renewal, "prd-edsger").state == "done"
    assert world.approve(request, "prd-grace").state == "open"
    world.door.live_grant("room:debug", "enter")


@attack("no-grant")
def an_approval_with_a_key_whose_model_is_broken_since(world: World) -> None:
    other, key = _other_model(world, "prd-grace")
    request = world.ask()
    world.sign(world.door.begin_approval("prd-grace", request), key=key)
    world.door.import_metadata(other.blob(entry(OTHER_AAGUID, "REVOKED")), [other.root.certificate])
    assert world.door.person_fault("prd-grace") is None  # she has two others
    assert world.approve(request, "prd-edsger").state == "open"
    world.door.live_grant("room:debug", "enter")


@attack("key-state")
def a_request_with_a_key_whose_model_is_broken_since(world: World) -> None:
    other, key = _other_model(world, "prd-ada")
    ceremony = world.door.request_grant("prd-ada", resource="room:debug", actions=["enter"],
                                        purpose="crash of the mailer", ticket="INC-1", hours=1)  # fmt: skip
    request = world.sign(ceremony, key=key).id
    world.door.import_metadata(other.blob(entry(OTHER_AAGUID, "REVOKED")), [other.root.certificate])
    world.approve(request, "prd-grace")
    world.approve(request, "prd-edsger")


@attack("key-state")
def a_session_with_a_key_whose_model_is_broken_since(world: World) -> None:
    other, key = _other_model(world, "prd-grace")
    done = world.sign(world.door.begin_sign_in("prd-grace"), key=key)
    assert done.secret is not None
    assert world.door.signed_in(done.secret.reveal()).id == "prd-grace"
    world.door.import_metadata(other.blob(entry(OTHER_AAGUID, "REVOKED")), [other.root.certificate])
    world.door.signed_in(done.secret.reveal())


def _other_model(world: World, account: str) -> tuple[Service, Authenticator]:
    """A third key for somebody, of a model that only it is of; and who can report that model."""
    root = vendor()[0]
    model = (
        f"[[key]]\nname = 'Other Key'\naaguid = '{uuid(OTHER_AAGUID)}'\nroots = ['''{root.pem.strip()}''']\n"
    )
    install(world, policy_text(model))
    request = world.sign(world.door.begin_request("prd-barbara", "key", {"account": account})).id
    key = Authenticator(attester=root.attester(OTHER_AAGUID), aaguid=OTHER_AAGUID)
    world.register(account, request, key)
    for approver in [one for one in ("prd-grace", "prd-edsger", "prd-ada") if one != account]:
        done = world.approve(request, approver)
    assert done.state == "done"
    return Service(), key


# --- keys ---


@attack("user-verification")
def a_touch_without_a_pin(world: World) -> None:
    world.approve(world.ask(), "prd-grace", twist=lambda made: made.but(flags=UP))


@attack("synced")
def a_key_that_says_it_is_synced_now(world: World) -> None:
    world.approve(world.ask(), "prd-grace", twist=lambda made: made.but(flags=UP | UV | BE))


@attack("synced")
def a_synced_passkey_is_registered(world: World) -> None:
    world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"}))
    request = world.door.records(Request)[0].id
    world.register("prd-ada", request, Authenticator(flags=UP | UV | BE))


@attack("counter")
def a_copy_of_a_key(world: World) -> None:
    copy = Authenticator(credentials=dict(world.keys["prd-grace"][0].credentials))
    before = next(iter(copy.credentials.values())).counter
    world.approve(world.ask(), "prd-grace")
    world.approve(world.ask(), "prd-grace", twist=lambda made: made.but(counter=before))


@attack("keys")
def a_key_is_used_after_it_was_reported_lost(world: World) -> None:
    lost = _credential(world, "prd-grace", 0)
    world.sign(world.door.begin_lost_key("prd-edsger", lost, world.clock.at))
    world.door.begin_approval("prd-grace", world.ask())


@attack("key-state")
def a_lost_key_answers_for_another_one(world: World) -> None:
    response = world.touch(world.door.begin_approval("prd-grace", world.ask()))
    world.sign(world.door.begin_lost_key("prd-edsger", _credential(world, "prd-grace", 0), world.clock.at))
    world.door.complete(response)


@attack("key-state")
def a_key_that_was_registered_and_not_approved(world: World) -> None:
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id
    key = Authenticator()
    world.register("prd-ada", request, key)
    ceremony = world.door.request_grant(
        "prd-ada",
        resource="room:debug",
        actions=["enter"],
        purpose="crash of the mailer",
        ticket="INC-1",
        hours=1,
    )
    world.door.complete(key.get(ceremony.options, lambda made: made))


def _credential(world: World, account: str, number: int) -> str:
    return b64(next(iter(world.keys[account][number].credentials)))


# --- people ---


@attack("namespace")
def a_corporate_account_is_enrolled(world: World) -> None:
    enrol(world, "eve@corp.example", "P-eve")


@attack("namespace")
def a_corporate_account_by_another_name(world: World) -> None:
    enrol(world, "CORP\\eve", "P-eve")


@attack("namespace")
def an_account_of_another_namespace(world: World) -> None:
    enrol(world, "eve", "P-eve")


@attack("namespace")
def a_federated_subject(world: World) -> None:
    enrol(world, "https://login.corp.example/eve", "P-eve")


@attack("document")
def a_mail_address_as_a_person(world: World) -> None:
    enrol(world, "prd-eve", "eve@corp.example")


@attack("screening")
def somebody_without_a_screening(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", expires=spelled(world.clock.at - HOUR))


@attack("screening")
def a_screening_of_the_future(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", screened=spelled(world.clock.at + HOUR))


@attack("screening")
def a_screening_with_its_results(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", results="has debts")


@attack("screening")
def a_level_that_there_is_not(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", level="godlike")


@attack("request")
def somebody_with_one_key(world: World) -> None:
    ceremony = world.door.request_enrolment("prd-ada", new="prd-eve", person="P-eve", screening=screening())
    request = world.sign(ceremony).id
    world.register("prd-eve", request)
    world.approve(request, "prd-grace")


@attack("account")
def an_account_that_was_somebody_elses(world: World) -> None:
    world.sign(world.door.begin_leaving("prd-grace", "prd-barbara", "retires"))
    world.door.request_enrolment("prd-ada", new="prd-barbara", person="P-other", screening=screening())


@attack("account")
def a_key_for_somebody_whom_the_request_is_not_about(world: World) -> None:
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id
    world.register("prd-grace", request)


@attack("founding")
def a_founder_more_when_the_room_is_open(world: World) -> None:
    world.door.name_founder("prd-eve", "P-eve", screening=screening())


@attack("founding")
def a_key_more_for_a_founder_when_the_room_is_open(world: World) -> None:
    world.register("prd-ada")


@attack("person")
def the_room_is_founded_again(world: World) -> None:
    world.door.begin_founding("prd-ada")


# --- grants ---


@attack("rule")
def something_that_no_rule_is_about(world: World) -> None:
    world.ask(resource="key:signing", actions=["use"])


@attack("resource")
def something_that_there_is_not(world: World) -> None:
    world.ask(resource="everything")


@attack("resource")
def an_action_that_there_is_not(world: World) -> None:
    world.ask(actions=["destroy"])


@attack("resource")
def one_action_many_times(world: World) -> None:
    world.ask(actions=["enter"] * 100_000)


@attack("ticket")
def no_ticket(world: World) -> None:
    world.ask(ticket="")


@attack("purpose")
def no_purpose(world: World) -> None:
    world.ask(purpose="   x   ")


@attack("hours")
def more_hours_than_there_are(world: World) -> None:
    world.ask(hours=9)


@attack("hours")
def no_hours(world: World) -> None:
    world.ask(hours=0)


@attack("document")
def a_request_with_a_member_more(world: World) -> None:
    subject = {
        "resource": "room:debug",
        "actions": ["enter"],
        "purpose": "x" * 20,
        "ticket": "INC-1",
        "hours": 1,
    }
    world.sign(world.door.begin_request("prd-ada", "grant", {**subject, "needed": 0}))


@attack("no-grant")
def another_resource_than_the_granted_one(world: World) -> None:
    world.granted()
    world.door.live_grant("room:production", "enter")


@attack("no-grant")
def another_action_than_the_granted_one(world: World) -> None:
    world.granted(resource="dump:1", actions=["open"])
    world.door.live_grant("dump:1", "release")


@attack("no-grant")
def the_grant_of_another(world: World) -> None:
    world.granted()
    world.door.live_grant("room:debug", "enter", account="prd-edsger")


@attack("expired")
def a_grant_that_has_ended(world: World) -> None:
    world.granted(hours=1)
    world.clock.pass_(hours=1)
    world.door.live_grant("room:debug", "enter")


@attack("screening")
def a_screening_runs_out_between_approval_and_use(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", expires=spelled(world.clock.at + HOUR))
    world.granted("prd-eve", hours=2)
    assert world.door.live_grant("room:debug", "enter").account == "prd-eve"
    world.clock.pass_(hours=1)
    world.door.live_grant("room:debug", "enter")


@attack("screening")
def a_screening_runs_out_between_request_and_approval(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", expires=spelled(world.clock.at + HOUR))
    request = world.ask("prd-eve")
    world.approve(request, "prd-grace")
    world.clock.pass_(hours=1)
    world.approve(request, "prd-edsger")


@attack("grant")
def whoever_has_it_is_suspended(world: World) -> None:
    world.granted()
    world.sign(world.door.begin_suspension("prd-barbara", "prd-ada", "seems odd"))
    world.door.live_grant("room:debug", "enter")


@attack("grant")
def whoever_has_it_comes_back(world: World) -> None:
    """Grants that a suspension has revoked stay revoked."""
    world.granted()
    world.sign(world.door.begin_suspension("prd-barbara", "prd-ada", "seems odd"))
    subject = {"account": "prd-ada", "reason": "it was not"}
    request = world.sign(world.door.begin_request("prd-barbara", "reinstate", subject)).id
    world.approve(request, "prd-grace")
    world.approve(request, "prd-edsger")
    assert world.door.record(Person, "prd-ada").state == "active"
    world.door.live_grant("room:debug", "enter")


@attack("grant")
def a_key_that_has_approved_it_is_lost(world: World) -> None:
    world.granted()
    world.sign(
        world.door.begin_lost_key("prd-barbara", _credential(world, "prd-edsger", 0), world.clock.at - HOUR)
    )
    world.door.live_grant("room:debug", "enter")


@attack("no-grant")
def an_approval_with_a_key_that_was_lost_before(world: World) -> None:
    request = world.ask()
    world.approve(request, "prd-grace")
    world.sign(
        world.door.begin_lost_key("prd-barbara", _credential(world, "prd-grace", 0), world.clock.at - HOUR)
    )
    assert world.approve(request, "prd-edsger").state == "open"
    world.door.live_grant("room:debug", "enter")


@attack("grant")
def a_key_that_has_approved_it_came_in_by_one_that_is_lost(world: World) -> None:
    """What is taken back takes with it what was done with it."""
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-grace"})).id
    third = Authenticator()
    world.register("prd-grace", request, third)
    world.approve(request, "prd-edsger")
    world.approve(request, "prd-barbara")
    grant = world.ask()
    world.sign(world.door.begin_approval("prd-grace", grant), key=third)
    assert world.approve(grant, "prd-edsger", key=world.keys["prd-edsger"][1]).state == "done"
    world.sign(
        world.door.begin_lost_key("prd-barbara", _credential(world, "prd-edsger", 0), world.clock.at - HOUR)
    )
    world.door.live_grant("room:debug", "enter")


@attack("grant")
def a_person_who_has_approved_it_came_in_by_a_key_that_is_lost(world: World) -> None:
    enrol(world, "prd-eve", "P-eve")
    grant = world.ask()
    world.approve(grant, "prd-eve")
    assert world.approve(grant, "prd-barbara").state == "done"
    world.sign(
        world.door.begin_lost_key("prd-barbara", _credential(world, "prd-edsger", 0), world.clock.at - HOUR)
    )
    world.door.live_grant("room:debug", "enter")


# --- sessions ---


@attack("workstation")
def from_a_workstation_that_nobody_has_approved(world: World) -> None:
    world.door.begin_session("prd-ada", world.granted(), workstation="0" * 64)


@attack("person")
def on_the_grant_of_another(world: World) -> None:
    world.door.begin_session("prd-grace", world.granted(), workstation="0" * 64)


@attack("session")
def with_a_secret_that_there_is_not(world: World) -> None:
    world.door.session(b"x" * 32, workstation="0" * 64)


# --- broken glass ---


@attack("rule")
def the_glass_of_something_else(world: World) -> None:
    world.door.begin_break_glass("prd-ada", resource="dump:1", actions=["release"], reason="it is urgent")


@attack("hours")
def broken_glass_for_long(world: World) -> None:
    world.door.begin_break_glass(
        "prd-ada", resource="room:debug", actions=["enter"], reason="it is urgent", hours=2
    )


@attack("unreviewed")
def broken_glass_again(world: World) -> None:
    _break(world)
    _break(world)


@attack("unreviewed")
def another_grant_before_the_review(world: World) -> None:
    _break(world)
    world.ask()


@attack("unreviewed")
def broken_glass_is_closed_before_the_review(world: World) -> None:
    world.sign(world.door.begin_closing("prd-ada", _break(world)))


@attack("self")
def whoever_has_broken_it_reviews_it(world: World) -> None:
    world.door.begin_review("prd-ada", _break(world), verdict="justified", reason="I had to")


def _break(world: World) -> str:
    ceremony = world.door.begin_break_glass(
        "prd-ada", resource="room:debug", actions=["enter"], reason="nobody answers"
    )
    return world.sign(ceremony).id


@attack("document")
def broken_glass_under_the_id_of_a_request(world: World) -> None:
    """When that is granted, its grant would take the place of the glass, and nobody would review it."""
    request = world.ask("prd-edsger")
    body = {"grant": request, "resource": "room:debug", "actions": ["enter"], "reason": "nobody answers"}
    world.door.begin("break-glass", "prd-ada", {**body, "hours": 1})


@attack("document")
def a_request_under_the_id_of_broken_glass(world: World) -> None:
    glass = _break(world)
    subject = {
        "resource": "room:debug",
        "actions": ["enter"],
        "purpose": "x" * 20,
        "ticket": "INC-1",
        "hours": 1,
    }
    world.door.begin("request", "prd-grace", {"request": glass, "kind": "grant", "subject": subject})


@attack("unreviewed")
def another_grant_under_another_account_before_the_review(world: World) -> None:
    enrol(world, "prd-eve", "P-eve")
    _break(world)
    world.sign(world.door.begin_leaving("prd-grace", "prd-ada", "retires"))
    enrol(world, "prd-ada-2", "P-ADA", sponsor="prd-barbara")
    world.ask("prd-ada-2")


@attack("approved")
def one_person_reviews_twice_under_two_accounts(world: World) -> None:
    enrol(world, "prd-eve", "P-eve")
    install(world, policy_text(**{"[break_glass]": "[break_glass]\nreviewers = 2"}))
    glass = _break(world)
    world.sign(world.door.begin_review("prd-grace", glass, verdict="justified", reason="saw the log, INC-12"))
    world.sign(world.door.begin_leaving("prd-barbara", "prd-grace", "retires"))
    request = world.sign(
        world.door.request_enrolment(
            "prd-barbara", new="prd-grace-2", person="P-grace", screening=screening()
        )
    ).id
    world.register("prd-grace-2", request)
    world.register("prd-grace-2", request)
    world.approve(request, "prd-eve")
    assert world.approve(request, "prd-edsger").state == "done"
    world.door.begin_review("prd-grace-2", glass, verdict="justified", reason="saw the log, INC-12")


# --- the policy ---


def install(world: World, text: str) -> None:
    """Let another policy be in force."""
    request = world.sign(world.door.request_policy("prd-barbara", text)).id
    world.approve(request, "prd-grace")
    assert world.approve(request, "prd-edsger").state == "done"


@attack("policy")
def a_policy_with_another_relying_party(world: World) -> None:
    text = policy_text(**{'id = "access.prod.example"': 'id = "prod.example"'})
    world.door.request_policy("prd-ada", text)


@attack("policy")
def a_policy_under_which_nobody_could_act(world: World) -> None:
    """It could never be changed again."""
    text = policy_text(**{'levels = ["basic", "enhanced"]': 'levels = ["basic", "enhanced"]\nkeys = 3'})
    world.door.request_policy("prd-ada", text)


@attack("policy")
def a_policy_that_does_not_take_the_keys_that_there_are(world: World) -> None:
    text = policy_text(**{uuid(AAGUID): uuid(OTHER_AAGUID)})
    world.door.request_policy("prd-ada", text)


@attack("level")
def broken_glass_by_somebody_who_is_screened_to_less(world: World) -> None:
    enrol(world, "prd-eve", "P-eve", level="basic")
    world.door.begin_break_glass("prd-eve", resource="room:debug", actions=["enter"], reason="it is urgent")


@attack("request")
def a_key_for_a_request_that_has_run_out(world: World) -> None:
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id
    world.clock.pass_(hours=25)
    world.register("prd-ada", request)


@attack("policy")
def a_policy_with_one_approver(world: World) -> None:
    world.door.request_policy("prd-ada", policy_text(**{'ticket = "INC-*"': "approvers = 1"}))


@attack("request")
def a_request_that_was_made_under_the_last_policy(world: World) -> None:
    waiting = world.ask()
    world.approve(waiting, "prd-grace")
    request = world.sign(
        world.door.request_policy("prd-barbara", policy_text("\n[sessions]\nhours = 1\n"))
    ).id
    world.approve(request, "prd-grace")
    world.approve(request, "prd-edsger")
    world.approve(waiting, "prd-edsger")


@pytest.mark.parametrize("row", ROWS)
def test_nobody_gets_in_where_they_do_not_belong(row: str, world: World) -> None:
    rule, function = ROWS[row]
    with pytest.raises((DeniedError, UsageError)) as caught:
        function(world)
    assert getattr(caught.value, "rule", None) == rule, caught.value
    live = [grant for grant in world.door.records(Grant) if world.door.grant_fault(grant.id) is None]
    assert all(grant.glass or len(grant.approvers) >= 2 for grant in live)
    world.door.verify()


def test_what_is_refused_is_logged_and_a_copied_key_is_stopped(world: World) -> None:
    a_copy = ROWS["a copy of a key"][1]
    with pytest.raises(CeremonyError):
        a_copy(world)
    kinds = [entry.kind for entry in world.door.log.entries()]
    assert kinds[-3:] == ["access.refused", "access.suspect", "access.alarm"]
    states = {key.state for key in world.door.records(HardwareKey, about="prd-grace")}
    assert states == {"active", "suspect"}
    assert [alarm.kind for alarm in world.heard] == ["suspect-key"]
    with pytest.raises(DeniedError, match="fewer than 2 hardware keys"):
        world.door.begin_approval("prd-grace", world.ask())


def test_a_ceremony_is_over_after_a_few_responses_that_do_not_hold(world: World) -> None:
    ceremony = world.door.begin_approval("prd-grace", world.ask())
    rules = []
    for _ in range(6):
        with pytest.raises(CeremonyError) as caught:
            world.sign(ceremony, lambda made: made.but(signature=b"\0"))
        rules.append(caught.value.rule)
    assert rules == ["signature"] * 5 + ["challenge"]


def test_ceremonies_are_bounded(world: World) -> None:
    request = world.ask()
    for _ in range(32):
        world.door.begin_approval("prd-grace", request)
    with pytest.raises(DeniedError) as caught:
        world.door.begin_approval("prd-grace", request)
    assert caught.value.rule == "busy"
    world.clock.pass_(minutes=6)
    world.door.begin_approval("prd-grace", world.ask("prd-edsger"))


def test_nobody_keeps_others_from_approving_by_signing_in_for_them(world: World) -> None:
    """Whoever knows the name of an account can begin to sign in as it, as often as they like."""
    request = world.ask()
    for _ in range(32):
        world.door.begin_sign_in("prd-grace")
    with pytest.raises(DeniedError) as caught:
        world.door.begin_sign_in("prd-grace")
    assert caught.value.rule == "busy"
    assert world.approve(request, "prd-grace").state == "open"
    for _ in range(31):
        world.door.begin_approval("prd-edsger", request)
    world.door.begin_sign_in("prd-edsger")


def test_a_clock_that_goes_back_by_less_than_what_is_written_down(world: World) -> None:
    """How late it is, is written down once a minute; a door that is open remembers it to the second."""
    from immure.access import ClockError

    world.granted(hours=1)
    world.door.live_grant("room:debug", "enter")
    world.clock.pass_(minutes=59, seconds=45)
    world.door.live_grant("room:debug", "enter")
    world.clock.pass_(seconds=30)
    for reader in (world.door, world.open(signer=None)):
        with pytest.raises(NoGrantError, match="has ended"):
            reader.live_grant("room:debug", "enter")
        world.clock.pass_(seconds=-30)
        with pytest.raises(ClockError):
            reader.live_grant("room:debug", "enter")
        world.clock.pass_(seconds=30)
    reader.close()


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\u2028", "\x1b[2J", "\u202e", "\0"])
def test_nobody_writes_lines_into_what_others_read(sign: str, world: World) -> None:
    from immure.access.words import subject_words

    plain = world.door.begin_approval("prd-grace", world.ask(hours=8)).words
    forged = f"crash of the mailer{sign}  for: 1 hours from the last approval on"
    request = world.ask(hours=8, purpose=forged)
    words = world.door.begin_approval("prd-grace", request).words
    shown = subject_words("grant", world.door.record(Request, request).subject)
    assert len(words) == len(plain)
    reason = f"nobody answers{sign}  for: 1 hours"
    glass = world.door.begin_break_glass("prd-ada", resource="room:x", actions=["enter"], reason=reason).words
    for line in (*words, *shown, *glass):
        assert line.isprintable()
        assert not line.startswith("  for: 1 ")


def test_founders_sign_all_that_was_written_down_of_them(empty: World) -> None:
    for name in ("ada", "grace", "edsger"):
        empty.founder(f"prd-{name}", f"P-{name}", roles=["root"] if name == "edsger" else [])
    ceremony = empty.door.begin_founding("prd-ada")
    (listed,) = (one for one in ceremony.document["founders"] if one["account"] == "prd-edsger")
    assert listed["roles"] == ["root"]
    assert (listed["attester"], listed["reference"]) == ("Example Screening Ltd", "case 4711")
    (line,) = (line for line in ceremony.words if "prd-edsger" in line)
    screened = "screened to enhanced by Example Screening Ltd until 2027-11-30T09:00:00Z"
    assert line == f"  prd-edsger (P-edsger), {screened}, as root"
    people = [{**one, "roles": []} for one in ceremony.document["founders"]]
    with pytest.raises(DeniedError) as caught:
        empty.door.begin("found", "prd-ada", {"founders": people, "policy": ceremony.document["policy"]})
    assert caught.value.rule == "changed"


def test_the_wrong_clock_lets_nobody_in(world: World) -> None:
    from immure.access import ClockError

    world.granted(hours=1)
    world.clock.pass_(hours=2)
    with pytest.raises(NoGrantError, match="has ended"):
        world.door.live_grant("room:debug", "enter")
    world.clock.pass_(hours=-2)
    with pytest.raises(ClockError, match="nobody is let in by such a clock"):
        world.door.live_grant("room:debug", "enter")
    with pytest.raises(ClockError):
        world.ask()
    with pytest.raises(ClockError):
        world.again().live_grant("room:debug", "enter")
    world.clock.at += timedelta(hours=2)
    world.ask()


def test_founders_that_do_not_suffice(empty: World) -> None:
    empty.founder("prd-ada", "P-ada")
    empty.founder("prd-grace", "P-grace")
    with pytest.raises(DeniedError, match="there are 2 founders"):
        empty.door.begin_founding("prd-ada")
    with pytest.raises(DeniedError, match="P-ada has the account"):
        empty.founder("prd-third", "P-ada")
    with pytest.raises(DeniedError, match="not an account of this room"):
        empty.founder("third@corp.example", "P-third")
    empty.door.name_founder("prd-third", "P-third", screening=screening())
    empty.register("prd-third")
    with pytest.raises(DeniedError, match="prd-third has not registered 2 hardware keys"):
        empty.door.begin_founding("prd-ada")
    empty.register("prd-third")
    empty.sign(empty.door.begin_founding("prd-ada"))
    with pytest.raises(DeniedError, match="has signed already"):
        empty.door.begin_founding("prd-ada")
    with pytest.raises(DeniedError, match="a founder has signed"):
        empty.founder("prd-late", "P-late")
    with pytest.raises(DeniedError, match="the founders sign already"):
        empty.register("prd-grace")
    with pytest.raises(DeniedError) as caught:
        empty.ask()
    assert caught.value.rule == "founding" or caught.value.rule == "keys"
    assert not empty.door.open_for_requests
    empty.sign(empty.door.begin_founding("prd-grace"))
    assert empty.sign(empty.door.begin_founding("prd-third")).state == "open"
    assert empty.ask()


def test_the_challenge_is_the_hash_of_the_canonical_request(world: World) -> None:
    """RFC 8785, by another implementation: sorted names, no white space."""
    request = world.ask(purpose="Größe, „in words“ \u20ac")
    ceremony = world.door.begin_approval("prd-grace", request)
    text = json.dumps(ceremony.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert ceremony.challenge == hashlib.sha256(text.encode()).digest()
    assert ceremony.document["request"]["subject"]["purpose"] == "Größe, „in words“ €"
    assert any("Größe" in line for line in ceremony.words)
    assert any("room:debug" in line for line in ceremony.words)
    assert FOUNDING not in ceremony.words
