"""Killed before and after each step, with the real signing service; and a thief who goes on meanwhile."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from immure.keymaterial.key import b64url
from immure.response.containment.action import Scene
from immure.response.containment.running import ACTIONS, ContainmentRun
from immure.response.incident import Incident
from immure.response.proof import Prover
from response.containment.house import Contained, contained, immure

pytestmark = pytest.mark.drill
STEPS = [one.name for one in ACTIONS]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contained]:
    with contained(tmp_path_factory.mktemp("kills")) as running:
        yield running


def contain(house: Contained, folder: Path) -> None:
    with house.incident(folder) as incident:
        outcome = ContainmentRun(incident, house.settings, actor="ann").carry_out()
    assert outcome.failed == ()


def killed(house: Contained, folder: Path, step: str, when: str) -> int:
    """The signal that ends a process which contains, and kills itself before or after it does a step."""
    pid = os.fork()
    if pid == 0:
        try:
            action = next(one for one in ACTIONS if one.name == step)
            act: Callable[..., Any] = action.act

            def killing(self: Any, target: str) -> Any:
                if when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                act(self, target)
                os.kill(os.getpid(), signal.SIGKILL)

            action.act = killing  # type: ignore[method-assign]
            contain(house, folder)
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed(house: Contained, step: str, when: str) -> None:
    kid, tokens = house.signs(), {"mail": house.token(), "calendar": house.token("agenda")}
    folder = house.open(f"{step}-{when}", kid=kid)
    assert killed(house, folder, step, when) == signal.SIGKILL
    contain(house, folder)
    done = [
        (one.body["step"], one.body["target"])
        for one in Incident.load(folder).entries()
        if one.kind == "step" and one.body["state"] == "done"
    ]
    assert len(done) == len(set(done))  # nothing twice
    assert {one for one, _ in done} >= set(STEPS) - {"witness"}  # nothing skipped
    assert house.states()[kid] == "compromised"
    assert not any(house.takes(party, token) for party, token in tokens.items())
    assert house.list_at("mail") == house.list_at("calendar")
    mine = [one for one in house.receiver.taken.values() if one["txn"] == Incident.load(folder).name]
    assert len(mine) == 1
    with house.incident(folder) as incident:
        proof = Prover(Scene.of(house.settings, incident, actor="ann")).run(seconds=10)
    if step == "witness" and when == "before":
        assert {one.verdict for one in proof.seen} <= {"refuses", "cannot tell"}
    else:
        assert proof.holds, proof


# --- a thief ---


def stolen(house: Contained, kid: str, like: str, **claims: Any) -> str:
    """A token that a thief of the key makes after the pattern of another."""
    path = house.directory / "signing" / "private" / f"{kid}.pem"
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    head, payload, _ = like.split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | claims
    signed = f"{head}.{b64url(json.dumps(said).encode())}"
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def prove(house: Contained, folder: Path, code: int, forged: int) -> dict[str, Any]:
    """What the command says, as soon as the ledger's watermark has passed all that was accepted."""
    end = time.monotonic() + 60
    while True:
        house.token()  # so that there are batches, and the watermark goes on
        command = ("respond", "prove", folder, "-c", house.config, "--key", house.key, "-f", "json")
        proof: dict[str, Any] = json.loads(immure(*command, code=(0, 1, 3)))
        if (
            proof["reconciliation"]["forged"] == forged
            and "says nothing" not in proof["reconciliation"]["words"]
        ):
            immure(*command, code=code)
            return proof
        assert time.monotonic() < end, proof
        time.sleep(1)


def test_a_thief_goes_on(tmp_path: Path) -> None:
    """Forged tokens that were accepted before count for the past. One that is accepted since is said, and the
    proof does not hold, though each door was seen to refuse by then."""
    with contained(tmp_path) as house:
        with house.config.open("a") as stream:
            ledger = f'log = "signing/ledger-log"\nlog_key = "{house.log_key}"\n'
            stream.write(f'[reconcile]\nsegments = "segments"\n{ledger}')
        good = house.config.read_text()
        kid, like = house.signs(), house.token()
        assert house.takes("mail", stolen(house, kid, like, sub="grace"))  # the attack
        time.sleep(1.1)
        folder = house.open(kind="forged-token")
        contain(house, folder)
        assert not house.takes("mail", stolen(house, kid, like, sub="grace"))
        assert prove(house, folder, 0, 0)["holding"] == []
        # now the relying party hears of nothing, and has the old key in its file besides the new ones
        kid, like = house.signs(), house.token()
        text = good.replace(f"127.0.0.1:{house.ports['mail']}/deny-list", "127.0.0.1:9/deny-list")
        house.config.write_text(text.replace("mail-keys]\ncommand", "mail-keys]\ncommand = ['true']\n#"))
        folder = house.open("second", kind="forged-token")
        path = house.directory / "mail" / "enterprise.json"
        old = json.loads(path.read_text())["keys"]
        with house.incident(folder) as incident:
            assert not ContainmentRun(incident, house.settings, actor="ann").carry_out().is_done
        time.sleep(1.1)
        assert house.takes("mail", stolen(house, kid, like, sub="heidi"))
        assert [one["kid"] for one in old] == [kid]
        house.config.write_text(good)
        contain(house, folder)
        assert not house.takes("mail", stolen(house, kid, like, sub="heidi"))
        proof = prove(house, folder, 1, 1)
        assert (
            proof["reconciliation"]["words"]
            == "1 forged tokens of the key were accepted since it was contained"
        )
