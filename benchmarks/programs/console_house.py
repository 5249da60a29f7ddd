"""Makes what a console looks at, of any size: dumps, keys, tokens, incidents, a room, a log.

python console_house.py PLACE DUMPS KEYS MILLIONS

Dumps are records of captures and sealed dumps; all have the redaction of one core that was really redacted.
Acceptances are files of a million rows, each of one of twelve relying parties and of a ninth part of ninety
days, so that an hour is in a dozen files; as many tokens were issued. One acceptance in 100,000 is forged.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tests"), str(HERE.parent)]

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from detection_reconcile import constant, drawn, fixed, names  # noqa: E402

from access.rooms import World as Room  # noqa: E402
from console.world import TenantWorld, record_of  # noqa: E402
from immure.capture.crash import Crash  # noqa: E402
from immure.capture.keeping import Kept  # noqa: E402
from immure.capture.records import record_of as capture_record  # noqa: E402
from immure.detections.finding import Finding  # noqa: E402
from immure.detections.state import State  # noqa: E402
from immure.registry.opening import open_store  # noqa: E402
from immure.registry.record import KeyRecord  # noqa: E402
from immure.registry.state import KeyState  # noqa: E402
from immure.response.deadlines.rules import presets  # noqa: E402
from immure.response.deadlines.standing import begin  # noqa: E402
from response.house import make_key, opened  # noqa: E402

NOW = datetime.now(UTC).replace(microsecond=0)
DAYS, FILE, PARTIES, ISSUERS, FORGED = 90, 1_000_000, 12, 4, 100_000
START = int(NOW.timestamp()) - DAYS * 86_400
SETTINGS = """version = 1
origin = "https://console.example"
state = "state"
[sign_in.room]
directory = "room"
key = "file:none.key"
[tenants.bench]
records = "dumps/records"
vault = "dumps/vault"
registry = "keys.db"
ledger = "issued"
accepted = "accepted"
findings = "detected"
incidents = "incidents"
room = "room"
[tenants.bench.logs.gate]
directory = "dumps/gate-log"
[tenants.bench.roles]
admin = ["bench"]
"""


def dumps(place: Path, count: int) -> None:
    """Records and sealed dumps."""
    house = TenantWorld(place / "dumps", lambda: NOW)
    _, redaction, _ = house.capture(0)
    for number in range(1, count):
        crash = Crash(
            pid=4700 + number, comm=f"worker-{number % 40}", executable="/usr/bin/worker", uid=996, signal=11,
            time=NOW - timedelta(minutes=10 * number),
        )  # fmt: skip
        sealed = house.vault.seal([f"core {number}".encode()], name=f"{crash.name}.redacted")
        source = {**redaction["source"], "sha256": hashlib.sha256(crash.name.encode()).hexdigest()}
        kept = Kept(sealed, 1 << 26, 11, redaction={**redaction, "source": source})
        record = json.dumps(capture_record(crash, kept))
        (place / "dumps" / "records" / f"{crash.name}.json").write_text(record)


def keys(place: Path, count: int) -> None:
    """A registry of keys of two hundred issuers, in every state."""
    states = (KeyState.ACTIVE, KeyState.DEACTIVATED, KeyState.PRE_ACTIVE, KeyState.COMPROMISED)

    def made() -> Iterator[KeyRecord]:
        for number in range(count):
            classes = ("enterprise",) if number % 2 else ("consumer",)
            issuer, at = f"https://issuer-{number % 200}.example", NOW - timedelta(days=2 + number % 400)
            yield record_of(f"key-{number:05}", issuer, classes, states[number % len(states)], at)

    with open_store(str(place / "keys.db"), create=True) as store:
        store.add(made())


def tokens(place: Path, millions: int) -> None:
    """Acceptances, issued tokens, and what the detection engine would have said of them."""
    dice = np.random.default_rng(1)
    for name in ("accepted", "issued"):
        (place / name).mkdir()
    forged = []
    periods = max(1, -(-millions // PARTIES))
    for number in range(millions):
        span = DAYS * 86_400 // periods
        iat = START + number // PARTIES * span + np.sort(dice.integers(0, span, FILE))
        issuer = drawn(dice, "https://login.example/", ISSUERS, FILE)
        common = {"digest": fixed(dice.integers(0, 256, (FILE, 16), dtype=np.uint8)), "iss": issuer,
                  "kid": drawn(dice, "k", 3, FILE), "iat": iat, "exp": iat + 3600}  # fmt: skip
        issued = {"seq": np.arange(number * FILE + 1, (number + 1) * FILE + 1), **common}
        _write(issued, place / "issued" / f"{number:04}.parquet", 16_384)
        accepted = pa.table(
            {
                "time": pa.array(
                    (iat + dice.integers(1, 600, FILE)) * 1_000_000, pa.timestamp("us", tz="UTC")
                ),
                "source": constant("acceptance-log", FILE),
                "record_id": names(dice, FILE),
                "verdict": constant("accepted", FILE),
                **common,
                "sub": drawn(dice, "user-", 100_000, FILE),
                "tenant": drawn(dice, "tenant-", 1000, FILE),
                "client": drawn(dice, "client-", 50, FILE),
                "relying_party": constant(f"party-{number % PARTIES}", FILE),
                "ip": drawn(dice, "10.0.", 60_000, FILE),
            }
        )
        _write(accepted, place / "accepted" / f"{number:04}.parquet", 65_536)
        forged.append(accepted.take(np.sort(dice.choice(FILE, FILE // FORGED, replace=False))))
    _judged(place / "detected", pa.concat_tables(forged))


def _write(columns: Any, path: Path, group: int) -> None:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, path, row_group_size=group, compression="zstd", compression_level=1)


def _judged(place: Path, rows: Any) -> None:
    verdicts = rows.drop_columns("verdict").append_column("finding", constant("forged", len(rows)))
    with State(place) as state, state.transaction():
        name = state.new_name("verdicts")
        pq.write_table(verdicts, state.path(name))
        state.add_part(name, "verdicts", len(rows), "judged", seen=True)
        state.count("verdicts", "forged", len(rows))
        for row in rows.select(["time", "digest", "sub"]).to_pylist():
            at, digest = int(row["time"].timestamp() * 1e6), row["digest"].hex()
            state.find(
                Finding("token-forged", "critical", "a token was accepted that the issuer never issued",
                        keys={"digest": digest}, reason=f"used by {row['sub']}", first=at, last=at)
            )  # fmt: skip


def incidents(place: Path, count: int = 20, entries: int = 30) -> None:
    """Incidents with a deadline and some entries each."""
    key = make_key(place)
    for number in range(count):
        incident = opened(place / "incidents" / f"inc-{number:03}", key)
        begin(incident, presets()["gdpr-33"], origin=0, since=None, actor="ann")
        for one in range(entries):
            incident.add("fact", {"says": f"fact {one} of incident {number}"}, actor="ann", source="mail log")


def room(place: Path, count: int = 30) -> None:
    """A room with requests and grants."""
    made = Room(place / "room").found()
    for number in range(count):
        made.granted() if number % 2 else made.ask()
    made.door.close()


def main(given: str, dump_count: str, key_count: str, millions: str) -> None:
    os.fsync = os.fdatasync = lambda _: None  # what is made here is thrown away: nothing of it need last
    place = Path(given)
    place.mkdir(parents=True, exist_ok=True)
    dumps(place, int(dump_count))
    keys(place, int(key_count))
    tokens(place, int(millions))
    incidents(place)
    room(place)
    (place / "console.toml").write_text(SETTINGS)


if __name__ == "__main__":
    main(*sys.argv[1:])
