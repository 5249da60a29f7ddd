"""Short-lived certificates of OpenSSH on a live grant, and the list of those that were revoked.

    order = Order(account="prd-ada", resource="room:debug")
    issued = sign_certificate(door, parse_public_key(data), order, Authority(Path("ca")))
    write_krl(door, Path("ca.pub"), Path("room.krl"))

A certificate ends with its grant at the latest. Its serial is in the log before it is made, so that there is
none that nobody knows of. Its principals are names that no login has: hosts must say which of their logins a
room opens (``AuthorizedPrincipalsFile``, sshd_config(5)). ``ssh-keygen`` signs.
"""

from __future__ import annotations

import ipaddress
import secrets
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from immure.access.door import Door
from immure.access.errors import AccessError
from immure.access.names import check_actions, parse_resource
from immure.access.room import deny
from immure.access.ssh_keys import PublicKey, need_security_key
from immure.access.texts import spelled
from immure.errors import InputError, UsageError
from immure.files import write_whole

#: As a certificate of ours is known to a door.
KIND: Final = "ssh"
ACTION: Final = "enter"
#: To become root on a host of the room (:mod:`immure.access.sudo`).
SUDO: Final = "sudo"
MOST_MINUTES: Final = 24 * 60
#: Clocks of hosts may be so much behind.
_SLACK: Final = timedelta(seconds=60)
_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs certificates: the file of a private key, or of the public half of one that is in an agent
    (``agent``)."""

    path: Path
    agent: bool = False

    def arguments(self) -> list[str]:
        """For ``ssh-keygen``."""
        return ["-U"] * self.agent + ["-s", str(self.path)]


@dataclass(frozen=True, slots=True)
class Order:
    """A certificate that somebody wants.

    Attributes:
        account: whose.
        resource: ``room:NAME``; the grant must be for this.
        minutes: for how long at most.
        sources: addresses (CIDR) from which it can be used; none: from anywhere.
        plain: UNSAFE: also for a key that is a file.
        actions: what it is good for: ``enter``, ``sudo``, or both.
    """

    account: str
    resource: str
    minutes: int = 60
    sources: tuple[str, ...] = ()
    plain: bool = False
    actions: tuple[str, ...] = (ACTION,)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate: its text, serial, grant, principals, and until when."""

    text: bytes
    serial: int
    grant: str
    principals: tuple[str, ...]
    ends: datetime


def principals_of(account: str, resource: str, action: str = ACTION) -> tuple[str, str]:
    """What a certificate speaks for: the room, and the account in the room. What lets somebody become root is
    another name, which no login of sshd has: no resource has a ``+`` in its name."""
    place = resource if action == ACTION else f"{resource}+{action}"
    return place, f"{account}@{place}"


def sign_certificate(door: Door, key: PublicKey, order: Order, authority: Authority) -> Issued:
    """Make a certificate for a key.

    Raises:
        NoGrantError: there is no live grant.
        DeniedError: the key can be copied, and the order does not allow that.
        UsageError: the order cannot be understood; ``ssh-keygen`` is not there.
        AccessError: the authority does not sign.
    """
    if parse_resource(order.resource).kind != "room":
        raise UsageError("certificates of SSH are for a room: room:NAME")
    if not 1 <= order.minutes <= MOST_MINUTES:
        raise UsageError(f"a certificate is for 1 to {MOST_MINUTES} minutes")
    sources, actions = _addresses(order.sources), _actions(order)
    if not order.plain:
        need_security_key(key)
    grant = door.live_grant(order.resource, actions[-1], account=order.account)
    if not set(actions) <= set(grant.actions):
        deny("action", f"the grant {grant.id} is for {', '.join(grant.actions)}")
    at = door.time().replace(microsecond=0)
    ends = min(door.rights_end(grant), at + timedelta(minutes=order.minutes))
    if ends <= at:
        deny("expired", f"the grant {grant.id} has ended")
    serial = secrets.randbits(63) | 1
    door.record_certificate(grant.id, actions[-1], kind=KIND, serial=str(serial), ends=spelled(ends))
    principals = tuple(
        name for action in actions for name in principals_of(order.account, order.resource, action)
    )
    arguments = [
        *authority.arguments(),
        *("-I", f"{order.account}/{grant.id}", "-n", ",".join(principals), "-z", str(serial)),
        *("-V", f"{_stamp(at - _SLACK)}:{_stamp(ends)}", "-O", "clear", "-O", "permit-pty"),
    ]
    if actions == (ACTION, SUDO):  # the agent is asked again, by the host
        arguments += ["-O", "permit-agent-forwarding"]
    if key.sk:
        arguments += ["-O", "verify-required"]
    if sources:
        arguments += ["-O", f"source-address={','.join(sources)}"]
    with tempfile.TemporaryDirectory(prefix="immure-ssh-") as directory:
        path = Path(directory) / "key.pub"
        path.write_bytes(key.line.rstrip() + f" {order.account}\n".encode())  # its comment
        _ssh_keygen([*arguments, str(path)])
        text = (Path(directory) / "key-cert.pub").read_bytes()
    return Issued(text, serial, grant.id, principals, ends)


def make_krl(door: Door, authority: Path) -> tuple[bytes, int]:
    """The key revocation list (OpenSSH's PROTOCOL.krl) of certificates that were revoked and have not run
    out, and how many they are. Its number is how many entries the log has, so it never goes back.

    Args:
        door: knows them.
        authority: the public key of who has signed them.
    """
    revoked = door.revoked_certificates(KIND)
    with tempfile.TemporaryDirectory(prefix="immure-ssh-") as directory:
        listed, made = Path(directory) / "revoked", Path(directory) / "krl"
        listed.write_text("".join(f"serial: {one.serial}\n" for one in revoked), encoding="ascii")
        _ssh_keygen(["-k", "-f", str(made), "-s", str(authority), "-z", str(len(door.log)), str(listed)])
        return made.read_bytes(), len(revoked)


def write_krl(door: Door, authority: Path, target: Path) -> int:
    """Put the list where sshd reads it, whole or not at all; how many certificates are in it."""
    data, count = make_krl(door, authority)
    try:
        write_whole(target, data, mode=0o644)
    except OSError as error:
        raise UsageError(error.strerror or "cannot be written", path=str(target)) from error
    return count


def _actions(order: Order) -> tuple[str, ...]:
    actions = check_actions(parse_resource(order.resource), order.actions)
    if SUDO in actions and order.sources:
        raise UsageError("sudo sees no address from which somebody comes: leave the source address out")
    return actions


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%SZ")


def _addresses(texts: tuple[str, ...]) -> list[str]:
    try:
        return [str(ipaddress.ip_network(text)) for text in texts]
    except ValueError as error:
        raise UsageError(f"a source address is one as 10.1.2.0/24: {str(error)[:80]}") from error


def _ssh_keygen(arguments: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system, and arguments that were parsed
            ["ssh-keygen", "-q", *arguments],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError("ssh-keygen is not installed (Debian: openssh-client)") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AccessError("ssh-keygen does not answer") from error
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise AccessError(f"ssh-keygen does not sign: {(words or ['no reason given'])[-1][:200]}")


def read_key(data: bytes, path: str) -> PublicKey:
    """The public key in the bytes of a file; raises InputError with its path."""
    from immure.access.ssh_keys import parse_public_key

    try:
        return parse_public_key(data)
    except InputError as error:
        raise InputError(error.reason, path=path) from error
