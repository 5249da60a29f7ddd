"""How many tokens a second the signing service gives out over HTTP, as a ratio to what the same two cores
could sign if they did nothing else (openssl speed), and to npm oidc-provider doing the same.

    python benchmarks/signing_speed.py                   # writes results/signing_speed.json
    python benchmarks/signing_speed.py --seconds 2 --rounds 1   # a quick look

Everything runs on the same two cores, the load generator (wrk) included: the front end, the key holder,
the ledger in SQLite with every row on the disk before its token leaves. oidc-provider has a process for each
core, its keys in memory, and no ledger. Ours, its peer and the floor take turns; medians of the rounds count.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import measure

HERE = Path(__file__).resolve().parent
SECRET = "a-secret-for-the-benchmark-only"
CONNECTIONS = 64
ALGORITHMS = {"RS256": "rsa2048", "ES256": "ecdsap256", "EdDSA": "ed25519"}
Row = dict[str, Any]

SETTINGS = """
version = 1
registry = "keys.db"
state = "state.db"
custody = "{custody}"
[ledger]
place = "ledger.db"
log = "ledger-log"
log_key = "file:log.key"
[listen]
port = {port}
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
    reader.add_argument("--seconds", type=float, default=8, help="of load for each figure")
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--only", choices=ALGORITHMS, help="one algorithm")
    given = reader.parse_args()
    rows = []
    for algorithm in [given.only] if given.only else ALGORITHMS:
        rows += measured(algorithm, given.seconds, given.rounds)
    table(rows)
    print(measure.save("signing_speed", {"rows": rows}))


def measured(algorithm: str, seconds: float, rounds: int) -> list[Row]:
    """One algorithm: what OpenSSL signs, ours with each custody and without its ledger, and the peer."""
    kinds = ["keyholder", "keyholder, no ledger", "file+unsafe", "oidc-provider"]
    found: dict[str, list[Row]] = {kind: [] for kind in kinds}
    floors = []
    for _ in range(rounds):
        floors.append(openssl(ALGORITHMS[algorithm]))
        for kind in kinds:
            row = once(kind, algorithm, seconds)
            if row is not None:
                found[kind].append(row)
    floor = statistics.median(floors)
    return [_row(kind, algorithm, floor, some) for kind, some in found.items() if some]


def _row(kind: str, algorithm: str, floor: float, some: Sequence[Row]) -> Row:
    def middle(name: str) -> float:
        return statistics.median(one[name] for one in some)

    rate = statistics.median(one["requests"] / one["seconds"] for one in some)
    return {
        "kind": kind,
        "algorithm": algorithm,
        "tokens_per_second": round(rate),
        "floor_signatures_per_second": round(floor),
        "ratio_to_floor": round(rate / floor, 3),
        "cpu_us_per_token": round(statistics.median(one["cpu"] / one["requests"] for one in some) * 1e6),
        "p50_ms": middle("p50_us") / 1000,
        "p99_ms": middle("p99_us") / 1000,
        "errors": sum(one["errors"] for one in some),
    }


def once(kind: str, algorithm: str, seconds: float) -> Row | None:
    """One spell of load on a fresh server."""
    with tempfile.TemporaryDirectory(prefix="immure-bench-") as place:
        directory, port = Path(place), free_port()
        if kind == "oidc-provider":
            started = peer(directory, port, algorithm)
        else:
            started = ours(directory, port, algorithm, kind)
        if started is None:
            return None
        with started as process:
            load(port, 1.0)
            before = cpu_of(process)
            made = load(port, seconds)
            made["cpu"] = cpu_of(process) - before
            return made


def ours(directory: Path, port: int, algorithm: str, kind: str) -> Any:
    """The service, set up in a directory."""
    custody = "keyholder:holder/keys.sealed?pin-source=pin" if "keyholder" in kind else "file+unsafe:private"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    path = directory / "signing.toml"
    path.write_text(SETTINGS.format(custody=custody, port=port, algorithm=algorithm, digest=digest))
    (directory / "pin").write_text("a pin for the benchmark\n")
    (directory / "pin").chmod(0o600)
    immure = [sys.executable, "-m", "immure"]
    subprocess.run([*immure, "attest", "keygen", str(directory / "log.key"), "-q"], check=True)
    subprocess.run([*immure, "signing", "init", "-c", str(path), "-q"], check=True)
    program = HERE / "programs" / "signing_server.py"
    ledger = "off" if "no ledger" in kind else "on"
    return running([sys.executable, str(program), str(path), ledger], port, "/readyz")


def peer(directory: Path, port: int, algorithm: str) -> Any:
    """oidc-provider, installed once; None if there is no npm."""
    if shutil.which("npm") is None:
        print("skipped: oidc-provider (npm is not installed)", file=sys.stderr)
        return None
    modules = HERE.parent / ".make" / "oidc-provider"
    if not (modules / "node_modules").exists():
        modules.mkdir(parents=True, exist_ok=True)
        (modules / "package.json").write_text('{"private": true}')
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": modules, "check": True}
        subprocess.run(["npm", "install", "--silent", "oidc-provider@9"], **quiet)
    program = HERE / "programs" / "oidc_provider.mjs"
    cores = str(len(os.sched_getaffinity(0)))
    argv = ["node", str(program), str(port), algorithm, cores, str(modules)]
    return running(argv, port, "/.well-known/openid-configuration")


@contextmanager
def running(argv: Sequence[str], port: int, path: str) -> Iterator[int]:
    """A server, until it is not needed any more; its process."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, stdout=said, stderr=said, start_new_session=True)
        try:
            _wait(port, path, process)
            yield process.pid
        except BaseException:
            said.seek(0)
            print(said.read().decode(errors="replace")[-2000:], file=sys.stderr)
            raise
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError("the server ended")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not come up")


def load(port: int, seconds: float) -> Row:
    """So many seconds of requests; what wrk counted."""
    secret = base64.b64encode(f"bench:{SECRET}".encode()).decode()
    script = str(HERE / "programs" / "client_credentials.lua")
    argv = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds:g}",
        "-s",
        script,
        f"http://127.0.0.1:{port}/token",
    ]
    environment = {**os.environ, "AUTHORIZATION": f"Basic {secret}"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    match = re.search(r"FIGURES (\{.*\})", done.stdout)
    if match is None:
        raise RuntimeError(done.stdout + done.stderr)
    made: Row = json.loads(match[1])
    return made


def cpu_of(group: int) -> float:
    """CPU seconds of all processes of a session, and of those that they started (the key holder)."""
    ticks = os.sysconf("SC_CLK_TCK")
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        used[int(entry.name)] = (int(fields[11]) + int(fields[12])) / ticks
    waiting, total = [group], 0.0
    while waiting:
        one = waiting.pop()
        total += used.get(one, 0.0)
        waiting += children.get(one, [])
    return total


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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


def table(rows: Sequence[Row]) -> None:
    print(f"{'':<8}{'':<24}{'tokens/s':>9}{'floor':>9}{'ratio':>7}{'CPU us':>8}{'p50 ms':>8}{'p99 ms':>8}")
    for row in rows:
        figures = f"{row['tokens_per_second']:>9}{row['floor_signatures_per_second']:>9}"
        figures += f"{row['ratio_to_floor']:>7.2f}{row['cpu_us_per_token']:>8}"
        figures += f"{row['p50_ms']:>8.1f}{row['p99_ms']:>8.1f}"
        print(f"{row['algorithm']:<8}{row['kind']:<24}{figures}" + ("  ERRORS" if row["errors"] else ""))


if __name__ == "__main__":
    main()
