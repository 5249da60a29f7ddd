"""Whether somebody becomes root now: the certificate in their agent, its key, and the grant behind it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from immure.access.errors import DeniedError
from immure.access.room import deny
from immure.access.ssh import SUDO, principals_of
from immure.access.sudo.agent import Agent
from immure.access.sudo.certificate import USER, UserCertificate, is_certificate, parse_certificate
from immure.access.sudo.krl import Krl
from immure.access.sudo.public import verify
from immure.access.sudo.wire import string
from immure.auditlog.canonical import canonical
from immure.clock import Clock, now
from immure.errors import InputError

ACTION: Final = SUDO
#: What is signed is nothing that any other program asks an agent for (OpenSSH's PROTOCOL.sshsig).
NAMESPACE: Final = "sudo@immure"
_VERIFY_REQUIRED: Final = "verify-required"
#: Refusals that say least: of certificates that were not meant, the farthest first.
_FAR: Final = ("authority", "kind", "principal", "option", "plain-key", "expired")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the login, through which service of PAM, at which terminal of which host."""

    login: str
    service: str
    terminal: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a host demands.

    Attributes:
        authorities: public keys (blobs) of who signs certificates.
        resource: ``room:NAME``, which this host is in.
        krl: what is revoked; None only where the room itself is asked.
        account: the account of a login, with ``%u`` for its name.
        shared: logins that several people have: there, whoever has a grant.
        plain: UNSAFE: also a key that is a file.
    """

    authorities: frozenset[bytes]
    resource: str
    krl: Krl | None = None
    account: str = "%u"
    shared: frozenset[str] = frozenset()
    plain: bool = False

    def principal(self, login: str) -> str:
        """Which of the names in a certificate counts for a login."""
        anybody, own = principals_of(self.account.replace("%u", login), self.resource, ACTION)
        return anybody if login in self.shared else own


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who was let in: by which certificate, on which grant, until when the certificate lasts."""

    account: str
    grant: str
    serial: int
    ends: datetime


def admit(
    wanted: Wanted,
    asker: Asker,
    agent: Agent,
    *,
    clock: Clock = now,
    touch: Callable[[], None] = lambda: None,
    behind: Callable[[Admitted], None] = lambda _: None,
) -> Admitted:
    """Let somebody become root, if a certificate in their agent says so and its key signs now.

    Args:
        wanted: what is demanded.
        asker: who asks.
        agent: theirs.
        clock: tells the time.
        touch: is called before the key is asked to sign, which may need a person.
        behind: looks at the grant, where the room is at hand; raises DeniedError.

    Raises:
        DeniedError: no; ``rule`` says why.
        UsageError, AccessError: the list of revoked certificates cannot be asked, so no.
    """

    def looked_at(certificate: UserCertificate) -> Admitted:
        at = clock()
        _check(wanted, asker, certificate, at)
        if wanted.krl is not None:
            wanted.krl.check(certificate, at)
        admitted = _named(certificate)
        behind(admitted)
        return admitted

    certificate = _fitting(agent, looked_at)
    touch()
    _challenge(wanted, asker, agent, certificate)
    return looked_at(certificate)  # again: a person may have taken a minute over it


def _fitting(agent: Agent, looked_at: Callable[[UserCertificate], Admitted]) -> UserCertificate:
    """The certificate that lasts longest of those that would do."""
    good, why = list[UserCertificate](), list[DeniedError]()
    for blob in agent.identities():
        if not is_certificate(blob):
            continue
        try:
            certificate = parse_certificate(blob)
            looked_at(certificate)
        except InputError as error:
            why.append(DeniedError(error.reason, rule="authority"))
        except DeniedError as error:
            why.append(error)
        else:
            good.append(certificate)
    if good:
        return max(good, key=lambda one: (one.before, one.blob))
    if not why:
        deny("no-certificate", "the agent has no certificate; a key alone opens nothing")
    raise max(why, key=lambda one: _FAR.index(one.rule) if one.rule in _FAR else len(_FAR))


def _check(wanted: Wanted, asker: Asker, certificate: UserCertificate, at: datetime) -> None:
    if certificate.authority not in wanted.authorities:
        deny("authority", "the certificate is not of the room's authority")
    certificate.check_signature()
    if certificate.kind != USER:
        deny("kind", "the certificate is not one for users")
    principal = wanted.principal(asker.login)
    if principal not in certificate.principals:
        deny("principal", f"the certificate does not speak for {principal}")
    unknown = sorted(set(certificate.options) - {_VERIFY_REQUIRED})
    if unknown:
        deny("option", f"the certificate demands {unknown[0][:60]!r}, which cannot be seen to here")
    _check_key(wanted, certificate)
    if not certificate.after <= at.timestamp() < certificate.before:
        deny("expired", "the certificate is not valid now")


def _check_key(wanted: Wanted, certificate: UserCertificate) -> None:
    if not certificate.key.sk:
        if _VERIFY_REQUIRED in certificate.options or not wanted.plain:
            deny("plain-key", "the key of the certificate is a file, and can be copied")
    elif not certificate.key.application.startswith("ssh:"):
        deny("plain-key", "the key of the certificate was not made for SSH")


def _named(certificate: UserCertificate) -> Admitted:
    """What ``immure access ssh sign`` writes into a certificate: ``ACCOUNT/GRANT``."""
    account, _, grant = certificate.key_id.partition("/")
    try:
        ends = datetime.fromtimestamp(certificate.before, UTC)
    except (ValueError, OverflowError, OSError):
        deny("expired", "the certificate has no end")
    return Admitted(account, grant, certificate.serial, ends)


def _challenge(wanted: Wanted, asker: Asker, agent: Agent, certificate: UserCertificate) -> None:
    """Let the key sign what was never signed before; a signature that was seen earlier is of no use."""
    data = to_be_signed(wanted, asker, secrets.token_bytes(32))
    signature = agent.sign(certificate.blob, data)
    try:
        flags = verify(certificate.key, signature, data)
    except InputError as error:
        deny("signature", error.reason)
    if flags is None:
        return
    if not flags.present:
        deny("user-presence", "nobody has touched the security key")
    if not flags.verified:
        deny("user-verification", "the security key has not verified its user (PIN or finger)")


def to_be_signed(wanted: Wanted, asker: Asker, nonce: bytes) -> bytes:
    """What the agent is to sign: a message in the frame of PROTOCOL.sshsig, whose first bytes no login of SSH
    has."""
    message = {
        "nonce": nonce.hex(), "resource": wanted.resource, "action": ACTION, "login": asker.login,
        "service": asker.service, "terminal": asker.terminal, "host": asker.host,
    }  # fmt: skip
    digest = hashlib.sha512(canonical(message)).digest()
    return b"SSHSIG" + string(NAMESPACE.encode()) + string(b"") + string(b"sha512") + string(digest)
