"""Feeds broken bundles to what verifies them: never "holds" for another than was made."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

from driver import run

from immure.auditlog import parse_vkey
from immure.custody import open_signer
from immure.custody.generate import generate
from immure.errors import ImmureError
from immure.response.bundle import export, log_key
from immure.response.bundle_verify import verify_bundle
from immure.response.evidence import Collector
from immure.response.finding import Finding
from immure.response.incident import Incident

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PLACE = Path(mkdtemp(prefix="immure-fuzz-", dir=MEMORY))
BUNDLE = PLACE / "fuzzed.tar"
generate(PLACE / "key")
KEY = open_signer(f"file:{PLACE / 'key'}")


def made() -> tuple[bytes, str]:
    """A bundle, and the public key of its log."""
    found = Finding("key-in-dump", kid="k1")
    incident = Incident.open_new(PLACE / "incident", finding=found, actor="ann", key=KEY, name="fuzz")
    (PLACE / "access.log").write_text("line\n" * 50)
    Collector(incident, "ann").collect(PLACE / "access.log", "log")
    incident.add("fact", {"says": "x"}, actor="ann")
    export(incident, PLACE / "whole.tar", key=KEY)
    return (PLACE / "whole.tar").read_bytes(), log_key(incident, KEY)


WHOLE, VKEY = made()
#: Bytes that nobody reads: those behind the last file, and the padding of files.
WANTED = verify_bundle(PLACE / "whole.tar", key=parse_vkey(VKEY)).checks


def check(data: bytes) -> None:
    """A bundle that holds says the same as the one that was made."""
    BUNDLE.write_bytes(data)
    try:
        found = verify_bundle(BUNDLE, key=parse_vkey(VKEY))
        verify_bundle(BUNDLE)
    except ImmureError:
        return
    if found.verdict == "holds":
        assert {one.what for one in found.checks} == {one.what for one in WANTED}


def seeds() -> list[bytes]:
    """The one bundle."""
    return [WHOLE]


if __name__ == "__main__":
    run(check, seeds())
