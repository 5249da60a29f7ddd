"""What fails around the running service: its key holder, its disk, its processes. No token is lost by it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from immure.auditlog import AuditLog
from immure.ledger.sqlite_store import SqliteLedger
from immure.ledger.verify import verify_ledger
from signing.house import SECRET
from signing.proving import assertion
from signing.real.conftest import KEYS
from signing.real.load import Load
from signing.real.serving import UNSAFE, Serving, serving, until

DAEMON = ("daemon", SECRET)
CREDENTIALS = {"grant_type": "client_credentials"}


def ask(served: Serving) -> httpx.Response:
    return httpx.post(f"{served.enterprise}/token", data=CREDENTIALS, auth=DAEMON, timeout=40)


def in_ledger(directory: Path, issuer: str) -> dict[bytes, int]:
    """Sequence numbers by digest; there is no gap in them."""
    with SqliteLedger(directory / "ledger.db") as store:
        rows = {row.digest: number for number, row in store.rows(issuer, 1, 1 << 40)}
    assert sorted(rows.values()) == list(range(1, len(rows) + 1))
    return rows


def verified(directory: Path) -> int:
    """How many rows are in batches that the log has."""
    with SqliteLedger(directory / "ledger.db") as store:
        entries = AuditLog.open(directory / "ledger-log").entries()
        return sum(one.rows for one in verify_ledger(store, entries))


@pytest.fixture
def own(tmp_path: Path):
    with serving(tmp_path / "house", idp=KEYS, signer=KEYS) as running:
        yield running


def test_a_key_holder_that_is_killed(served: Serving) -> None:
    """Whatever was asked of it is answered with a token or 503; then another one is started."""
    earlier = len(served.events("unavailable"))
    with Load([served.enterprise]) as load:
        until(lambda: len(load.tokens) > 50, "no tokens")
        for pid in served.processes("keyholder/boot.py"):
            os.kill(pid, signal.SIGKILL)
        before = len(load.tokens)
        until(lambda: len(load.tokens) > before + 50, served.program.printed())
    assert set(load.statuses) <= {200, 503}
    assert load.digests() <= in_ledger(served.house.directory, served.enterprise).keys()
    assert {one["code"] for one in served.events("unavailable")[earlier:]} <= {"holder-gone"}


def test_a_disk_that_is_full(served: Serving) -> None:
    """The service may write no file any longer, and then again."""
    (worker,) = served.processes("spawn_main")
    assert ask(served).status_code == 200
    _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, most))
    refused = [ask(served) for _ in range(3)]
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (most, most))
    assert [one.status_code for one in refused] == [503] * 3
    assert all(one.headers["retry-after"] for one in refused)
    assert "access_token" not in refused[0].text
    until(lambda: ask(served).status_code == 200, served.program.printed())
    in_ledger(served.house.directory, served.enterprise)
    until(lambda: verified(served.house.directory) >= 2, served.program.printed())


def test_killed_under_load(own: Serving) -> None:
    """Every token that a client has is in the ledger, and the next process goes on where this one stopped."""
    directory, issuer = own.house.directory, own.enterprise
    with Load([issuer]) as load:
        until(lambda: len(load.tokens) > 300, "no tokens")
        own.kill_all()
    received = load.digests()
    assert received <= in_ledger(directory, issuer).keys()
    with serving(directory, house=own.house) as again:
        assert ask(again).status_code == 200
    rows = in_ledger(directory, issuer)
    assert received <= rows.keys()
    assert verified(directory) == len(rows)


def test_asked_to_stop_under_load(own: Serving) -> None:
    """What is in hand is answered, in full; what was answered is in the ledger and in its log."""
    directory, issuer = own.house.directory, own.enterprise
    with Load([issuer]) as load:
        until(lambda: len(load.tokens) > 300, "no tokens")
        own.program.process.terminate()
        assert own.program.process.wait(20) == 0
    assert set(load.statuses) == {200}
    rows = in_ledger(directory, issuer)
    assert load.digests() == rows.keys()
    assert verified(directory) == len(rows)


def test_two_services_with_one_key_file(served: Serving) -> None:
    command = [
        sys.executable,
        "-m",
        "immure",
        "serve",
        "signing",
        "--config",
        str(served.house.path),
        "--port",
        "0",
    ]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 3
    assert '"event": "cannot-begin", "code": "holder-busy"' in second.stderr
    assert "Traceback" not in second.stderr
    assert ask(served).status_code == 200


def test_settings_are_read_again(own: Serving) -> None:
    """SIGHUP: with other clients from now on; wrong ones, and those that need a new start, change nothing."""
    good, path = own.house.path.read_text(), own.house.path

    def hup(text: str, event: str) -> None:
        count = len(own.events(event))
        path.write_text(text)
        own.program.process.send_signal(signal.SIGHUP)
        until(lambda: len(own.events(event)) > count, own.program.printed())

    with Load([own.enterprise], 1) as load:
        until(lambda: len(load.tokens) > 5, "no tokens")
        hup(good + "\nnonsense", "reload-failed")
        hup(good.replace('keys.algorithm = "EdDSA"', 'keys.algorithm = "ES256"'), "reload-failed")
        assert set(load.statuses) == {200}
        hup(good.replace("[clients.daemon]", "[clients.demon]"), "reloaded")
        until(lambda: 401 in load.statuses, "the client is still known")
    assert set(load.statuses) == {200, 401}


def test_an_assertion_is_taken_once_by_two_processes(tmp_path: Path) -> None:
    with serving(tmp_path / "house", "--workers", "2", changes={UNSAFE: UNSAFE}, signer=KEYS) as two:
        assert len(two.processes("spawn_main")) == 2
        sent = {**CREDENTIALS, **assertion(aud=two.enterprise)}
        with ThreadPoolExecutor(16) as pool:
            answers = list(
                pool.map(lambda _: httpx.post(f"{two.enterprise}/token", data=sent, timeout=40), range(32))
            )
    assert Counter(one.status_code for one in answers) == {200: 1, 401: 31}
