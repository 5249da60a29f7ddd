"""How many assertions of hardware keys a second one core verifies: Immure (every step of WebAuthn Level 3,
section 7.2), ``fido2`` (fewer of them), and the floor, which is ``cryptography`` verifying the same
signatures and doing nothing else. Beside it what a whole approval costs, with its entry in the log and its
row in the database, both synced.

    python benchmarks/access_assertions.py            # writes results/access_assertions.json

The bar is 1,000 assertions a second and core. Rounds are interleaved, so that a busy neighbour hits all
alike; the best round counts, as CPU time of this process. Approvals are given in wall time as well: they wait
for the disk.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fido2 import cbor
from fido2.server import Fido2Server
from fido2.webauthn import AttestedCredentialData, PublicKeyCredentialRpEntity

from access.authenticator import Authenticator, Credential, b64, unb64
from access.rooms import World, founded
from immure.access.webauthn.assertion import Expected, Known, verify_assertion
from immure.access.webauthn.response import parse_assertion

BAR = 1000
COUNT, ROUNDS, APPROVALS = 400, 9, 40
ID = "access.prod.example"
Check = Callable[[], Any]


def credential(algorithm: str) -> Credential:
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        key = ed25519.Ed25519PrivateKey.generate()
    return Credential(b"c" * 32, key, b"h" * 32)


def responses(one: Credential) -> list[tuple[bytes, bytes]]:
    """Challenges, and responses as a browser sends them."""
    key = Authenticator(credentials={one.id: one})
    made = []
    for number in range(COUNT):
        challenge = hashlib.sha256(f"document {number}".encode()).digest()
        options = {"challenge": b64(challenge), "rpId": ID, "allowCredentials": [{"id": b64(one.id)}]}
        made.append((challenge, json.dumps(key.get(options)).encode()))
    return made


def immure(one: Credential, given: list[tuple[bytes, bytes]]) -> Check:
    """From the bytes of the response to the new counter."""
    cose = cbor.encode(one.cose)

    def check() -> None:
        counter = 0
        for challenge, response in given:
            expected = Expected(ID, (f"https://{ID}",), challenge)
            known = Known(one.id, one.handle, cose, counter)
            counter = verify_assertion(parse_assertion(response), expected, known)
        assert counter == COUNT

    return check


def fido2(one: Credential, given: list[tuple[bytes, bytes]]) -> Check:
    server = Fido2Server(PublicKeyCredentialRpEntity(id=ID, name="x"))
    attested = [AttestedCredentialData.create(b"a" * 16, one.id, one.cose)]

    def check() -> None:
        for challenge, response in given:
            state = {"challenge": b64(challenge), "user_verification": "required"}
            server.authenticate_complete(state, attested, json.loads(response))

    return check


def floor(one: Credential, given: list[tuple[bytes, bytes]]) -> Check:
    """The signatures, and nothing else."""
    public = one.key.public_key()
    pairs = []
    for _, raw in given:
        response = json.loads(raw)["response"]
        digest = hashlib.sha256(unb64(response["clientDataJSON"])).digest()
        pairs.append((unb64(response["signature"]), unb64(response["authenticatorData"]) + digest))
    if isinstance(public, ed25519.Ed25519PublicKey):
        return lambda: [public.verify(*pair) for pair in pairs]
    scheme = ec.ECDSA(hashes.SHA256())
    return lambda: [public.verify(*pair, scheme) for pair in pairs]


def assertions(algorithm: str) -> dict[str, Any]:
    one = credential(algorithm)
    given = responses(one)
    listed = {"immure": immure(one, given), "fido2": fido2(one, given), "floor": floor(one, given)}
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, check in listed.items():
            begun = time.process_time()
            check()
            best[name] = min(best.get(name, 1e9), time.process_time() - begun)
    return {
        name: {"per_second": round(COUNT / seconds), "times_floor": round(seconds / best["floor"], 2)}
        for name, seconds in best.items()
    }


def approvals(place: str | None) -> dict[str, float]:
    """What an approval costs from its challenge to its entry in the log: CPU and wall, in milliseconds."""
    directory = Path(tempfile.mkdtemp(dir=place))
    world: World = founded(directory / "room")
    cpu = wall = 0.0
    for _ in range(APPROVALS):
        request = world.ask()
        begun, begun_cpu = time.perf_counter(), time.process_time()
        world.approve(request, "prd-grace")
        wall, cpu = wall + time.perf_counter() - begun, cpu + time.process_time() - begun_cpu
        world.clock.pass_(minutes=6)
    begun_cpu = time.process_time()
    world.door.verify()
    checked = time.process_time() - begun_cpu
    entries = len(world.door.log)
    world.door.close()
    shutil.rmtree(directory)
    return {
        "cpu_ms": round(1000 * cpu / APPROVALS, 2),
        "wall_ms": round(1000 * wall / APPROVALS, 2),
        "verify_ms_per_entry": round(1000 * checked / entries, 3),
    }


def main() -> None:
    results = {algorithm: assertions(algorithm) for algorithm in ("ES256", "EdDSA")}
    for algorithm, rows in results.items():
        print(algorithm)
        for name, row in rows.items():
            print(f"  {name:<8} {row['per_second']:>8,} a second   {row['times_floor']} times the floor")
    whole = approvals(None)
    print(f"an approval, logged: {whole['cpu_ms']} ms of computing, {whole['wall_ms']} ms with the disk")
    print(f"verifying the log: {whole['verify_ms_per_entry']} ms an entry")
    slowest = min(rows["immure"]["per_second"] for rows in results.values())
    print("bar", BAR, "held" if slowest >= BAR else "MISSED")
    content = {"assertions": COUNT, "bar": BAR, "results": results, "approval": whole}
    print(measure.save("access_assertions", content))


if __name__ == "__main__":
    main()
