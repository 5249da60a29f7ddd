"""How the key is lost; by a dump that leaves production, above all (:mod:`.copying` has the other ways)."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Final

from immure.errors import ImmureError
from immure.replay.acts.copying import by_repository, by_settings, from_host
from immure.replay.errors import ReplayError
from immure.replay.gatehouse import Gatehouse
from immure.replay.issuers import CUSTODIES
from immure.replay.searching import key_texts
from immure.replay.world import World
from immure.scanning.finding import ScanReport

DUMP: Final = "signer.core"


def act(world: World) -> None:
    """See the module."""
    ways = {"dump": _by_dump, "host": from_host, "repository": by_repository, "secret": by_settings}
    ways[world.tale.scenario.way](world)


# --- by a dump ---


def _by_dump(world: World) -> None:
    tale, scene = world.tale, world.scene
    if scene.dump is None:
        raise ReplayError("the signer was to crash, and did not")
    custody = CUSTODIES[scene.issuer.custody]
    tale.say(
        1,
        "production",
        f"{scene.issuer.kind} signer: {scene.tokens} tokens signed by {scene.lost_kid}; {custody}",
    )
    size = scene.dump.stat().st_size / 1e6
    tale.say(1, "production", f"its front end crashes: {scene.how}; {size:.1f} MB")
    dump = world.production / DUMP
    shutil.copyfile(scene.dump, dump)
    report = world.stage.searched(dump, scene.publics)
    leaks = _leaks(report)
    tale.dump = report.images[0]
    if not leaks and tale.has("custody"):
        tale.break_by(
            "custody", f"no number of {scene.lost_kid} is in the dump: the key was never in that process"
        )
    if tale.has("redact"):
        dump = _redact(world, dump, leaks=leaks)
    _leave(world, dump, report)


def _redact(world: World, dump: Path, *, leaks: bool) -> Path:
    """The redacted copy, which is what is moved from now on."""
    tale, scene = world.tale, world.scene
    try:
        copy, record = world.stage.redacted(dump, scene.publics)
    except ImmureError as error:
        raise ReplayError(f"the dump cannot be redacted: {error}") from error
    world.redaction = record
    erased = record["statistics"]["spans"]
    tale.say(
        1, "production", f"immure redact: {erased} places erased, and the copy is proved before it has a name"
    )
    redacted = world.production / f"redacted-{DUMP}"
    shutil.copyfile(copy, redacted)
    dump.unlink()
    after = world.stage.searched(redacted, scene.publics)
    if leaks and not _leaks(after):
        tale.break_by("redact", f"of {scene.lost_kid} nothing is left in the copy that may be moved")
        tale.dump = after.images[0]
    return redacted


def _leave(world: World, dump: Path, report: ScanReport) -> None:
    tale = world.tale
    if tale.has("gate"):
        _by_gate(world, dump)
    elif tale.has("redact"):
        shutil.copyfile(dump, world.debugging / dump.name)
        tale.say(world.link("gate"), "production", f"{dump.name} is copied to the debugging room")
    else:
        _race(world, dump, report)


def _by_gate(world: World, dump: Path) -> None:
    tale, link = world.tale, world.link("gate")
    gatehouse = Gatehouse(world.stage.room("gate"), world.debugging, world.scene.jwks)
    gatehouse.prepare()
    world.gatehouse = gatehouse
    reason = gatehouse.release(dump, None)
    if reason is not None:
        tale.say(link, "production", f"the gate refuses {dump.name}: {reason}")
    if reason is not None and world.redaction is not None:
        clearance = gatehouse.sign(dump, world.redaction)
        reason = gatehouse.release(dump, clearance)
        if reason is None:
            tale.say(
                link,
                "production",
                f"a clearance for exactly these bytes is signed, and the gate lets {dump.name} out",
            )
    elif reason is None:
        tale.say(link, "production", f"the gate lets {dump.name} out, and nobody has signed for it")
    if reason is not None:
        tale.break_by("gate", f"the dump stays in production ({gatehouse.refusals[-1]})")


def _race(world: World, dump: Path, report: ScanReport) -> None:
    """As in 2021: something removes key texts from the dump while something else moves it."""
    tale, link = world.tale, world.link("gate")
    ended: dict[str, float] = {}
    removed: list[int] = []

    def scrub() -> None:
        removed.append(_scrub(dump))
        ended["scrubber"] = time.monotonic()

    def move() -> None:
        shutil.copyfile(dump, world.debugging / DUMP)
        ended["mover"] = time.monotonic()

    threads = [threading.Thread(target=one) for one in (move, scrub)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if ended.keys() != {"scrubber", "mover"}:
        raise ReplayError("the dump could not be moved", path=str(dump))
    first = min(ended, key=lambda name: ended[name])
    seconds = abs(ended["mover"] - ended["scrubber"])
    tale.say(1, "production", f"a scrubber and a mover race: the {first} is done first, by {seconds:.2f} s")
    numbers = sum(len(finding.occurrences) for finding in report.findings)
    rest = f"; {numbers} numbers of the key are no texts" if numbers else ""
    tale.say(1, "production", f"the scrubber knows texts: it removed {removed[0]}{rest}")
    tale.say(link, "production", f"{DUMP} is in the debugging room; nobody asked whether it may leave")


def _scrub(dump: Path) -> int:
    """Write zeros over texts of keys; how many there were."""
    places = key_texts(dump)
    with dump.open("r+b") as stream:
        for offset, length in places:
            stream.seek(offset)
            stream.write(bytes(length))
    return len(places)


def _leaks(report: ScanReport) -> bool:
    if any(image.error for image in report.images):
        raise ReplayError(f"the dump cannot be searched: {report.images[0].error}")
    return bool(report.findings)
