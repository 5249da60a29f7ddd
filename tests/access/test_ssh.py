"""Certificates of OpenSSH on a live grant: let in by a real sshd, or not."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.rooms import RAM, Clock, World, screening
from access.sshd import Host, make_key, running
from access.test_attacks import enrol
from immure.access import DeniedError, NoGrantError
from immure.access.errors import AccessError
from immure.access.records import Certificate
from immure.access.ssh import Authority, Issued, Order, make_krl, sign_certificate, write_krl
from immure.access.ssh_keys import parse_public_key
from immure.access.texts import spelled
from immure.errors import InputError, UsageError
from servers.program import Program, directory

ADA = Order("prd-ada", "room:debug")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with running("room:debug") as made:
        yield made


@pytest.fixture
def room() -> Iterator[World]:
    """A room of now: sshd has a clock of its own."""
    base = Path(tempfile.mkdtemp(dir=RAM))
    made = World(base / "room", clock=Clock(datetime.now(UTC).replace(microsecond=0))).found()
    yield made
    made.door.close()
    shutil.rmtree(base)


def certified(world: World, host: Host, key: Path, order: Order = ADA, at: datetime | None = None) -> Issued:
    """Sign for a key, and put the certificate where ssh looks for it."""
    issued = sign_certificate(
        world.door, parse_public_key(Path(f"{key}.pub").read_bytes()), order, Authority(host.ca)
    )
    Path(f"{key}-cert.pub").write_bytes(issued.text)
    return issued


def refused(tried: subprocess.CompletedProcess[str]) -> bool:
    """By what was shown, and not because the connection has failed."""
    return tried.returncode == 255 and "Permission denied (publickey)" in tried.stderr


def listed(path: Path) -> str:
    return subprocess.run(
        ["ssh-keygen", "-L", "-f", str(path)], capture_output=True, text=True, check=True, timeout=30
    ).stdout


def test_a_grant_lets_in_until_it_is_revoked(room: World, host: Host, tmp_path: Path) -> None:
    """The whole life of a certificate: none, live, revoked and on the list."""
    key = make_key(tmp_path / "sk", "ed25519-sk")
    assert refused(host.enter(key))  # the key alone opens nothing
    with pytest.raises(NoGrantError):
        certified(room, host, key)
    grant = room.granted()
    issued = certified(room, host, key)
    assert issued.grant == grant
    assert issued.ends == room.clock.at + timedelta(hours=1)
    entered = host.enter(key)
    assert (entered.returncode, entered.stdout) == (0, "in\n"), entered.stderr + host.sshd.printed()
    text = listed(Path(f"{key}-cert.pub"))
    assert "verify-required" in text
    assert f"Serial: {issued.serial}" in text
    assert f'Key ID: "prd-ada/{grant}"' in text
    assert "permit-pty" in text
    assert "forwarding" not in text

    [recorded] = room.door.records(Certificate)
    assert (recorded.serial, recorded.state) == (str(issued.serial), "issued")
    write_krl(room.door, Path(f"{host.ca}.pub"), host.krl)
    assert host.enter(key).returncode == 0  # it is on no list yet
    room.sign(room.door.begin_revocation("prd-grace", grant, "left the building"))
    assert write_krl(room.door, Path(f"{host.ca}.pub"), host.krl) == 1
    assert refused(host.enter(key))
    assert "revoked" in host.sshd.printed()
    with pytest.raises(NoGrantError):
        certified(room, host, key)


def test_somebody_whose_screening_runs_out(room: World, host: Host, tmp_path: Path) -> None:
    """Nobody has revoked anything. The certificate ends with the screening; and if that ends sooner than it
    was to, the certificate is on the list."""
    key = make_key(tmp_path / "sk", "ed25519-sk")
    until = room.clock.at + timedelta(minutes=10)
    enrol(room, "prd-eve", "P-eve", expires=spelled(until))
    room.granted("prd-eve", hours=2)
    assert certified(room, host, key, Order("prd-eve", "room:debug")).ends == until
    assert host.enter(key).returncode == 0
    record = screening(room.clock.at, expires=spelled(room.clock.at + timedelta(minutes=1)))
    subject = {"account": "prd-eve", "screening": record}
    request = room.sign(room.door.begin_request("prd-barbara", "screening", subject)).id
    room.approve(request, "prd-grace")
    assert room.approve(request, "prd-edsger").state == "done"
    room.clock.pass_(minutes=2)
    assert write_krl(room.door, Path(f"{host.ca}.pub"), host.krl) == 1
    assert refused(host.enter(key))


def test_a_key_that_has_not_verified_its_user(room: World, host: Host, tmp_path: Path) -> None:
    key = make_key(tmp_path / "sk", "ed25519-sk")
    room.granted()
    certified(room, host, key)
    assert host.enter(key).returncode == 0
    assert refused(host.enter(key, verified=False))


def test_a_certificate_that_has_run_out(room: World, host: Host, tmp_path: Path) -> None:
    """Made by a door whose clock is two hours behind sshd's."""
    key = make_key(tmp_path / "sk", "ed25519-sk")
    old = World(tmp_path / "older", clock=Clock(room.clock.at - timedelta(hours=2))).found()
    old.granted()
    certified(old, host, key, Order("prd-ada", "room:debug", minutes=30))
    old.door.close()
    assert refused(host.enter(key))
    assert "expired" in host.sshd.printed()


def test_another_room(room: World, host: Host, tmp_path: Path) -> None:
    """The host opens to room:debug; a grant for another room is none for this."""
    key = make_key(tmp_path / "sk", "ed25519-sk")
    room.granted(resource="room:mail")
    with pytest.raises(NoGrantError):
        certified(room, host, key)
    certified(room, host, key, Order("prd-ada", "room:mail"))
    assert refused(host.enter(key))


def test_from_another_address(room: World, host: Host, tmp_path: Path) -> None:
    key = make_key(tmp_path / "sk", "ed25519-sk")
    room.granted()
    certified(room, host, key, Order("prd-ada", "room:debug", sources=("10.1.2.0/24",)))
    assert refused(host.enter(key))
    certified(room, host, key, Order("prd-ada", "room:debug", sources=("10.1.2.0/24", "127.0.0.1/32")))
    assert host.enter(key).returncode == 0


def test_a_key_that_is_a_file(room: World, host: Host, tmp_path: Path) -> None:
    key = make_key(tmp_path / "plain")
    room.granted()
    with pytest.raises(DeniedError, match="can be copied") as caught:
        certified(room, host, key)
    assert caught.value.rule == "plain-key"
    assert not room.door.records(Certificate)
    certified(room, host, key, Order("prd-ada", "room:debug", plain=True))
    assert host.enter(key).returncode == 0


def test_a_certificate_ends_with_its_grant(room: World, host: Host, tmp_path: Path) -> None:
    key = make_key(tmp_path / "sk", "ed25519-sk")
    room.granted(hours=1)
    room.clock.pass_(minutes=50)
    assert certified(room, host, key).ends == room.clock.at + timedelta(minutes=10)


def test_an_authority_that_does_not_sign(room: World, host: Host, tmp_path: Path) -> None:
    """The serial is on record before anything is signed: there is no certificate that nobody knows of."""
    key = make_key(tmp_path / "sk", "ed25519-sk")
    room.granted()
    with pytest.raises(AccessError, match="ssh-keygen does not sign"):
        sign_certificate(
            room.door,
            parse_public_key(Path(f"{key}.pub").read_bytes()),
            ADA,
            Authority(tmp_path / "nowhere"),
        )
    assert len(room.door.records(Certificate)) == 1


def test_an_authority_in_an_agent(
    room: World, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its private key is where ssh-agent is, and no file of it is needed."""
    key = make_key(tmp_path / "sk", "ed25519-sk")
    room.granted()
    with directory() as base:
        agent = ["ssh-agent", "-D", "-a", str(base / "agent")]
        with Program(agent, log=base / "log"):
            monkeypatch.setenv("SSH_AUTH_SOCK", str(base / "agent"))
            for _ in range(200):
                if (base / "agent").exists():
                    break
                time.sleep(0.05)
            subprocess.run(["ssh-add", "-q", str(host.ca)], check=True, timeout=30)
            public = Path(shutil.copy(f"{host.ca}.pub", base))
            data = Path(f"{key}.pub").read_bytes()
            issued = sign_certificate(room.door, parse_public_key(data), ADA, Authority(public, agent=True))
    Path(f"{key}-cert.pub").write_bytes(issued.text)
    assert host.enter(key).returncode == 0


ORDERS = {
    "no room": (Order("prd-ada", "dump:9f86d081"), "for a room"),
    "no resource": (Order("prd-ada", "debug"), "KIND:NAME"),
    "no time": (Order("prd-ada", "room:debug", minutes=0), "1 to 1440 minutes"),
    "no address": (Order("prd-ada", "room:debug", sources=("here",)), "source address"),
    "bits of a host": (Order("prd-ada", "room:debug", sources=("10.1.2.3/24",)), "source address"),
}


@pytest.mark.parametrize("case", ORDERS)
def test_orders_that_cannot_be(world: World, case: str) -> None:
    order, words = ORDERS[case]
    key = parse_public_key(SK)
    with pytest.raises(UsageError, match=words):
        sign_certificate(world.door, key, order, Authority(Path("ca")))


def test_a_list_of_nothing(world: World, tmp_path: Path) -> None:
    data, count = make_krl(world.door, Path(f"{make_key(tmp_path / 'ca')}.pub"))
    assert count == 0
    assert data.startswith(b"SSHKRL\n")
    assert int.from_bytes(data[12:20], "big") == len(world.door.log)


# --- public keys ---

SK = (
    b"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIKKP4+QGaj+iSPK5Snh0mElbb/+mGjGS"
    b"2ISgIIjGQd4bAAAABHNzaDo= ada\n"
)
PLAIN = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKP4+QGaj+iSPK5Snh0mElbb/+mGjGS2ISgIIjGQd4b\n"
NO_KEYS = {
    "nothing": (b"", "not one public key"),
    "two": (SK + SK, "not one public key"),
    "a private key": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "not one public key"),
    "no base64": (b"ssh-ed25519 !!!!", "not in base64"),
    "another type": (b"sk-" + PLAIN, "of another type"),
    "said to be sk": (PLAIN.replace(b"ssh-ed25519", b"sk-ssh-ed25519@openssh.com"), "of another type"),
    "options in front": (b'command="x" ' + PLAIN, "base64"),
    "RSA": (b"ssh-rsa " + b"AAAAB3NzaC1yc2EAAAADAQAB", "certificates are made for"),
    "long": (SK + b"#" * 5000, "at most 4096 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_KEYS)
def test_no_public_keys(case: str) -> None:
    data, words = NO_KEYS[case]
    with pytest.raises(InputError, match=words):
        parse_public_key(data)


def test_public_keys() -> None:
    assert parse_public_key(b"# a comment\n" + SK).sk
    assert not parse_public_key(PLAIN).sk
    assert parse_public_key(SK).line == SK.replace(b" ada", b"")
    assert parse_public_key(parse_public_key(SK).line) == parse_public_key(SK)


@given(st.binary(max_size=300) | st.builds(lambda rest: b"ssh-ed25519 " + rest, st.binary(max_size=99)))
def test_any_bytes(data: bytes) -> None:
    try:
        key = parse_public_key(data)
    except InputError:
        return
    assert parse_public_key(key.line) == key
