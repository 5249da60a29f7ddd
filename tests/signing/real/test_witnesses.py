"""The log of a service's ledger is signed by a real witness, that the operator cannot rewrite it unseen."""

from __future__ import annotations

import asyncio
import io
import json
import time
from pathlib import Path

import pytest

from immure.auditlog.note import parse_vkey
from immure.auditlog.witnessed import check_witnessed, read_witnessed
from immure.errors import UsageError
from immure.signing.service import Service
from ledger.witnessing import Running
from signing.house import ENTERPRISE, SECRET, House, client_of


def test_each_batch_is_witnessed(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    house = House(tmp_path / "house")
    key = parse_vkey(house.log_key)
    witness = Running(tmp_path / "witness", [key], "witness.example", [])
    try:
        text = house.path.read_text()
        house.path.write_text(
            text.replace("[ledger]\n", f"[ledger]\nwitnesses = [{json.dumps(witness.line)}]\n")
        )
        said = io.StringIO()

        async def work() -> None:
            service = await Service.start(house.settings, stream=said)
            try:
                async with client_of(service) as client:
                    data = {"grant_type": "client_credentials"}
                    answer = await client.post(f"{ENTERPRISE}/token", data=data, auth=("daemon", SECRET))
                    assert answer.status_code == 200
                await until(said, "witnessed")
                witness.kill()
                async with client_of(service) as client:  # nobody waits for a witness
                    answer = await client.post(f"{ENTERPRISE}/token", data=data, auth=("daemon", SECRET))
                    assert answer.status_code == 200
                await until(said, "not-witnessed")
                witness.start()
                await until(said, "witnessed", times=2)
            finally:
                await service.stop()

        asyncio.run(work())
        seen = read_witnessed(house.directory / "ledger-log")
        assert check_witnessed(seen, key, [witness.place.key], 1, path="log").checkpoint.size > 0
    finally:
        witness.close()


async def until(said: io.StringIO, state: str, *, times: int = 1, seconds: float = 60) -> None:
    """Until the journal has said this of the witnesses so often."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        events = [json.loads(line) for line in said.getvalue().splitlines()]
        if sum(one["event"] == "witnesses" and one["state"] == state for one in events) >= times:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"the journal never said {state}: {said.getvalue()[-2000:]}")


WRONG = [
    ("no key", 'witnesses = ["https://witness.example"]', "witness"),
    ("no URL", 'witnesses = ["witness.example+1a2b3c4d+AAAA"]', "witness"),
    ("nobody", "witness_quorum = 1", "none is named"),
]


@pytest.mark.parametrize(("lines", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_no_witness(tmp_path: Path, lines: str, words: str) -> None:
    house = House(tmp_path)
    house.path.write_text(house.path.read_text().replace("[ledger]\n", f"[ledger]\n{lines}\n"))
    with pytest.raises(UsageError, match=words):
        asyncio.run(Service.start(house.settings, stream=None))
