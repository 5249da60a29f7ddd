"""Feeds broken logs of all makers to all sources: only InputError is raised, and every record is counted."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

from driver import run

from immure.detections.sources import Limits, names, read, recognise, source_named
from immure.detections.sources.mapped import MappedSource
from immure.detections.sources.mapping import parse_mapping
from immure.errors import InputError
from immure.synth.logs import mailbox, signins

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PLACE = Path(mkdtemp(prefix="immure-fuzz-", dir=MEMORY)) / "log"
SMALL = Limits(record=1 << 12, block=1 << 11, rows=5, chunk=1 << 12, names=20)
MAPPING = 'name="x"\nkind="signin"\n[columns]\ntime="CreationTime"\nuser="userid"\n'
MAPPED = MappedSource(parse_mapping(MAPPING))


def check(data: bytes) -> None:
    """Whichever source reads it, the account is right, and reading goes on from the end."""
    PLACE.write_bytes(data)
    try:
        recognise(PLACE)
    except InputError:
        return
    for source in (*map(source_named, names()), MAPPED):
        position = ""
        try:
            for chunk in read(PLACE, source=source, limits=SMALL):
                assert chunk.read == chunk.made + sum(chunk.passed_over.values()) + chunk.lost
                assert chunk.position != position or not chunk.made
                position = chunk.position
            for _ in read(PLACE, position, source=source, limits=SMALL):
                pass
        except InputError:
            continue


def seeds() -> list[bytes]:
    """A log of each shape."""
    found = mailbox.accesses(6, seed=1)
    one = signins.SignIn(
        time=1_714_525_200, record=UUID(int=1), tenant=UUID(int=2), token=UUID(int=3), session=UUID(int=4),
        user="ada", ip="::1", app="a", resource="r",
    )  # fmt: skip
    dicts = [mailbox.office_activity(found[0]), mailbox.cloud_app_event(found[1], twice=True)]
    dicts += [
        mailbox.graph_record(found[2]),
        signins.graph(one),
        signins.sentinel(one),
        signins.diagnostic(one),
    ]
    dicts += [signins.winlogbeat(one), signins.okta(one), signins.google(one)]
    return [
        mailbox.json_lines(found),
        mailbox.json_array(found, indent=1),
        b'{"value":' + mailbox.json_array(found) + b',"next":"x"}',
        mailbox.audit_csv(found),
        mailbox.audit_csv(found, encoding="utf-16"),
        signins.windows_xml(one).encode(),
        *(json.dumps(plain).encode() + b"\n" for plain in dicts),
    ]


if __name__ == "__main__":
    run(check, seeds())
