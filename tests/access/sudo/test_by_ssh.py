"""The whole way: in by a real sshd with the agent forwarded, and there to root by real sudo."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.rooms import World
from access.sshd import make_key
from access.sudo.machine import Machine
from access.sudo.test_sudo import certified
from immure.access import DeniedError
from immure.access.records import Certificate
from immure.access.ssh import Authority, Order, sign_certificate
from immure.access.ssh_keys import parse_public_key
from immure.errors import UsageError
from servers.program import Program, found, free_port

_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {base}/host
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile none
TrustedUserCAKeys {base}/ca.pub
AuthorizedPrincipalsFile {base}/principals
RevokedKeys {base}/krl
AllowAgentForwarding yes
PerSourcePenalties no
"""


@pytest.fixture(scope="module")
def port(host: Machine) -> Iterator[int]:
    """sshd on the host, for the logins of the host."""
    program = found("sshd", "Debian: openssh-server")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    made = free_port()
    make_key(host.base / "host")
    (host.base / "principals").write_text("room:debug\n")
    (host.base / "sshd_config").write_text(_SSHD.format(port=made, base=host.base))
    arguments = host.inside(0, program, "-D", "-e", "-f", str(host.base / "sshd_config"))
    with Program(arguments, log=host.base / "sshd.log") as sshd:
        sshd.wait_for(made)
        yield made


def enter(host: Machine, port: int, agent: Path, *command: str) -> subprocess.CompletedProcess[str]:
    options = ["StrictHostKeyChecking=no", f"UserKnownHostsFile={host.base}/known", "BatchMode=yes"]
    arguments = ["ssh", "-A", "-F", "none", "-p", str(port), *(f"-o{one}" for one in options)]
    return subprocess.run(
        [*arguments, "prd-ada@127.0.0.1", *command],
        env={**os.environ, "SSH_AUTH_SOCK": str(agent)},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_in_and_to_root(host: Machine, shared: World, port: int) -> None:
    """One certificate for both; the agent stays where its security key is."""
    key = host.key("prd-ada")
    issued = certified(shared, host.ca, key, Order("prd-ada", "room:debug", actions=("sudo", "enter")))
    assert issued.principals == (
        "room:debug", "prd-ada@room:debug", "room:debug+sudo", "prd-ada@room:debug+sudo"
    )  # fmt: skip
    with host.agent("prd-ada", key) as agent:
        tried = enter(host, port, agent, "id -u; sudo id -u")
    assert tried.returncode == 0, tried
    assert "0" in tried.stdout.splitlines()[1:]


def test_to_root_and_not_in(host: Machine, shared: World, port: int) -> None:
    """Who may only become root has not been let in by that; and the other way round nothing is forwarded."""
    key, other = host.key("prd-ada"), host.key("prd-ada")
    certified(shared, host.ca, key)
    with host.agent("prd-ada", key) as agent:
        tried = enter(host, port, agent, "id -u")
    assert tried.returncode == 255
    assert "Permission denied (publickey)" in tried.stderr
    certified(shared, host.ca, other, Order("prd-ada", "room:debug"))
    with host.agent("prd-ada", other) as agent:
        tried = enter(host, port, agent, "sudo id -u")
    assert tried.returncode == 1
    assert "there is no agent: SSH_AUTH_SOCK is not set" in tried.stdout


def test_what_a_grant_is_not_for(host: Machine, shared: World) -> None:
    shared.granted("prd-barbara", actions=["sudo"])
    shared.granted("prd-grace")
    key = parse_public_key(host.key("prd-ada").with_suffix(".pub").read_bytes())
    before = len(shared.door.records(Certificate))
    for account, actions in (("prd-grace", ("sudo",)), ("prd-barbara", ("enter", "sudo"))):
        with pytest.raises(DeniedError) as caught:
            sign_certificate(
                shared.door, key, Order(account, "room:debug", actions=actions), Authority(host.ca)
            )
        assert caught.value.rule in ("no-grant", "action")
    order = Order("prd-barbara", "room:debug", actions=("sudo",), sources=("10.1.2.0/24",))
    with pytest.raises(UsageError, match="sudo sees no address"):
        sign_certificate(shared.door, key, order, Authority(host.ca))
    assert len(shared.door.records(Certificate)) == before
