"""How long from an incident that is opened until the last relying party refuses the key.

    python benchmarks/containment.py             # writes results/containment.json
    python benchmarks/containment.py --rounds 2  # a quick look

The house of the tests: the real signing service, our introspection server with a real Dovecot behind it, an
ASGI application with our middleware, and a receiver of events. Each round opens an incident on the key that
signs, contains it and proves it by the commands that a person types; meanwhile tokens of the key are sent to
every door, twenty times a second, by others, who say when each stopped letting them in. Bar: 10 s from
`respond open` to the last refusal. Then: how long after a list was pushed or published each kind of follower
goes by it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import measure

sys.path.insert(0, str(measure.HERE.parent / "tests"))

from immure.custody import open_signer
from immure.probe.answer import Outcome
from immure.probe.target import open_channel, parse_target
from immure.response.containment.running import ContainmentRun, Line
from immure.response.incident import Incident
from immure.tokens.deny_list_guard import DenyListGuard
from immure.tokens.errors import TokenError
from immure.tokens.sources.fetch import Fetcher, Page
from immure.tokens.validator import Validator
from response.containment.house import Contained, contained
from tokens.deny_lists import listed, store
from tokens.minting import Mint, policy

BAR = 10.0
EVERY = 0.05


@dataclass
class Door:
    """Asked again and again with a token of the key until it refuses, in a thread of its own."""

    takes: Callable[[], bool]
    refused_at: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until it refuses."""
        while not self.stop.is_set():
            if not self.takes():
                self.refused_at = time.perf_counter()
                return
            self.stop.wait(EVERY)


def main() -> None:
    """Run all of it, and write the results."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rounds", type=int, default=10)
    given = reader.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="immure-bench-") as place,
        contained(Path(place), dovecot=True) as house,
    ):
        immure("respond", "contain", "--first-list", "-c", house.config)
        rounds = [commands(house, number) for number in range(given.rounds)]
        steps = [in_one_process(house, number) for number in range(given.rounds)]
    rows = {
        "by_commands": summary([one["last"] for one in rounds]),
        "proved": summary([one["proved"] for one in rounds]),
        "doors": {name: summary([one[name] for one in rounds]) for name in ("mail", "calendar", "dovecot")},
        "in_one_process": summary([one["all"] for one in steps]),
        "steps": {name: summary([one[name] for one in steps]) for name in steps[0]},
        "followers": followers(),
    }
    for name, row in (("by commands", rows["by_commands"]), ("in one process", rows["in_one_process"])):
        print(f"{name:<16}median {row['median_s']:.2f} s   worst {row['worst_s']:.2f} s")
    print(measure.save("containment", {"bar_s": BAR, "rounds": given.rounds, **rows}))


def immure(*arguments: str | Path) -> None:
    """A command, as a person types it."""
    done = subprocess.run(
        [sys.executable, "-m", "immure", *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def commands(house: Contained, number: int) -> dict[str, float]:
    """Seconds from the first command until each door refuses, and until it is proved."""
    folder, kid = house.directory / f"by-commands-{number}", house.signs()
    who = ("--by", "ann", "--key", house.key)
    with watched(house) as doors:
        begun = time.perf_counter()
        immure(
            "respond", "open", folder, "--kind", "key-in-dump", "--kid", kid, "--issuer", house.issuer, *who
        )
        immure("respond", "contain", folder, "-c", house.config, *who)
        for door in doors.values():
            while not door.refused_at:
                time.sleep(0.005)
        found = {name: door.refused_at - begun for name, door in doors.items()}
        immure("respond", "prove", folder, "-c", house.config, *who)
        proved = time.perf_counter() - begun
    return {**found, "last": max(found.values()), "proved": proved}


def in_one_process(house: Contained, number: int) -> dict[str, float]:
    """Seconds of each step, without the start of any program."""
    folder = house.open(f"in-one-{number}")
    times: dict[str, float] = {}
    with open_signer(house.key) as signer:
        incident = Incident.load(folder, key=signer)
        begun = before = time.perf_counter()

        def told(line: Line) -> None:
            nonlocal before
            now = time.perf_counter()
            times[line.step] = times.get(line.step, 0.0) + now - before
            before = now

        outcome = ContainmentRun(incident, house.settings, actor="ann", told=told).carry_out()
        assert outcome.is_done, outcome.failed
    return {"all": time.perf_counter() - begun, **times}


@contextmanager
def watched(house: Contained) -> Iterator[dict[str, Door]]:
    """Each door, asked by others all the time."""
    tokens = {"mail": house.token(), "calendar": house.token("agenda"), "dovecot": house.token()}
    party = house.settings.parties["dovecot"].door
    assert party is not None
    channel = open_channel(parse_target(party.url, ["127.0.0.1"]), party.how)
    doors = {
        "mail": Door(lambda: house.takes("mail", tokens["mail"])),
        "calendar": Door(lambda: house.takes("calendar", tokens["calendar"])),
        "dovecot": Door(lambda: channel.ask(tokens["dovecot"]).outcome is Outcome.LET_IN),
    }
    threads = [threading.Thread(target=door.run, daemon=True) for door in doors.values()]
    for one in threads:
        one.start()
    try:
        yield doors
    finally:
        for door in doors.values():
            door.stop.set()
        for one in threads:
            one.join(10)


class _Pages(Fetcher):
    """A publisher that answers at once."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def fetch(self, url: str) -> Page:
        return Page(self.text)


def followers(rounds: int = 20) -> dict[str, Any]:
    """Seconds from a list that is there until a validator goes by it."""
    made: dict[str, Any] = {}
    moment = int(time.time())
    token = Mint().token(iat=moment, nbf=moment, exp=moment + 3600)
    for name in ("pushed, the same process", "pushed, another process", "fetched every 0.5 s"):
        found = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as place:
                found.append(_follows(Path(place), name, token))
        made[name] = summary(found)
    return made


def _follows(place: Path, name: str, token: str) -> float:
    pages = _Pages(listed(1, keys=[]))
    store(place).offer(pages.text)
    if name.startswith("fetched"):
        denies = DenyListGuard(store(place), url="https://a.example/", fetcher=pages, every=0.5)
    else:
        denies = DenyListGuard(store(place))
    validator = Validator(policy(deny_list=denies))
    validator.validate(token)
    time.sleep(0.05)
    begun = time.perf_counter()
    if name.startswith("fetched"):
        pages.text = listed(2)
    elif "same" in name:
        denies.offer(listed(2))
    else:
        store(place).offer(listed(2))
    while True:
        try:
            validator.validate(token)
        except TokenError:
            return time.perf_counter() - begun
        time.sleep(0.001)


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and worst."""
    return {"median_s": round(statistics.median(seconds), 4), "worst_s": round(max(seconds), 4)}


if __name__ == "__main__":
    main()
