"""The run of a containment: in order, resumable, killed at each step; and all that can be wrong."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from immure.registry.state import KeyState
from immure.response.containment.errors import UnknownKeyOfIncidentError
from immure.response.containment.running import ACTIONS, ContainmentRun, Outcome
from immure.response.errors import BusyError
from immure.response.events.kinds import ISSUER_KEY_COMPROMISE
from immure.response.incident import Incident
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


@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.drill), "after"])
@pytest.mark.parametrize("step", STEPS)
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
    ("a command that hangs", "echo x", "sleep 30; echo x", "caches", "did not end within 1 s"),
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
    if "hangs" in words or "did not end" in words:
        house.change("[caches.edge]", "[caches.edge]\nseconds = 1")
    outcome = contain(house, folder)
    [*others] = [one.step for one in outcome.failed]
    assert others[0] == step
    assert re.search(words, outcome.failed[0].words)
    assert house.state() == "compromised"  # whatever else happens
    failed = [one for one in steps(folder) if one[2] == "failed"]
    assert {one[0] for one in failed} == set(others)
    assert len(failed) == 2 * len(others)  # each was tried once more at the end
    house.config.write_text(good)
    begun = len(steps(folder))
    assert contain(house, folder).is_done
    assert {one[0] for one in steps(folder)[begun:]} == set(others)
    check_contained(house)


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
    outcome = contain(house, folder)
    assert [one.step for one in outcome.failed] == ["deliver"]
    assert re.search(words, outcome.failed[0].words)
    first = house.receiver.bodies[0]
    house.receiver.misbehave = 0
    house.receiver.released.set()
    again = contain(house, folder)
    assert again.is_done is (how != 400)  # what was refused for good is not sent again
    assert set(house.receiver.bodies) == {first}


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
    import shutil

    assert contain(house, house.fresh()).is_done
    assert house.guard.current is not None
    first = house.guard.current.sequence
    shutil.rmtree(house.directory / "deny-list")
    import time

    time.sleep(1.1)
    assert contain(house, house.fresh()).is_done
    house.guard.look(now=True)
    assert house.guard.current.sequence > first


def test_a_subject_of_the_blast_radius(house: Light) -> None:
    from immure.response.radius import BlastRadius, TenantImpact

    folder = house.fresh()
    impact = TenantImpact("contoso", 2, ("ada", "grace"), (), (), 1, 2)
    other = TenantImpact("fabrikam", 1, ("mallory",), (), (), 1, 2)
    for name, kid, tenant in (("1", house.kid, impact), ("2", "another", other)):
        radius = BlastRadius(kid, ISSUER, tenants=(tenant,))
        (folder / "work" / f"radius-{name}.json").write_text(json.dumps(radius.to_json()))
    assert contain(house, folder).is_done
    subjects = [one["sub_id"].get("sub") for one in house.receiver.taken.values()]
    assert subjects == [None, "ada", "grace"]


def test_a_broken_blast_radius(house: Light) -> None:
    folder = house.fresh()
    (folder / "work" / "radius-1.json").write_text("{")
    outcome = contain(house, folder)
    assert [(one.step, one.words[:30]) for one in outcome.failed] == [
        ("events", str(folder / "work" / "radius-1.json")[:30]),
        ("deliver", "must be done again after event"),
    ]
    check_contained(house)  # that the key is burnt was said all the same
