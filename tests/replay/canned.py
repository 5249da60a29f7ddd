"""Outcomes that no world has had, for tests of what is made of them."""

from __future__ import annotations

from immure.dumps.dump import Region
from immure.keymaterial.key import Origin, PublicKey, RsaNumbers
from immure.replay.issuers import CUSTODIES
from immure.replay.matrix import Played, WorldName, worlds
from immure.replay.record import Notice, Outcome, Reading, Response, Tale
from immure.replay.scenario import Scenario, read_scenario
from immure.scanning.finding import Finding, ImageReport, Occurrence

STORM = read_scenario("storm-0558")
KEY = PublicKey(
    RsaNumbers((1 << 2047) + 0x1234567, 65537), Origin("jwks.json", "consumer-0001", "https://a.example")
)


def dump() -> ImageReport:
    """A report on a dump with one number of the key in it."""
    place = Occurrence(0x2000, 128, "p", "le64", 0x7F00_0000_1000, True, "[heap]", "rw-p")
    finding = Finding(KEY, "named", "a 1024-bit number divides n", [place])
    regions = (Region(0x1000, 0x40000, 0x7F00_0000_0000, "[heap]", "rw-p"),)
    return ImageReport("signer.core", "elf-core", 0x41000, [finding], regions=regions)


def outcome(world: WorldName, scenario: Scenario = STORM, *, sham: str | None = None) -> Outcome:
    """What comes of a world in which each control does what it should, but for one that does nothing."""
    tale = Tale(scenario, world.controls)
    working = world.controls - {sham}
    link = scenario.expected_break(working)
    tale.say(1, "production", "it crashes <b>&")
    tale.dump = dump()
    if link is None:
        many = len(scenario.organizations)
        tale.reading = Reading(many, 3 * many, many, "", 1.0, 2.0)
        for control in ("mail-log", "ledger", "response"):
            if control in working:
                tale.notice(Notice(control, 6.5, many, "a token that nobody issued"))
        if "response" in working:
            tale.response = Response("report", 1.5, many, many, True, 0)
    else:
        tale.reading = Reading(0, 0, len(scenario.organizations), "token-signature")
        control = next(name for name in scenario.links[link - 1].controls if name in working)
        tale.break_by(control, "it holds")
    tale.proofs.append("what is proved")
    tale.custody = "pkcs11" if "custody" in world.controls else "file"
    tale.reconciled_by = "detect" if "ledger" in world.controls else None
    tale.parts += ["a part", f"custody: {CUSTODIES[tale.custody]}"]
    return tale.outcome()


def matrix(scenario: Scenario = STORM, *, sham: str | None = None) -> list[Played]:
    """All worlds."""
    return [Played(one.name, outcome(one, scenario, sham=sham)) for one in worlds(scenario)]
