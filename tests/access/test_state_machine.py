"""No path leads to a live grant without its approvals: whatever people do, in whatever order, whichever of
their responses come late, twice or to the wrong ceremony, however the clock jumps, and whenever the door is
closed and opened again."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from access.rooms import RAM, START, World, founded
from immure.access import AccessError, ClockError, DeniedError, Door, Grant, NoGrantError
from immure.access.texts import moment

PEOPLE = ("prd-ada", "prd-grace", "prd-edsger", "prd-barbara")
people = st.sampled_from(PEOPLE)
REFUSED = (DeniedError, ClockError)
#: Grants that were live when somebody looked.
REACHED: list[str] = []


class Rooms(RuleBasedStateMachine):
    """A room, and beside it the plainest book that can be kept of it: what was answered by which person."""

    requests = Bundle("requests")
    responses = Bundle("responses")

    @initialize()
    def found(self) -> None:
        self.place = Path(tempfile.mkdtemp(dir=RAM))
        self.world = founded(self.place / "room")
        self.latest = START
        #: request: its asker, hours, who approved it and when, whether anything was done against it
        self.book: dict[str, dict[str, Any]] = {}
        self.ceremonies: dict[str, tuple[str, str, str]] = {}
        self.out: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.door.close()
            shutil.rmtree(self.place)

    def begun(self, ceremony: Any, act: str, account: str, about: str) -> dict[str, Any]:
        response = self.world.touch(ceremony)
        self.ceremonies[response["response"]["clientDataJSON"]] = (act, account, about)
        return response

    @property
    def clock_is_right(self) -> bool:
        return self.world.clock.at >= self.latest - timedelta(seconds=5)

    def seen(self) -> None:
        self.latest = max(self.latest, self.world.clock.at)

    @rule(target=responses, who=people, hours=st.integers(1, 3))
    def ask(self, who: str, hours: int) -> Any:
        try:
            ceremony = self.world.door.request_grant(
                who,
                resource="room:debug",
                actions=["enter"],
                purpose="crash of the mailer",
                ticket="INC-1",
                hours=hours,
            )
        except REFUSED:
            return multiple()
        self.book[str(ceremony.document["request"])] = {
            "asker": who, "hours": hours, "approvals": {}, "begins": None, "over": False, "made": False,
        }  # fmt: skip
        return self.begun(ceremony, "request", who, str(ceremony.document["request"]))

    @rule(target=responses, who=people, data=st.data())
    def begin_approval(self, who: str, data: st.DataObject) -> Any:
        if not self.book:
            return multiple()
        request = data.draw(st.sampled_from(list(self.book)))  # in the order in which they came
        try:
            return self.begun(self.world.door.begin_approval(who, request), "approve", who, request)
        except REFUSED:
            return multiple()

    @rule(response=responses)
    def answer(self, response: dict[str, Any]) -> None:
        """A response comes: in time, late, or for the second time."""
        self.deliver(response)

    @rule(response=consumes(responses), who=people)
    def answer_with_the_key_of_another(self, response: dict[str, Any], who: str) -> None:
        _, account, _ = self.ceremonies[response["response"]["clientDataJSON"]]
        stolen = {**response, "response": dict(response["response"])}
        other = self.world.keys[who][0]
        identity = next(iter(other.credentials))
        from access.authenticator import b64

        stolen["id"] = stolen["rawId"] = b64(identity)
        if who == account:
            return
        with pytest.raises((DeniedError, AccessError)):
            self.world.door.complete(stolen)

    def deliver(self, response: dict[str, Any]) -> None:
        act, account, about = self.ceremonies[response["response"]["clientDataJSON"]]
        try:
            self.world.door.complete(response)
        except REFUSED:
            return
        self.seen()
        entry = self.book[about]
        if act == "request":
            entry["made"] = True
        elif act == "approve":
            assert account not in (entry["asker"], *entry["approvals"])
            entry["approvals"][account] = self.world.clock.at
            if len(entry["approvals"]) >= 2:
                entry["begins"] = entry["begins"] or self.world.clock.at
        elif act == "revoke":
            entry["over"] = True

    @rule(who=people)
    def all_that_is_needed(self, who: str) -> None:
        """A request and two approvals, one after the other: what chance would seldom put together."""
        self.set_the_clock_right()
        response = self.ask(who, 1)
        if not isinstance(response, dict):
            return
        _, _, request = self.ceremonies[response["response"]["clientDataJSON"]]
        self.deliver(response)
        for other in [one for one in PEOPLE if one != who][:2]:
            try:
                self.deliver(
                    self.begun(self.world.door.begin_approval(other, request), "approve", other, request)
                )
            except REFUSED:
                return

    @rule(target=responses, who=people, data=st.data())
    def begin_revocation(self, who: str, data: st.DataObject) -> Any:
        if not self.book:
            return multiple()
        request = data.draw(st.sampled_from(list(self.book)))  # in the order in which they came
        try:
            return self.begun(
                self.world.door.begin_revocation(who, request, "not needed any more"), "revoke", who, request
            )
        except REFUSED:
            return multiple()

    @rule(who=people, other=people)
    def suspend(self, who: str, other: str) -> None:
        if len(self.out) > 1:
            return
        try:
            self.world.sign(self.world.door.begin_suspension(who, other, "seems odd"))
        except REFUSED:
            return
        self.seen()
        self.out.add(other)
        for entry in self.book.values():
            entry["over"] = entry["over"] or entry["asker"] == other
            entry["approvals"].pop(other, None) if entry["begins"] is None else None

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.world.clock.at += timedelta(minutes=minutes)

    @rule(minutes=st.integers(1, 300))
    def put_the_clock_back(self, minutes: int) -> None:
        self.world.clock.at -= timedelta(minutes=minutes)

    @rule()
    def set_the_clock_right(self) -> None:
        self.world.clock.at = max(self.world.clock.at, self.latest)

    @rule()
    def open_again(self) -> None:
        self.world.again()

    @invariant()
    def nobody_is_in_without_approvals(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            grant = self.world.door.live_grant("room:debug", "enter")
        except REFUSED:
            return
        self.seen()
        REACHED.append(grant.id)
        entry = self.book[grant.id]
        approvers = {person for person, at in entry["approvals"].items()} - {entry["asker"]}
        assert len(approvers) >= 2
        assert set(grant.approvers) <= approvers
        assert entry["made"]
        assert not entry["over"]
        assert grant.account == entry["asker"]
        assert grant.account not in self.out
        begins = max(entry["approvals"].values())
        assert grant.begins <= max(begins, self.latest)
        assert grant.ends - grant.begins == timedelta(hours=entry["hours"])
        assert self.world.clock.at < grant.ends
        assert self.clock_is_right

    @invariant()
    def the_log_says_the_same(self) -> None:
        if not hasattr(self, "world"):
            return
        approved = approvals_in_the_log(self.world.door)
        for grant in self.world.door.records(Grant):
            assert len(approved[grant.id] - {grant.account}) >= 2


def approvals_in_the_log(door: Door) -> dict[str, set[str]]:
    """Who has approved what, by the entries alone."""
    found: dict[str, set[str]] = {}
    for entry in door.log.entries():
        if entry.kind == "access.approve":
            document: Any = entry.body["document"]
            assert moment(str(entry.body["at"])) <= moment(str(document["request"]["expires"]))
            found.setdefault(document["request"]["id"], set()).add(str(document["account"]))
    return found


def test_a_clock_that_was_put_back_is_noticed_by_all(world: World) -> None:
    world.granted(hours=1)
    at: datetime = world.clock.at
    world.clock.at = at + timedelta(hours=3)
    with pytest.raises(NoGrantError):
        world.door.live_grant("room:debug", "enter")
    world.clock.at = at
    for ask in (
        lambda: world.door.live_grant("room:debug", "enter"),
        lambda: world.door.grant_fault("x"),
        lambda: world.door.begin_approval("prd-grace", "x"),
        lambda: world.door.use("x", "enter"),
    ):
        with pytest.raises(ClockError):
            ask()


Rooms.TestCase.settings = settings(
    max_examples=16,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


class TestRooms(Rooms.TestCase):  # type: ignore[misc, valid-type]
    def runTest(self) -> None:
        super().runTest()
        assert len(set(REACHED)) > 2, "hardly any path has led to a live grant: nothing was tried"


@pytest.mark.drill
def test_many_more_paths() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Rooms,
        settings=settings(
            max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
