"""Real sudo, real PAM, a real agent: who becomes root, and who does not."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from access.rooms import RAM, Clock, World
from access.sshd import make_key
from access.sudo.conftest import POLICY
from access.sudo.machine import UIDS, Machine, wait_for
from immure.access.records import Grant
from immure.access.ssh import Authority, Issued, Order, sign_certificate, write_krl
from immure.access.ssh_keys import parse_public_key
from servers.program import Program

ROOT = Path(__file__).parents[3]

ADA = Order("prd-ada", "room:debug", actions=("sudo",))


def certified(world: World, ca: Path, key: Path, order: Order = ADA) -> Issued:
    issued = sign_certificate(
        world.door, parse_public_key(Path(f"{key}.pub").read_bytes()), order, Authority(ca)
    )
    Path(f"{key}-cert.pub").write_bytes(issued.text)
    return issued


def became_root(tried: subprocess.CompletedProcess[str]) -> bool:
    """What a command printed that ran as root, or the refusal of sudo."""
    lines = tried.stdout.splitlines()
    assert (tried.returncode == 0) == ("0" in lines), tried
    return tried.returncode == 0


def refused(tried: subprocess.CompletedProcess[str], words: str) -> bool:
    """By this program, for this reason, and not because something is broken."""
    assert not became_root(tried)
    assert f"immure: {words}" in tried.stdout + tried.stderr, tried
    return True


@pytest.fixture(scope="module")
def key(host: Machine, shared: World) -> Path:
    """Ada's, with a certificate that is good."""
    made = host.key("prd-ada")
    certified(shared, host.ca, made)
    return made


def test_a_certificate_lets_in(host: Machine, key: Path) -> None:
    with host.agent("prd-ada", key) as agent:
        tried = host.sudo("prd-ada", agent)
        assert became_root(tried)
        assert "immure: confirm with your security key" in tried.stdout
        link = host.home("prd-ada") / "link"
        link.symlink_to(agent)  # as tmux users have it; it is their own agent all the same
        assert became_root(host.sudo("prd-ada", link))
        assert refused(host.sudo("prd-eve", link), "there is no agent: Permission denied")
        assert refused(host.sudo("prd-eve", agent), "there is no agent: Permission denied")


def test_its_life(host: Machine, shared: World, request: pytest.FixtureRequest) -> None:
    """Live, revoked in the room at once, and on the host with the next list."""
    request.addfinalizer(lambda: host.configure("--krl", str(host.krl)))
    grant = shared.granted("prd-grace", actions=["sudo"])
    made = host.key("prd-ada")
    issued = certified(shared, host.ca, made, Order("prd-grace", "room:debug", actions=("sudo",)))
    assert issued.grant == grant
    krl, room = ["--krl", str(host.krl)], ["--room", str(shared.path)]
    who = ["--account", "prd-grace"]
    with host.agent("prd-ada", made) as agent:
        host.configure(*krl, *room, *who)
        assert became_root(host.sudo("prd-ada", agent))
        shared.sign(shared.door.begin_revocation("prd-edsger", grant, "left the building"))
        assert refused(host.sudo("prd-ada", agent), f"the certificate {issued.serial} was revoked")
        host.configure(*krl, *who)
        assert became_root(host.sudo("prd-ada", agent))  # this host has only a list, and it is an old one
        write_krl(shared.door, Path(f"{host.ca}.pub"), host.krl)
        assert refused(host.sudo("prd-ada", agent), f"the certificate {issued.serial} was revoked")
        evil = host.home("prd-eve") / "ssh-keygen"
        evil.write_text("#!/bin/sh\nexit 0\n")
        evil.chmod(0o755)
        tried = host.sudo("prd-ada", agent, PATH=f"{evil.parent}:/usr/bin:/bin")
        assert refused(tried, f"the certificate {issued.serial} was revoked")


def test_what_is_demanded(host: Machine, shared: World, key: Path, request: pytest.FixtureRequest) -> None:
    """Options of the line in PAM's file, each with who gets in by it."""
    request.addfinalizer(lambda: host.configure("--krl", str(host.krl)))
    with host.agent("prd-ada", key) as agent, host.agent("debug", key) as of_debug:
        krl = ["--krl", str(host.krl)]
        assert refused(
            host.sudo("debug", of_debug), "the certificate does not speak for debug@room:debug+sudo"
        )
        host.configure(*krl, "--shared", "debug")
        assert became_root(host.sudo("debug", of_debug))
        host.configure(*krl, "--account", "corp-%u")
        assert refused(host.sudo("prd-ada", agent), "the certificate does not speak for corp-prd-ada@")
        host.configure(*krl, "--resource", "room:mail")
        assert refused(
            host.sudo("prd-ada", agent), "the certificate does not speak for prd-ada@room:mail+sudo"
        )
        host.configure(*krl, stage="account")  # sudo asks this also when it needs no password
        assert became_root(host.sudo("prd-ada", agent))
        assert refused(host.sudo("prd-ada", None), "there is no agent")
        host.configure()
        assert refused(host.sudo("prd-ada", agent), "needs --krl or --room")
        host.configure("--krl", "/nowhere/krl")
        assert refused(host.sudo("prd-ada", agent), "/nowhere/krl: No such file")


def test_whose_files_decide(host: Machine, key: Path, request: pytest.FixtureRequest) -> None:
    """Without "seteuid" PAM runs it with the real user id of who asks: what is theirs decides nothing then
    either."""
    request.addfinalizer(lambda: host.configure("--krl", str(host.krl)))
    own = host.home("prd-ada") / "krl"
    shutil.copy(host.krl, own)
    with host.agent("prd-ada", key) as agent:
        host.configure("--krl", str(own), flags="")
        assert became_root(host.sudo("prd-ada", agent))
        os.chown(own, UIDS["prd-ada"], 0)
        assert refused(host.sudo("prd-ada", agent), f"{own}: can be written by others than root")


def test_the_use_is_logged_before(
    host: Machine, shared: World, key: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from cryptography.hazmat.primitives import serialization as ser

    request.addfinalizer(lambda: host.configure("--krl", str(host.krl)))
    private = shared.signer._key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    (tmp_path / "log.key").write_bytes(private)
    (tmp_path / "log.key").chmod(0o600)
    host.configure("--room", str(shared.path), "--key", f"file:{tmp_path}/log.key")
    before = len(shared.door.log)
    with host.agent("prd-ada", key) as agent:
        tried = host.sudo("prd-ada", agent)
        assert became_root(tried), tried
        assert refused(host.sudo("prd-ada", None), "there is no agent")
    door = shared.again()
    [entry] = list(door.log.entries())[before:]
    assert entry.kind == "access.used"
    used = entry.body["document"]
    assert isinstance(used, dict)
    assert used["action"] == "sudo"
    assert used["detail"]["login"] == "prd-ada"
    assert door.verify()


# --- who stays outside ---

Row = tuple[Callable[[Machine, World, Path], AbstractContextManager[tuple[str, Path | str | None]]], str]


@contextmanager
def _agent(host: Machine, *keys: Path, login: str = "prd-ada", **options: bool) -> Iterator[tuple[str, Path]]:
    with host.agent(login, *keys, **options) as agent:
        yield login, agent


@contextmanager
def _expired(host: Machine, world: World, _: Path) -> Iterator[tuple[str, Path]]:
    """Made by a door whose clock is two hours behind."""
    made = host.key("prd-ada")
    with tempfile.TemporaryDirectory(dir=RAM) as base:
        clock = Clock(world.clock.at - timedelta(hours=2))
        old = World(Path(base) / "older", text=POLICY, clock=clock).found()
        old.granted(actions=["sudo"])
        certified(old, host.ca, made, Order("prd-ada", "room:debug", minutes=30, actions=("sudo",)))
        old.door.close()
    with _agent(host, made) as found:
        yield found


@contextmanager
def _other_authority(host: Machine, world: World, _: Path) -> Iterator[tuple[str, Path]]:
    made = host.key("prd-ada")
    certified(world, make_key(host.base / "other-ca"), made)
    with _agent(host, made) as found:
        yield found


def _somebody_else(host: Machine, world: World, key: Path) -> AbstractContextManager[tuple[str, Path]]:
    return _agent(host, key, login="prd-eve")


@contextmanager
def _enter_only(host: Machine, world: World, _: Path) -> Iterator[tuple[str, Path]]:
    made = host.key("prd-ada")
    certified(world, host.ca, made, Order("prd-ada", "room:debug"))
    with _agent(host, made) as found:
        yield found


def _no_certificate(host: Machine, world: World, _: Path) -> AbstractContextManager[tuple[str, Path]]:
    return _agent(host, host.key("prd-ada"), host.key("prd-ada", "ed25519"))


@contextmanager
def _plain_key(host: Machine, world: World, _: Path) -> Iterator[tuple[str, Path]]:
    made = host.key("prd-ada", "ed25519")
    certified(world, host.ca, made, Order("prd-ada", "room:debug", plain=True, actions=("sudo",)))
    with _agent(host, made) as found:
        yield found


def _unverified(host: Machine, world: World, key: Path) -> AbstractContextManager[tuple[str, Path]]:
    return _agent(host, key, verified=False)


def _refusing(host: Machine, world: World, key: Path) -> AbstractContextManager[tuple[str, Path]]:
    return _agent(host, key, confirm=True)


def _named(name: str | None) -> Callable[..., AbstractContextManager[tuple[str, str | None]]]:
    @contextmanager
    def nothing(host: Machine, world: World, key: Path) -> Iterator[tuple[str, str | None]]:
        yield "prd-ada", name

    return nothing


@contextmanager
def _agent_of_root(host: Machine, world: World, key: Path) -> Iterator[tuple[str, Path]]:
    """A socket that everybody may use, at which a process of another user listens."""
    path = host.home("prd-ada") / "roots"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o777)
        listening.listen(1)
        yield "prd-ada", path
    path.unlink()


REFUSED: dict[str, Row] = {
    "expired": (_expired, "the certificate is not valid now"),
    "of another authority": (_other_authority, "the certificate is not of the room's authority"),
    "of somebody else": (_somebody_else, "the certificate does not speak for prd-eve@room:debug+sudo"),
    "to enter, and no more": (_enter_only, "the certificate does not speak for prd-ada@room:debug+sudo"),
    "keys without certificate": (_no_certificate, "the agent has no certificate"),
    "a key that is a file": (_plain_key, "the key of the certificate is a file"),
    "user not verified": (_unverified, "the security key has not verified its user"),
    "an agent that refuses": (_refusing, "the agent does not sign"),
    "no agent": (_named(None), "there is no agent: SSH_AUTH_SOCK is not set"),
    "an agent that is gone": (_named("/nowhere/agent"), "there is no agent: No such file"),
    "a path without end": (_named("/" + "a" * 4000), "there is no agent: SSH_AUTH_SOCK names no socket"),
    "a file for an agent": (_named("/etc/sudoers"), "there is no agent: Permission denied"),
    "an agent of another user": (_agent_of_root, "the agent is that of another user"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_who_stays_outside(host: Machine, shared: World, key: Path, case: str) -> None:
    prepared, words = REFUSED[case]
    with prepared(host, shared, key) as (login, agent):
        assert refused(host.sudo(login, agent), words)


def test_an_environment_that_would_help(host: Machine, key: Path) -> None:
    """Modules, libraries and programs of the user's own: none of them is run by what asks."""
    place = host.home("prd-eve") / "modules"
    (place / "immure").mkdir(parents=True)
    for name in ("sitecustomize.py", "immure/__init__.py", "immure/__main__.py"):
        (place / name).write_text("import os\nos._exit(0)\n")
    (place / "evil.so").write_bytes(host.provider().read_bytes())
    environment = {
        "PYTHONPATH": str(place), "PYTHONHOME": str(place), "PYTHONSTARTUP": str(place / "sitecustomize.py"),
        "LD_PRELOAD": str(place / "evil.so"), "LD_LIBRARY_PATH": str(place), "BASH_ENV": str(place / "x"),
        "PAM_RUSER": "prd-ada", "PAM_USER": "root", "PAM_TYPE": "auth",
    }  # fmt: skip
    assert refused(host.sudo("prd-eve", None, **environment), "there is no agent")
    with host.agent("prd-eve", key) as agent:
        words = "the certificate does not speak for prd-eve@"
        assert refused(host.sudo("prd-eve", agent, **environment), words)


def test_a_signature_from_before(host: Machine, key: Path) -> None:
    """A program of ada's that passes on what her agent says, and keeps it: the second time her security key
    is not asked, and what it has signed the first time is shown again."""
    with host.agent("prd-ada", key) as agent:
        path = host.home("prd-ada") / "replaying"
        script = host.base / "replaying.py"
        shutil.copy(Path(__file__).with_name("replaying.py"), script)
        who = ["setpriv", "--reuid", str(UIDS["prd-ada"]), "--regid", str(UIDS["prd-ada"]), "--clear-groups"]
        with Program([*who, "/usr/bin/python3", str(script), str(agent), str(path)], log=host.base / "log"):
            wait_for(path)
            assert became_root(host.sudo("prd-ada", path))
            assert refused(host.sudo("prd-ada", path), "a signature that does not hold")


def test_a_certificate_of_which_the_room_does_not_know(
    host: Machine, shared: World, key: Path, request: pytest.FixtureRequest
) -> None:
    """Whoever has stolen the authority's key can make any certificate; the room knows better."""
    request.addfinalizer(lambda: host.configure("--krl", str(host.krl)))
    made = host.key("prd-ada")
    [grant] = [one.id for one in shared.door.records(Grant, about="prd-ada")][:1]
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(host.ca), "-I", f"prd-ada/{grant}", "-n", "prd-ada@room:debug+sudo",
         "-z", "17", "-O", "verify-required", "-V", "-1m:+1h", f"{made}.pub"],
        check=True, timeout=30,
    )  # fmt: skip
    with host.agent("prd-ada", made) as agent:
        assert became_root(host.sudo("prd-ada", agent))  # a host that has only the list cannot know
        host.configure("--room", str(shared.path))
        assert refused(host.sudo("prd-ada", agent), "the room knows of no certificate 17")


def test_the_page(host: Machine, key: Path, request: pytest.FixtureRequest) -> None:
    """PAM's file and sudoers as docs/howto/become-root-by-certificate.md has them."""
    request.addfinalizer(lambda: host.configure("--krl", str(host.krl)))
    page = (ROOT / "docs" / "howto" / "become-root-by-certificate.md").read_text()
    blocks = dict(re.findall(r"<!-- file: (\w+) -->\n```text\n(.*?)```", page, re.DOTALL))
    places = {
        "/opt/immure/bin/python": sys.executable,
        "/etc/ssh/room-authority.pub": f"{host.ca}.pub",
        "/etc/ssh/room.krl": str(host.krl),
    }
    pam = blocks["sudo"]
    for before, after in places.items():
        assert before in pam
        pam = pam.replace(before, after)
    (host.base / "etc" / "pam.d" / "sudo").write_text(pam)
    (host.base / "etc" / "sudoers").unlink()
    (host.base / "etc" / "sudoers").write_text("Defaults lecture=never\n" + blocks["sudoers"])
    (host.base / "etc" / "sudoers").chmod(0o440)
    subprocess.run(["ssh-keygen", "-q", "-k", "-u", "-f", str(host.krl)], check=True, timeout=30)  # of now
    with host.agent("prd-ada", key) as agent:
        assert became_root(host.sudo("prd-ada", agent))
        assert refused(host.sudo("prd-ada", None), "there is no agent")  # sudo remembers nobody


def test_who_runs_it(host: Machine) -> None:
    """Only root, and only in a Python that takes nothing from its environment."""
    arguments = ["-m", "immure", "access", "pam", "--resource", "room:debug", "--krl", str(host.krl)]
    arguments += ["--authority", f"{host.ca}.pub"]
    for front in ([], ["-I"]):
        done = subprocess.run(
            [sys.executable, *front, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        assert ("python -I" if not front else "lines of PAM that begin with auth or account") in done.stderr
