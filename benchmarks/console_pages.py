"""How long the console takes to show a page, with much behind it: the first view of each page by a server
that has just started, and then under load.

    python benchmarks/console_pages.py                # 10,000 dumps, 10,000 keys, 100 million acceptances
    python benchmarks/console_pages.py --dumps 1000 --keys 1000 --millions 10 --seconds 5

What there is to see is made first (``programs/console_house.py``; 100 million acceptances and as many issued
tokens take some 9 GB), then counted (``immure serve console --refresh-only`` does the same), then looked at.
The first view is one request to a process that has shown nothing yet, when it has prepared what it prepares
at its start: how long that takes stands beside it. Under load wrk keeps four connections busy with one page;
the server is one process, as always. Exits with 1 if a first view took more than a second.

Results go to ``results/console_pages.json``. Data goes to ``--scratch`` (``/var/tmp``) and is removed; with
``--keep DIR`` it is made there unless it is there, and stays.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import measure
from introspection_load import _wait_for, cpu_seconds

HERE = Path(__file__).resolve().parent
HOUSE, SERVER, LUA = (
    HERE / "programs" / name for name in ("console_house.py", "console_server.py", "latency.lua")
)
MOST_SECONDS, CONNECTIONS = 1.0, 4
Row = dict[str, Any]


class Console:
    """A server that runs, and somebody who has signed in."""

    def __init__(self, port: int, pid: int, cookie: str) -> None:
        self.port, self.pid, self.cookie = port, pid, cookie

    def get(self, path: str) -> tuple[str, float]:
        """A page, and the seconds that it took."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=self.fields)
        begun = time.perf_counter()
        with urllib.request.urlopen(request, timeout=300) as answer:
            text = answer.read().decode()
        return text, time.perf_counter() - begun

    @property
    def fields(self) -> dict[str, str]:
        return {"Cookie": f"__Host-console={self.cookie}", "Host": "console.example"}

    def memory(self) -> int:
        """MiB at most since it has begun."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10


@contextmanager
def server(house: Path) -> Iterator[Console]:
    """A server over a house, up and ready."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cookie = house / "cookie"
    argv = [sys.executable, str(SERVER), str(port), str(house / "console.toml"), str(cookie)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield Console(port, process.pid, cookie.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def refreshed(house: Path) -> Row:
    """Count what there is; then again, when nothing is new."""
    from immure.console.settings import Settings
    from immure.console.tenant import Tenant
    from immure.console.upkeep import refresh_all

    shutil.rmtree(house / "state", ignore_errors=True)
    settings, failed, seconds = Settings.read(house / "console.toml"), list[str](), list[float]()
    for _ in range(2):
        tenant = Tenant(settings.tenants["bench"], settings)
        begun = time.perf_counter()
        refresh_all({"bench": tenant}, lambda event, **facts: failed.append(f"{event} {facts}"))
        seconds.append(time.perf_counter() - begun)
        tenant.close()
    if failed:
        raise RuntimeError(f"not all could be counted: {failed}")
    size = sum(one.stat().st_size for one in (house / "state").rglob("*") if one.is_file())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return {
        "first_seconds": round(seconds[0], 2),
        "again_seconds": round(seconds[1], 3),
        "disk_mib": size >> 20,
        "memory_mib": memory,
    }


def pages(console: Console) -> dict[str, str]:
    """Addresses of what is looked at, by name; some are found on other pages."""
    base = "/t/bench"
    text, _ = console.get(f"{base}/tokens")
    spans = [unescape(one) for one in re.findall(r'href="([^"]*/tokens/span\?begin[^"]*)"', text)]
    dump, _ = console.get(f"{base}/dumps")
    one = next(unescape(found) for found in re.findall(rf'href="({base}/dumps/[^"?]+)"', dump))
    return {
        "dumps": f"{base}/dumps",
        "dumps, page 15": f"{base}/dumps?page=15",
        "a dump": one,
        "keys": f"{base}/keys",
        "keys, page 15": f"{base}/keys?page=15",
        "tokens, a week": f"{base}/tokens",
        "tokens, a year": f"{base}/tokens?span=year",
        "tokens, an hour and its rows": spans[len(spans) // 2],
        "incidents": f"{base}/incidents",
        "an incident": f"{base}/incidents/inc-000",
        "access": f"{base}/access",
        "logs": f"{base}/logs",
    }


def first_views(house: Path, known: dict[str, str]) -> dict[str, Row]:
    """The first request of all to a server, for each page a server of its own: milliseconds, those of CPU,
    and those from when it answers until it has prepared all."""
    found = {}
    for name, path in known.items():
        with server(house) as console:
            ready = _settled(console)
            before = cpu_seconds(console.pid)
            text, seconds = console.get(path)
            cpu = cpu_seconds(console.pid) - before
        found[name] = {
            "ready_ms": round(ready * 1e3),
            "first_ms": round(seconds * 1e3),
            "first_cpu_ms": round(cpu * 1e3),
        }
        if "</html>" not in text:
            raise RuntimeError(f"{path} is no page")
    return found


def _settled(console: Console) -> float:
    """Wait until the server has done nothing for half a second; the seconds until then."""
    begun, before = time.perf_counter(), -1.0
    while (now := cpu_seconds(console.pid)) != before and time.perf_counter() - begun < 60:
        before = now
        time.sleep(0.5)
    return time.perf_counter() - begun - 0.5


def loaded(console: Console, path: str, seconds: float) -> Row:
    """What wrk has to say of a page, and what each request cost the server in CPU time."""
    argv = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "-s",
        str(LUA),
        "--timeout",
        "60s",
    ]
    for name, value in console.fields.items():
        argv += ["-H", f"{name}: {value}"]
    before = cpu_seconds(console.pid)
    done = subprocess.run(
        [*argv, f"http://127.0.0.1:{console.port}{path}"], capture_output=True, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found: Row = json.loads(line.removeprefix("RESULT "))
    if found["errors"]:
        raise RuntimeError(f"{path}: {found['errors']} answers that are no 200")
    found["per_second"] = round(found["requests"] * 1e6 / found.pop("microseconds"), 1)
    found["cpu_ms"] = round((cpu_seconds(console.pid) - before) * 1e3 / max(1, found["requests"]), 1)
    return found


def measured(house: Path, seconds: float) -> Row:
    """All of it."""
    with server(house) as console:
        known = pages(console)
    first = first_views(house, known)
    rows = []
    with server(house) as console:
        for name, path in known.items():
            console.get(path)
            rows.append(row := {"page": name, **first[name], **loaded(console, path, seconds)})
            print(_line(row), flush=True)
        memory = console.memory()
    return {"pages": rows, "memory_mib": memory}


def _line(row: Row) -> str:
    p50, p99 = (f"{row[name] / 1000:>8.1f} ms" for name in ("p50_us", "p99_us"))
    rate = f"{row['per_second']:>7}/s   {row['cpu_ms']:>6} ms of CPU"
    first = f"first {row['first_ms']:>5} ms ({row['first_cpu_ms']:>4} of CPU)"
    return f"{row['page']:<30} {first}   p50 {p50}   p99 {p99}   {rate}"


def _table(rows: list[Row]) -> Iterator[str]:
    """As docs/explanation/console-speed.md has it."""
    yield "| page | first view | of it CPU | p50 | p99 | CPU of one |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        p50, p99 = (round(row[name] / 1000) for name in ("p50_us", "p99_us"))
        yield (
            f"| {row['page']} | {row['first_ms']} | {row['first_cpu_ms']} | {p50} | {p99} | {row['cpu_ms']} |"
        )


@contextmanager
def house(given: argparse.Namespace) -> Iterator[Path]:
    """What there is to see, for as long as it is needed."""
    if given.keep is not None and (given.keep / "console.toml").exists():
        yield given.keep
        return
    place = given.keep or Path(tempfile.mkdtemp(prefix="immure-console-", dir=given.scratch))
    try:
        begun = time.perf_counter()
        argv = [
            sys.executable,
            str(HOUSE),
            str(place),
            str(given.dumps),
            str(given.keys),
            str(given.millions),
        ]
        subprocess.run(argv, check=True)
        print(f"made in {time.perf_counter() - begun:.0f} s", flush=True)
        yield place
    finally:
        if given.keep is None:
            shutil.rmtree(place)


def main() -> int:
    """See the module."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    options.add_argument("--dumps", type=int, default=10_000)
    options.add_argument("--keys", type=int, default=10_000)
    options.add_argument("--millions", type=int, default=100, help="of acceptances, and of issued tokens")
    options.add_argument("--seconds", type=float, default=10, help="of load for each page")
    options.add_argument("--scratch", type=Path, default=Path("/var/tmp"), help="where data goes")
    options.add_argument("--keep", type=Path, help="where data goes, and stays")
    given = options.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    with house(given) as place:
        counted = refreshed(place)
        print(f"counted in {counted['first_seconds']} s, again in {counted['again_seconds']} s", flush=True)
        found = measured(place, given.seconds)
    scale = {name: getattr(given, name) for name in ("dumps", "keys", "millions")}
    held = all(row["first_ms"] <= MOST_SECONDS * 1000 for row in found["pages"])
    result = {**scale, "connections": CONNECTIONS, "counting": counted, **found, "held": held}
    print("\n".join(_table(found["pages"])))
    print(measure.save("console_pages", result))
    print(f"first views of {MOST_SECONDS:g} s at most: {'held' if held else 'NOT HELD'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
