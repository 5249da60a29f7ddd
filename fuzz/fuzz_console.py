"""Feeds broken records of captures, clearances and settings to the console: one row comes out, whatever goes
in, and a page that has no element of theirs."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path

from driver import run

from immure.console.dump_index import DumpIndex
from immure.console.dump_map import Mapped, places
from immure.console.plots.memory_map import memory_map, regions_map
from immure.console.render import environment
from immure.console.settings import Settings, TenantSettings
from immure.console.sources import dumps as source
from immure.console.sources.dump_record import record_of
from immure.errors import ImmureError, InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from attest.samples import envelope
from console.test_settings import GOOD
from console.world import NOW

SECONDS = 2.0  # of computing for one input
PLACE = tempfile.TemporaryDirectory()
TENANT = TenantSettings(
    "a", "A", records=Path(PLACE.name) / "records", clearances=Path(PLACE.name) / "clearances"
)
RECORD = {
    "schema": "https://immure.example/schemas/capture-record-1.json",
    "crash": {"pid": 4711, "comm": "signer", "executable": "/usr/bin/signer", "uid": 996, "signal": 11,
              "time": "2026-11-30T09:00:00Z", "via": "socket"},
    "id": f"sha256:{'a' * 64}", "size": 1 << 20, "note": "a note",
    "scan": {"found": 1, "keys": [{"thumbprint": "A" * 43, "kty": "RSA", "occurrences": 2}]},
    "redaction": {
        "source": {"sha256": "b" * 64, "size": 1 << 20},
        "findings": [{"key": {"thumbprint": "A" * 43, "kty": "RSA"}, "kind": "named", "occurrences": 3}],
        "redactions": [{"offset": 70_000, "length": 128, "kind": "p", "encoding": "le64", "key": "A" * 43}],
        "not_searched": [{"offset": 5, "length": 6, "detector": "ec", "reason": "quick mode"}],
        "statistics": {"spans": 1, "erased_bytes": 128}, "proof": {"ok": True, "scan": {"status": "ok"}},
    },
}  # fmt: skip


def check_console(data: bytes) -> None:
    """An error that is ours; or rows that a page can show."""
    begun = time.thread_time()
    try:
        for directory, name in ((TENANT.records, "core.x.1.json"), (TENANT.clearances, "x.intoto.json")):
            assert directory is not None
            (directory / name).write_bytes(data)
        _index()
        _settings(data)
    finally:
        assert time.thread_time() - begun < SECONDS


def _index() -> None:
    index = DumpIndex(TENANT, None, lambda: NOW)
    try:
        index.refresh()
        [row] = source.dump_list(index, NOW)[0]
        assert row.size >= 0
        source.counts(index, NOW)
        source.clearings(index, row, NOW)
        try:
            record = record_of(TENANT, row)
        except InputError:
            assert row.standing == "record unreadable"
            return
    finally:
        index.close()
    placed = places(Mapped(row.size), record.spans)
    assert sum(len(one.spans) for one in placed) == len(record.spans)
    for drawing in (memory_map(row.size, placed, record.gaps), regions_map(placed) or ""):
        assert not re.search(r"<(?!/?(svg|title|desc|rect|text)\b)", drawing)
        assert "nan" not in re.sub(r">[^<]*<", "", drawing)
    shown = environment().from_string("{{ a }}<b title='{{ b }}'>").render(a=row.label, b=record.note)
    assert shown.count("<") == 1
    assert shown.isprintable()


def _settings(data: bytes) -> None:
    try:
        settings = Settings.parse(data, "fuzz")
    except ImmureError:
        return
    assert settings.tenants
    assert settings.room or settings.issuer
    assert re.fullmatch(r"https://[^/@]+", settings.origin)


if __name__ == "__main__":
    for one in (TENANT.records, TENANT.clearances):
        assert one is not None
        one.mkdir()
    run(
        check_console,
        [json.dumps(RECORD).encode(), json.dumps(RECORD, indent=1).encode(), envelope(), GOOD.encode()],
    )
