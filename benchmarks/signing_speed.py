"""How many tokens a second the signing service gives out over HTTP, as a ratio to what the same two cores
could sign if they did nothing else (openssl speed), and to npm oidc-provider doing the same.

    python benchmarks/signing_speed.py                   # writes results/signing_speed.json, in five minutes
    python benchmarks/signing_speed.py --seconds 2 --rounds 1 --only RS256      # a quick look

Everything runs on the same two cores, the load generator (wrk) included: the front end, the key holder,
the ledger in SQLite with every row on the disk before its token leaves. With two front ends, these share a
key holder, and a PostgreSQL that syncs. oidc-provider has a process for each core, its keys in memory, and no
ledger. Floor, peer and ours take turns; medians of the rounds count. Each spell of load is in the results as
soon as it is over.

Processor time of each token is that of all processes of a server, by part. The ledger in SQLite is a thread
of the front end: what it takes is the difference to a ledger that is off.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import measure
from processes import cpu_by_part
from signing_servers import answers, free_port, has_peer, peer, running, set_up, two_front_ends

from servers.postgres import Postgres
from servers.postgres import running as running_postgres

SECRET = "a-secret-for-the-benchmark-only"
CONNECTIONS = 64
ALGORITHMS = {"RS256": "rsa2048", "ES256": "ecdsap256", "EdDSA": "ed25519"}
OURS, OFF, TWO, PEER = "keyholder", "keyholder, no ledger", "two front ends, PostgreSQL", "oidc-provider"
KINDS = (OURS, OFF, TWO, PEER)
Row = dict[str, Any]

SETTINGS = """
version = 1
registry = "{registry}"
state = "{state}"
custody = "{custody}"
[ledger]
place = "{ledger}"
log = "ledger-log"
log_key = "file:log.key"
[listen]
port = {port}
workers = {workers}
[issuers.bench]
url = "http://127.0.0.1:{port}"
audience_classes = ["enterprise"]
keys.algorithm = "{algorithm}"
[audiences."https://mail.example"]
class = "enterprise"
scopes = ["mail.read"]
[clients.bench]
issuer = "bench"
grants = ["client_credentials"]
audiences = ["https://mail.example"]
scopes = ["mail.read"]
secrets = ["sha256:{digest}"]
"""


def main() -> None:
    """Run all of it, and write the results."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seconds", type=int, default=4, help="of load for each figure")
    reader.add_argument("--rounds", type=int, default=2)
    reader.add_argument("--only", choices=ALGORITHMS, help="one algorithm")
    reader.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    given = reader.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with it go the servers that run
    bench = Bench(given.seconds)
    kinds = [kind for kind in given.kinds if kind != PEER or has_peer()]
    with ExitStack() as stack:
        if TWO in kinds:
            bench.database = stack.enter_context(running_postgres(fsync="on"))
        for _ in range(given.rounds):
            for algorithm in [given.only] if given.only else ALGORITHMS:
                bench.round(algorithm, kinds)
    table(bench.rows())
    print(bench.save())


class Bench:
    """Takes figures, and keeps what there is so far.

    Attributes:
        database: for two front ends.
    """

    def __init__(self, seconds: int) -> None:
        self.database: Postgres | None = None
        self._seconds = seconds
        self._floors: dict[str, list[float]] = {}
        self._spells: dict[tuple[str, str], list[Row]] = {}

    def round(self, algorithm: str, kinds: Sequence[str]) -> None:
        """The floor, and one spell of each kind."""
        self._floors.setdefault(algorithm, []).append(openssl(ALGORITHMS[algorithm]))
        for kind in kinds:
            self._spells.setdefault((algorithm, kind), []).append(self._once(kind, algorithm))
            self.save()

    def save(self) -> Path:
        """Write what there is."""
        return measure.save("signing_speed", {"connections": CONNECTIONS, "rows": self.rows()})

    def rows(self) -> list[Row]:
        """What was measured, by algorithm and kind."""
        made = []
        for algorithm, floors in self._floors.items():
            floor = statistics.median(floors)
            rows = {
                kind: _row(kind, algorithm, floor, some)
                for (one, kind), some in self._spells.items()
                if one == algorithm
            }
            for kind, row in rows.items():
                if PEER in rows and kind != PEER:
                    row["ratio_to_peer"] = round(
                        row["tokens_per_second"] / rows[PEER]["tokens_per_second"], 3
                    )
            made += rows.values()
        return made

    def _once(self, kind: str, algorithm: str) -> Row:
        """One spell of load on a fresh server."""
        with tempfile.TemporaryDirectory(prefix="immure-bench-") as place:
            directory, port = Path(place), free_port()
            if kind == PEER:
                started = peer(directory, port, algorithm)
            elif kind == TWO:
                assert self.database is not None
                started = two_front_ends(directory, port, _settings_for(port, algorithm), self.database)
            else:
                started = _ours(directory, port, algorithm, kind)
            with started as processes:
                load(port, 1)
                before = cpu_by_part(processes)
                made = load(port, self._seconds)
                made["cpu"] += cpu_by_part(processes)
                made["cpu"].subtract(before)
                return made


def _row(kind: str, algorithm: str, floor: float, some: Sequence[Row]) -> Row:
    def middle(name: str) -> float:
        return statistics.median(one[name] for one in some)

    rate = statistics.median(one["requests"] / one["seconds"] for one in some)
    parts = sorted({part for one in some for part in one["cpu"]})
    cpu = {
        part: round(statistics.median(one["cpu"][part] / one["requests"] for one in some) * 1e6)
        for part in parts
    }
    return {
        "kind": kind,
        "algorithm": algorithm,
        "tokens_per_second": round(rate),
        "floor_signatures_per_second": round(floor),
        "ratio_to_floor": round(rate / floor, 3),
        "cpu_us_per_token": {**cpu, "servers": sum(cpu.values()) - cpu["load"]},
        "p50_ms": middle("p50_us") / 1000,
        "p99_ms": middle("p99_us") / 1000,
        "errors": sum(one["errors"] for one in some),
        "spells": len(some),
    }


def _settings_for(port: int, algorithm: str) -> Any:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()

    def settings(**changes: Any) -> str:
        usual: dict[str, Any] = {
            "registry": "keys.db",
            "state": "state.db",
            "ledger": "ledger.db",
            "custody": "keyholder:holder/keys.sealed?pin-source=pin",
            "workers": 1,
        }
        return SETTINGS.format(**{**usual, **changes}, port=port, algorithm=algorithm, digest=digest)

    return settings


@contextmanager
def _ours(directory: Path, port: int, algorithm: str, kind: str) -> Iterator[list[int]]:
    with ours(directory, port, algorithm, kind) as process:
        yield [process]


def ours(directory: Path, port: int, algorithm: str, kind: str) -> Any:
    """The service, set up in a directory; a context manager of its process."""
    path = set_up(directory, _settings_for(port, algorithm)())
    program = measure.HERE / "programs" / "signing_server.py"
    argv = [sys.executable, str(program), str(path), "off" if kind == OFF else "on"]
    return running(argv, answers(port, "/readyz"))


def load(port: int, seconds: int) -> Row:
    """So many seconds of requests: what wrk counted, and the processor time that it took itself."""
    secret = base64.b64encode(f"bench:{SECRET}".encode()).decode()
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    argv += ["-s", str(measure.HERE / "programs" / "client_credentials.lua")]
    environment = {**os.environ, "AUTHORIZATION": f"Basic {secret}"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*argv, f"http://127.0.0.1:{port}/token"], env=environment, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    match = re.search(r"FIGURES (\{.*\})", done.stdout)
    if match is None:
        raise RuntimeError(done.stdout + done.stderr)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    made: Row = json.loads(match[1]) | {"cpu": Counter({"load": used})}
    return made


def openssl(kind: str) -> float:
    """Signatures a second on all cores."""
    cores = len(os.sched_getaffinity(0))
    argv = ["openssl", "speed", "-seconds", "2", "-multi", str(cores), "-mr", kind]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        if line.startswith(("+F2:", "+F4:", "+F6:")):
            return _rate(line.split(":"))
    raise RuntimeError(done.stdout)


def _rate(fields: Sequence[str]) -> float:
    """Signatures a second in a machine-readable line that sums up all processes."""
    return float(fields[4 if fields[0] == "+F6" else 3])


def table(rows: Sequence[Row]) -> None:
    print(
        f"{'':<7}{'':<28}{'tokens/s':>9}{'floor':>7}{'of it':>6}{'peer':>6}{'p50 ms':>8}{'p99 ms':>8}  CPU us"
    )
    for row in rows:
        figures = f"{row['tokens_per_second']:>9}{row['floor_signatures_per_second']:>7}"
        figures += f"{row['ratio_to_floor']:>6.2f}{row.get('ratio_to_peer', 1.0):>6.2f}"
        figures += f"{row['p50_ms']:>8.1f}{row['p99_ms']:>8.1f}  "
        figures += ", ".join(f"{part} {used}" for part, used in row["cpu_us_per_token"].items())
        print(f"{row['algorithm']:<7}{row['kind']:<28}{figures}" + ("  ERRORS" if row["errors"] else ""))


if __name__ == "__main__":
    main()
