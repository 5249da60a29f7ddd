"""Where what has left production is looked at: scanning there, and who may come in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from immure.replay.front_door import CORPORATE, ENGINEER, FrontDoor
from immure.replay.searching import key_texts
from immure.replay.world import World

#: What the door is of: where dumps are looked at, and where keys sign.
ROOMS: Final = ("room:debugging", "room:production")


def act(world: World) -> None:
    """Scan what arrived, and then let the attacker in by somebody's account."""
    scenario = world.tale.scenario
    if "scan" in scenario.controls:
        _scan(world)
    if "access" in scenario.controls:
        _enter(world)


def _enter(world: World) -> None:
    """An engineer's corporate account is taken: what does it open?"""
    tale, link = world.tale, world.link("access")
    if not tale.has("access"):
        tale.say(link, "attacker", f"an engineer's account ({CORPORATE}) is taken, and opens the room")
        return
    door = FrontDoor(world.stage.room("door"))
    door.prepare()
    world.ended.callback(door.close)
    approvers = door.engineer_enters(ROOMS[0])
    words = f"the engineer comes in as {ENGINEER}, with her own security key, approved by {approvers}"
    tale.say(link, "debugging", words)
    attempts = door.attacks(ROOMS)
    tale.say(link, "attacker", f"the engineer's account {CORPORATE} is taken; he has no key of hers")
    opened = [one for one in attempts if not one.refused]
    for one in opened:
        tale.say(link, "attacker", f"{one.words}: he is in")
    if not opened:
        world.inside = False
        tale.break_by("access", f"{len(attempts)} tries open neither room: {attempts[0].refused}")


def _scan(world: World) -> None:
    tale, link = world.tale, world.link("scan")
    files = _files(world.debugging)
    if not files:
        tale.say(link, "debugging", "nothing has arrived that could be scanned")
        return
    if not tale.has("scan") and tale.scenario.way == "repository":
        tale.say(link, "debugging", "nobody searches what is pushed")
        return
    if not tale.has("scan"):
        texts = sum(len(key_texts(one)) for one in files)
        tale.say(
            link,
            "debugging",
            f"credential scanning: {texts} key texts in {len(files)} files; nobody looks for numbers",
        )
        return
    report = world.in_debugging(lambda: world.stage.searched_room(world.debugging, world.scene.publics))
    tale.say(link, "debugging", f"immure scan: {len(report.findings)} private keys in {len(files)} files")
    if not report.findings:
        return
    finding = report.findings[0]
    for one in files:
        one.unlink()
    tale.break_by(
        "scan", f"{finding.key.origin.kid} was found ({finding.proof}), and the files are gone from the room"
    )


def _files(room: Path) -> list[Path]:
    return sorted(one for one in room.rglob("*") if one.is_file())
