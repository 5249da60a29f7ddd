"""The run of a containment: in order, resumable, killed at each step; and all that can be wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from immure.registry.sqlite_store import SqliteStore
from immure.registry.state import KeyState
from immure.response.containment.errors import UnknownKeyOfIncidentError
from immure.response.containment.running import ACTIONS, ContainmentRun, Outcome
from immure.response.containment.telling_steps import Deliver, open_events
from immure.response.errors import BusyError
from immure.response.events.errors import EventStoreError
from immure.response.events.kinds import ISSUER_KEY_COMPROMISE, SESSION_REVOKED
from immure.response.incident import Incident
from immure.response.radius import BlastRadius, TenantImpact
from immure.response.radius_record import keep_radius
from response.containment.light import ISSUER, NAME, Light, light

#: What there is to do without a signing service.
STEPS = (
    "stop-signing", "compromise", "key-set", "deny-list", "publish", "push", "events", "deliver", "caches",
)  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Light]:
    with light(tmp_path_factory.mktemp("light")) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Light]:
    with light(tmp_path) as running:
        yield running


def run(incident: Incident, house: Light, **options: Any) -> Outcome:
    return ContainmentRun(incident, house.settings, actor="ann", **options).carry_out()


def contain(house: Light, folder: Path, **options: Any) -> Outcome:
    with house.incident(folder) as incident:
        return run(incident, house, **options)


def steps(folder: Path) -> list[tuple[str, str, str]]:
    """Step, target and state of each entry, in order."""
    return [
        (str(one.body["step"]), str(one.body["target"]), str(one.body["state"]))
        for one in Incident.load(folder).entries()
        if one.kind == "step"
    ]


def check_contained(house: Light) -> None:
    """All of it is done, and nothing twice."""
    assert house.state() == "compromised"
    kids = [key["kid"] for key in json.loads((house.directory / "jwks.json").read_text())["keys"]]
    assert kids == ["ES256:other"]
    house.guard.look(now=True)
    held = house.guard.current
    assert held is not None
    assert [one.kid for one in held.keys].count(house.kid) == 1
    assert held.epoch(ISSUER) is not None
    text = (house.directory / "deny-list" / "deny-list.jwt").read_bytes()
    assert text == (house.directory / "mail.jwt").read_bytes() == (house.directory / "copy.jwt").read_bytes()
    mine = [one for one in house.receiver.taken.values() if one["txn"] == f"incident-{house.number}"]
    assert [next(iter(one["events"])) for one in mine] == [ISSUER_KEY_COMPROMISE]


def test_in_order(house: Light) -> None:
    folder = house.fresh()
    outcome = contain(house, folder)
    assert outcome.is_done
    assert [one.step for one in outcome.lines] == list(STEPS)
    assert [step for step, _, state in steps(folder) if state == "done"] == list(STEPS)
    assert [state for *_, state in steps(folder)] == ["begun", "done"] * len(STEPS)
    check_contained(house)
    [event] = house.receiver.taken.values()
    said = event["events"][ISSUER_KEY_COMPROMISE]
    assert house.guard.current is not None
    assert said["deny_list"] == {"name": NAME, "sequence": house.guard.current.sequence}
    assert (said["kid"], said["not_before"]) == (house.kid, house.guard.current.epoch(ISSUER))
    assert contain(house, folder).is_done
    assert len(steps(folder)) == 2 * len(STEPS)  # the second time nothing was begun
    assert (house.caches(), len(house.receiver.bodies)) == (1, 1)


def test_a_plan_does_nothing(house: Light) -> None:
    folder = house.fresh()
    plan = list(ContainmentRun(Incident.load(folder), house.settings, actor="ann").plan())
    assert [one.step for one in plan] == list(STEPS)
    assert {one.state for one in plan} == {"planned"}
    words = {one.step: one.words for one in plan}
    assert words["stop-signing"] == "suspend it"
    assert words["key-set"] == "take the key out"
    assert re.match(r"push it to http://127\.0\.0\.1:\d+/deny-list", words["push"])
    assert house.state() == "active"
    assert steps(folder) == []
    assert house.guard.store.read() is None
    contain(house, folder)
    plan = list(ContainmentRun(Incident.load(folder), house.settings, actor="ann").plan())
    assert {(one.state, one.words) for one in plan} == {("done", "was done")}


def killed(house: Light, folder: Path, step: str, when: str) -> int:
    """The signal that ends a process which contains, and kills itself before or after it does a step."""
    pid = os.fork()
    if pid == 0:
        try:
            action = next(one for one in ACTIONS if one.name == step)
            act: Callable[..., Any] = action.act

            def killing(self: Any, target: str) -> Any:
                if when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                act(self, target)
                os.kill(os.getpid(), signal.SIGKILL)

            action.act = killing  # type: ignore[method-assign]
            contain(house, folder)
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


#: Where it is killed in each run of the tests; everywhere else in a drill.
KILLS = {("stop-signing", "before"), ("deny-list", "after"), ("push", "after"), ("deliver", "after")}


@pytest.mark.parametrize(
    ("step", "when"),
    [
        pytest.param(step, when, marks=() if (step, when) in KILLS else pytest.mark.drill)
        for step in STEPS
        for when in ("before", "after")
    ],
)
def test_killed(shared: Light, step: str, when: str) -> None:
    folder = shared.fresh()
    before = len(shared.receiver.twice)
    assert killed(shared, folder, step, when) == signal.SIGKILL
    half = steps(folder)
    assert half[-1][0::2] == (step, "begun")
    assert contain(shared, folder).is_done
    check_contained(shared)
    all_steps = steps(folder)
    assert [step for step, _, state in all_steps if state == "done"] == list(STEPS)  # each once, none skipped
    assert all_steps[len(half)] == half[-1]  # it goes on with the step that was begun
    # what went out and was not written down goes out once more, by the same name
    assert len(shared.receiver.twice) == before


def test_killed_twice_and_between_answer_and_note(shared: Light) -> None:
    """The receiver has the token, and the store does not know it: it gets the same again, and knows it."""
    folder = shared.fresh()
    assert killed(shared, folder, "deliver", "before") == signal.SIGKILL
    pid = os.fork()
    if pid == 0:
        from immure.response.events.store import EventStore

        def dying(*_: Any) -> bool:
            os.kill(os.getpid(), signal.SIGKILL)
            return False

        EventStore.settle = dying  # type: ignore[method-assign]
        contain(shared, folder)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    count = len(shared.receiver.taken)
    last = shared.receiver.bodies[-1]
    assert contain(shared, folder).is_done
    assert len(shared.receiver.taken) == count
    assert shared.receiver.bodies[-1] == last
    check_contained(shared)


def test_one_process_at_a_time(house: Light) -> None:
    folder = house.fresh()
    with house.incident(folder) as incident, incident.alone("contain"), pytest.raises(BusyError):
        contain(house, folder)


def test_only_some_steps(house: Light) -> None:
    folder = house.fresh()
    assert [one.step for one in contain(house, folder, only=["deny-list", "push"]).lines] == [
        "deny-list",
        "push",
    ]
    assert house.state() == "active"
    first = house.guard.current
    with house.incident(folder) as incident:  # again, with what is not done yet: the list stays as it is
        assert run(incident, house).is_done
    house.guard.look(now=True)
    assert first is not None
    assert house.guard.current is not None
    check_contained(house)


# --- what can be wrong ---

STATES = [
    (KeyState.PRE_ACTIVE, "compromised"),
    (KeyState.DEACTIVATED, "compromised"),
    (KeyState.SUSPENDED, "compromised"),
    (KeyState.COMPROMISED, "compromised"),
]


@pytest.mark.parametrize(("state", "after"), STATES, ids=[one.value for one, _ in STATES])
def test_keys_that_do_not_sign(house: Light, state: KeyState, after: str) -> None:
    folder = house.fresh(state)
    assert contain(house, folder).is_done
    assert house.state() == after
    check_contained(house)


NOBODY = [
    ("another kid", {"kid": "k9"}, "no key 'k9' of 'https://login.example/'"),
    (
        "another issuer",
        {"kid": "ES256:burnt-1", "issuer": "https://other.example/"},
        "of 'https://other.example/'",
    ),
]


@pytest.mark.parametrize(("finding", "words"), [row[1:] for row in NOBODY], ids=[row[0] for row in NOBODY])
def test_an_unknown_key(house: Light, finding: dict[str, Any], words: str) -> None:
    """Nothing is done about a name that is wrong."""
    house.fresh()
    folder = house.open("wrong", **finding)
    with pytest.raises(UnknownKeyOfIncidentError, match=words):
        contain(house, folder)
    assert house.state() == "active"
    assert house.guard.store.read() is None
    assert steps(folder) == []


def test_an_incident_without_an_issuer(house: Light) -> None:
    house.fresh()
    folder = house.open(f"incident-{house.number}b", kid=house.kid, issuer="")
    assert contain(house, folder).is_done
    assert house.state() == "compromised"


#: What is changed in the settings, the step that fails, and what it says.
FAULTS: list[tuple[str, str, str, str, str]] = [
    ("nobody at the relying party", ":{port}/deny-list", ":9/deny-list", "push", "Connection refused"),
    ("no page there", "/deny-list\"\nseconds", "/none\"\nseconds", "push", "HTTP status 404"),
    ("a receiver that is not there", "{receiver}", "http://127.0.0.1:9/", "deliver", "1 events wait: .*ref"),
    ("a key that is not there", 'deny.key"\ndirectory', 'none.key"\ndirectory', "deny-list", "none.key"),
    ("a key set that is not there", "jwks.json", "none.json", "key-set", "none.json: cannot be read"),
    ("a command that fails", "echo x", "exit 3; echo x", "caches", "ended with 3"),
    ("a command that is none", "/bin/sh", "/bin/no-such-shell", "caches", "cannot be run"),
    ("a command that hangs", "echo x", "sleep 30; echo x", "caches", "did not end within 0.2 s"),
    ("a list that cannot be copied", '["copy.jwt"]', '["none/copy.jwt"]', "publish", "No such file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "step", "words"),
    [row[1:] for row in FAULTS],
    ids=[row[0] for row in FAULTS],
)
def test_faults(house: Light, old: str, new: str, step: str, words: str) -> None:
    """The others are done, the fault is said; when it is gone, only what is missing is done."""
    folder = house.fresh()
    good = house.config.read_text()
    port = re.search(r"127\.0\.0\.1:(\d+)/deny-list", good)
    assert port is not None
    places = {"port": port[1], "receiver": house.receiver.url}
    house.change(old.format(**places), new)
    if "did not end" in words:
        house.hurry = "caches"
    outcome = contain(house, folder)
    [*others] = [one.step for one in outcome.failed]
    assert others[0] == step
    assert re.search(words, outcome.failed[0].words)
    assert house.state() == "compromised"  # whatever else happens
    failed = [one for one in steps(folder) if one[2] == "failed"]
    assert {one[0] for one in failed} == set(others)
    assert len(failed) == 2 * len(others)  # each was tried once more at the end
    house.config.write_text(good)
    house.hurry = ""
    begun = len(steps(folder))
    assert contain(house, folder).is_done
    assert {one[0] for one in steps(folder)[begun:]} == set(others)
    check_contained(house)


def test_targets_that_could_not_be_told(house: Light) -> None:
    """That nobody knew for whom a step is to be done is ended, too, when it is known."""
    folder = house.fresh()
    (house.directory / "events.db").write_text("no database")
    failed = contain(house, folder).failed
    assert ("deliver", "") in [(one.step, one.target) for one in failed]
    (house.directory / "events.db").unlink()
    outcome = contain(house, folder)
    assert outcome.failed == ()
    last = {(step, target): state for step, target, state in steps(folder)}
    assert last["deliver", ""] == "done"
    assert set(last.values()) == {"done"}
    entries = len(steps(folder))
    assert contain(house, folder).is_done
    assert len(steps(folder)) == entries


def test_targets_that_are_told_the_second_time(house: Light, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, targets = house.fresh(), Deliver.targets
    refusals = [EventStoreError("is busy")]

    def once(self: Deliver) -> Any:
        if refusals:
            raise refusals.pop()
        return targets(self)

    monkeypatch.setattr(Deliver, "targets", once)
    assert contain(house, folder).is_done
    check_contained(house)


def test_what_somebody_has_corrected_is_done_again(house: Light) -> None:
    folder = house.fresh()
    assert contain(house, folder).is_done
    with house.incident(folder) as incident:
        [done] = [
            one.sequence for one in incident.entries()
            if one.body.get("step") == "caches" and one.body.get("state") == "done"
        ]  # fmt: skip
        incident.add("correction", {"says": "that was the cache of the test"}, actor="bo", corrects=done)
    assert contain(house, folder).is_done
    assert house.caches() == 2
    assert [step for step, *_ in steps(folder)[-2:]] == ["caches", "caches"]


#: How the receiver answers, whether the step fails, and what is said.
RECEIVERS: list[tuple[int | str, str]] = [
    (400, "refuses 1 events for good .*as it was told"),
    (500, "1 events wait: HTTP status 500"),
    ("hang", "1 events wait: no answer"),
]


@pytest.mark.parametrize(("how", "words"), RECEIVERS, ids=[str(how) for how, _ in RECEIVERS])
def test_receivers(house: Light, how: int | str, words: str) -> None:
    folder = house.fresh()
    house.receiver.misbehave = how
    house.hurry = "events" if how == "hang" else ""
    outcome = contain(house, folder)
    house.hurry = ""
    assert [one.step for one in outcome.failed] == ["deliver"]
    assert re.search(words, outcome.failed[0].words)
    first = house.receiver.bodies[0]
    house.receiver.misbehave = 0
    house.receiver.released.set()
    again = contain(house, folder)
    assert again.is_done is (how != 400)  # what was refused for good is not sent again
    assert set(house.receiver.bodies) == {first}


def test_a_receiver_that_refused_in_another_incident(house: Light) -> None:
    """What it refused for good then is not ours to mend; what it refuses now is."""
    first = house.fresh()
    house.receiver.misbehave = 400
    assert [one.step for one in contain(house, first).failed] == ["deliver"]
    house.receiver.misbehave = 0
    second = house.fresh()
    assert contain(house, second).is_done
    assert len(house.receiver.taken) == 1
    failed = contain(house, first).failed
    assert "refuses 1 events for good" in failed[0].words
    house.receiver.misbehave = 400
    assert "refuses 1 events for good" in contain(house, house.fresh()).failed[0].words


def test_a_stream_that_is_disabled(house: Light) -> None:
    """Nothing is sent to it, and nothing is missing."""
    folder = house.fresh()
    with open_events(house.settings.events) as store:  # type: ignore[arg-type]
        [stream] = store.streams()
        store.put_stream(replace(stream, status="disabled", reason="moved away"))
    plan = {
        one.step: one.words for one in ContainmentRun(Incident.load(folder), house.settings, actor="a").plan()
    }
    assert plan["events"].endswith("for 0 streams")
    assert contain(house, folder).is_done
    assert house.receiver.bodies == []
    assert "deliver" not in {step for step, *_ in steps(folder)}


def test_a_command_that_says_very_much(house: Light) -> None:
    """What it writes is not gathered: a program that does not stop would fill the memory."""
    folder = house.fresh()
    house.change("echo x >>", "head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2; echo x >>")
    tracemalloc.start()
    try:
        assert contain(house, folder, only=["caches"]).is_done
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_a_relying_party_with_a_newer_list(house: Light) -> None:
    """Its list has a higher number: somebody else signs with our key, or our directory was lost for long."""
    from immure.custody import open_signer as opened
    from immure.response.events.set_token import sign_compact
    from immure.tokens.deny_list import TYPE, DenyList

    ahead = DenyList(NAME, 1 << 50, 1, 100)
    with opened(f"file:{house.directory / 'deny.key'}") as signer:
        text = sign_compact(ahead.plain(), TYPE, signer, signer.thumbprint)
    house.guard.offer(text.encode())
    outcome = contain(house, house.fresh())
    assert [one.step for one in outcome.failed] == ["push"]
    assert "HTTP status 409" in outcome.failed[0].words
    assert str(1 << 50) in outcome.failed[0].words


def test_a_lost_directory(house: Light) -> None:
    """The number of a new list is still higher than that of the one that was lost."""
    assert contain(house, house.fresh()).is_done
    assert house.guard.current is not None
    first = house.guard.current.sequence
    shutil.rmtree(house.directory / "deny-list")
    while time.time() < first + 1:
        time.sleep(0.01)
    assert contain(house, house.fresh()).is_done
    house.guard.look(now=True)
    assert house.guard.current.sequence > first


# --- whose sessions are over ---

ADA = TenantImpact("contoso", 2, ("ada", "grace"), (), (), 1, 2)
MALLORY = TenantImpact("fabrikam", 1, ("mallory",), (), (), 1, 2)


def told_of(house: Light) -> list[str]:
    """Subjects whose sessions the receiver knows to be over."""
    return [one["sub_id"]["sub"] for one in house.receiver.taken.values() if SESSION_REVOKED in one["events"]]


def keep(house: Light, folder: Path, *tenants: TenantImpact, **members: Any) -> None:
    given = {"kid": house.kid, "issuer": ISSUER, **members}
    with house.incident(folder) as incident:
        keep_radius(incident, BlastRadius(**given, tenants=tenants), actor="ann")


def thumbprint(house: Light) -> str:
    with SqliteStore(house.directory / "keys.db") as store:
        return store.find(house.kid).thumbprint


def test_subjects_of_the_blast_radius(house: Light) -> None:
    """Of the one that stands, and not of one that was corrected, nor of another key."""
    folder = house.fresh()
    keep(house, folder, MALLORY)
    keep(house, folder, MALLORY, kid="another")
    keep(house, folder, ADA)
    assert contain(house, folder).is_done
    assert told_of(house) == ["ada", "grace"]


#: How the incident and the radius name the key: "T" is its thumbprint, "K" its kid, "I" its issuer.
SPELLED: list[tuple[dict[str, str], dict[str, str]]] = [
    ({"kid": "T", "issuer": ""}, {"thumbprint": "T"}),  # a dump: what tokens call it came from the registry
    ({"kid": "T", "issuer": ""}, {}),
    ({"kid": "K", "issuer": ""}, {"issuer": ""}),  # without a registry nobody said whose it is
    ({"kid": "K", "issuer": "I"}, {"issuer": "https://login.example/v2.0", "thumbprint": "T"}),
]


@pytest.mark.parametrize(("finding", "said"), SPELLED, ids=[str(number) for number in range(len(SPELLED))])
def test_subjects_of_a_radius_that_spells_the_key_otherwise(
    house: Light, finding: dict[str, str], said: dict[str, str]
) -> None:
    house.fresh()
    values = {"T": thumbprint(house), "K": house.kid, "I": ISSUER}
    folder = house.open("named", **{name: values.get(one, one) for name, one in finding.items()})
    keep(house, folder, ADA, **{name: values.get(one, one) for name, one in said.items()})
    assert contain(house, folder).is_done
    assert told_of(house) == ["ada", "grace"]


#: What the timeline has instead, and what is said.
MISMATCHES: list[tuple[str, dict[str, str], str]] = [
    ("another issuer", {"issuer": "https://other.example/"}, "issuer 'https://other.example/'"),
    ("another key of that name", {"thumbprint": "U" * 43}, "of another key under the name"),
    ("a kid that is spelled otherwise", {"kid": "burnt 1"}, "of a key 'burnt 1', and nothing says"),
]


@pytest.mark.parametrize(
    ("members", "words"), [row[1:] for row in MISMATCHES], ids=[row[0] for row in MISMATCHES]
)
def test_a_radius_of_which_it_cannot_be_told(house: Light, members: dict[str, str], words: str) -> None:
    """That the key is burnt is sent all the same; that subjects are left out is said."""
    folder = house.fresh()
    keep(house, folder, ADA, **members)
    outcome = contain(house, folder)
    assert [one.step for one in outcome.failed] == ["events", "deliver"]
    assert words in outcome.failed[0].words
    check_contained(house)
    keep(house, folder, ADA, thumbprint=thumbprint(house))  # with the registry
    assert contain(house, folder).is_done
    assert told_of(house) == ["ada", "grace"]


def test_a_radius_of_a_key_that_is_another_for_sure(house: Light) -> None:
    folder = house.fresh()
    keep(house, folder, MALLORY, kid="another", thumbprint="U" * 43)
    assert contain(house, folder).is_done
    assert told_of(house) == []


def test_two_radii_that_stand(house: Light) -> None:
    folder = house.fresh()
    for tenant in (ADA, MALLORY):
        with house.incident(folder) as incident:
            body = {"radius": BlastRadius(house.kid, ISSUER, tenants=(tenant,)).version, "kid": house.kid}
            incident.add("fact", body, actor="ann")
    failed = contain(house, folder).failed
    assert "give two blast radii: correct the one that is wrong" in failed[0].words


def test_a_broken_blast_radius(house: Light) -> None:
    folder = house.fresh()
    keep(house, folder, ADA)
    [path] = (folder / "work").glob("radius-*.json")
    path.write_text("{")
    outcome = contain(house, folder)
    assert [(one.step, one.words[:30]) for one in outcome.failed] == [
        ("events", str(path)[:30]),
        ("deliver", "must be done again after event"),
    ]
    check_contained(house)  # that the key is burnt was said all the same
