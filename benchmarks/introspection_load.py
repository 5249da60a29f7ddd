"""How many requests a second one core of the introspection server answers, as a ratio to the same ASGI server
answering a constant; how long the slowest wait; and, in a soak, whether its memory grows.

    python benchmarks/introspection_load.py                      # writes results/introspection_load.json
    python benchmarks/introspection_load.py --seconds 3          # a quick look
    python benchmarks/introspection_load.py --soak 10000000      # writes results/introspection_soak.json

Server and load generator (wrk) have a core each; each request has the next of some thousand tokens, all of
which are accepted; no result is remembered. The constant is measured just before, so that a busy neighbour
hits both alike; the round with the best ratio counts.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import measure

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from token_speed import AUDIENCE, ISSUER, KINDS, jwks, payload

from tokens.minting import Mint

HERE = Path(__file__).resolve().parent
TOKENS, CONNECTIONS, ROUNDS = 4000, 32, 3
SECRET = "a-secret-for-the-benchmark-only"
Row = dict[str, Any]


def cores() -> tuple[str, str]:
    """One for the server, one for the load; the same if there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return str(allowed[0]), str(allowed[-1])


def settings(directory: Path, kind: str, alg: str, log: str) -> Path:
    """Files of a server: keys, policy, settings. ``log`` is write, fsync or off."""
    (directory / "keys.json").write_text(json.dumps(jwks(kind, alg, 10)))
    (directory / "policy.toml").write_text(
        f"""version = 1
[sources.login]
file = "keys.json"
[issuers."{ISSUER}"]
source = "login"
audience_class = "enterprise"
algorithms = ["{alg}"]
[audiences]
"{AUDIENCE}" = ["enterprise"]
"""
    )
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    where = "off = true" if log == "off" else f'directory = "accepted"\ndurable = "{log}"'
    path = directory / "introspection.toml"
    path.write_text(
        f"""version = 1
policy = "policy.toml"
[log]
{where}
[clients.bench]
audiences = ["{AUDIENCE}"]
secrets = ["sha256:{digest}"]
[forward.bench]
consumer = "nginx"
audience = "{AUDIENCE}"
scopes = ["mail.read"]
"""
    )
    return path


def tokens(directory: Path, kind: str, alg: str, count: int = TOKENS, bad: int = 0) -> Path:
    """A file of tokens that are accepted, and so many that are not, each of them another."""
    path = directory / "tokens"
    made = [Mint(kind, alg, payload=json.dumps(payload(n)).encode()).token() for n in range(count)]
    for n in range(bad):
        said = payload(n) | ({"iss": f"https://issuer-{n}.example"} if n % 2 else {"exp": 1000 + n})
        header = {"kid": f"kid-{n}"} if n % 3 == 0 else {}
        made.insert(n * 3, Mint(kind, alg, header, json.dumps(said).encode()).token())
    path.write_text("\n".join(made) + "\n")
    return path


@contextmanager
def server(what: str, core: str) -> Iterator[tuple[int, int]]:
    """Port and process of a server that is up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = str(HERE / "programs" / "introspection_server.py")
    process = subprocess.Popen(["taskset", "-c", core, sys.executable, program, str(port), what])
    try:
        _wait_for(port, process)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).read()
        except OSError:
            if process.poll() is not None:
                raise RuntimeError("the server has ended") from None
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not come up")


def load(port: int, pid: int, way: str, given: Path, seconds: float, core: str) -> Row:
    """What wrk has to say, and what each request cost the server in CPU time (``cpu_us``)."""
    basic = base64.b64encode(f"bench:{SECRET}".encode()).decode()
    argv = ["taskset", "-c", core, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    argv += ["-s", str(HERE / "programs" / "introspection.lua"), f"http://127.0.0.1:{port}"]
    before = cpu_seconds(pid)
    done = subprocess.run([*argv, "--", way, str(given), basic], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found: Row = json.loads(line.removeprefix("RESULT "))
    found["per_second"] = round(found["requests"] * 1e6 / found["microseconds"])
    found["cpu_us"] = round((cpu_seconds(pid) - before) * 1e6 / max(1, found["requests"]), 1)
    return found


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process, in its own code and in the kernel on its behalf."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cases() -> list[tuple[str, str, str, str]]:
    """Name, kind of key, way in, log."""
    made = [
        (f"introspection, {kind}, log {log}", kind, "introspect", log) for kind in KINDS for log in ("write",)
    ]
    made += [("forward-auth, RS256, log write", "RS256", "forward", "write")]
    made += [(f"introspection, RS256, log {log}", "RS256", "introspect", log) for log in ("fsync", "off")]
    return made


def measured(seconds: float, rounds: int, only: Sequence[str]) -> list[Row]:
    server_core, load_core = cores()
    rows: dict[str, Row] = {}
    chosen = [case for case in cases() if not only or any(word in case[0] for word in only)]
    for _ in range(rounds):
        for name, alg, way, log in chosen:
            with tempfile.TemporaryDirectory(dir=HERE) as place:
                directory = Path(place)
                given = tokens(directory, KINDS[alg], alg)
                with server("constant", server_core) as (port, pid):
                    floor = load(port, pid, way, given, seconds, load_core)
                with server(str(settings(directory, KINDS[alg], alg, log)), server_core) as (port, pid):
                    load(port, pid, way, given, 1, load_core)
                    ours = load(port, pid, way, given, seconds, load_core)
            if floor["errors"] or ours["errors"]:
                raise RuntimeError(f"{name}: answers that are no 200: {floor['errors']}, {ours['errors']}")
            row = {"name": name, "ratio": round(ours["per_second"] / floor["per_second"], 3)}
            row |= {"cpu_ratio": round(floor["cpu_us"] / ours["cpu_us"], 3)}
            row |= {"constant": floor, "immure": ours}
            if name not in rows or row["ratio"] > rows[name]["ratio"]:
                rows[name] = row
            print(f"{name:<36} {ours['per_second']:>7}/s of {floor['per_second']:>7}/s", file=sys.stderr)
    return list(rows.values())


def memory(pid: int) -> int:
    """Kilobytes that the process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def soak(wanted: int, seconds: float) -> Row:
    """Load until so many requests are answered, a fifth of them about tokens that are refused; memory after
    each spell of it."""
    server_core, load_core = cores()
    with tempfile.TemporaryDirectory(dir=HERE) as place:
        directory = Path(place)
        given = tokens(directory, KINDS["RS256"], "RS256", bad=TOKENS // 4)
        with server(str(settings(directory, KINDS["RS256"], "RS256", "write")), server_core) as (port, pid):
            samples, done, errors = [], 0, 0
            begun = time.monotonic()
            while done < wanted:
                found = load(port, pid, "introspect", given, seconds, load_core)
                done, errors = done + found["requests"], errors + found["errors"]
                samples.append({"requests": done, "kib": memory(pid), "p99_us": found["p99_us"]})
                print(f"{done:>10} {samples[-1]['kib']:>8} KiB", file=sys.stderr)
                _thin(directory / "accepted")
            took = time.monotonic() - begun
    warm = [one for one in samples if one["requests"] >= min(wanted / 10, 1e6)] or samples
    growth = warm[-1]["kib"] - warm[0]["kib"]
    return {
        "requests": done,
        "errors": errors,
        "seconds": round(took),
        "growth_kib_after_warm_up": growth,
        "bytes_per_million_requests": round(
            growth * 1024e6 / max(1, warm[-1]["requests"] - warm[0]["requests"])
        ),
        "samples": samples,
    }


def _thin(directory: Path) -> None:
    """Take away sealed segments, so that the disk lasts."""
    for path in directory.glob("*.jsonl"):
        path.unlink()
        path.with_name(path.name + ".sha256").unlink()


def table(rows: Sequence[Row]) -> None:
    names = ("ratio", "by CPU", "req/s", "constant", "CPU us", "p50 ms", "p99 ms")
    print(" " * 36 + "".join(f"{name:>9}" for name in names))
    for row in rows:
        ours, floor = row["immure"], row["constant"]
        figures = [f"{row['ratio']:.2f}", f"{row['cpu_ratio']:.2f}", ours["per_second"], floor["per_second"]]
        figures += [ours["cpu_us"], f"{ours['p50_us'] / 1000:.2f}", f"{ours['p99_us'] / 1000:.2f}"]
        print(f"{row['name']:<36}" + "".join(f"{figure:>9}" for figure in figures))


def main() -> None:
    reader = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    reader.add_argument(
        "--seconds", type=float, default=10, help="of load for each figure, or spell of a soak"
    )
    reader.add_argument("--rounds", type=int, default=ROUNDS)
    reader.add_argument("--only", action="append", default=[], metavar="WORD", help="cases with this word")
    reader.add_argument("--soak", type=int, metavar="REQUESTS", help="load until so many are answered")
    given = reader.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed")
    if given.soak:
        print(measure.save("introspection_soak", soak(given.soak, given.seconds)))
        return
    rows = measured(given.seconds, given.rounds, given.only)
    table(rows)
    print(measure.save("introspection_load", {"connections": CONNECTIONS, "cases": rows}))


if __name__ == "__main__":
    main()
