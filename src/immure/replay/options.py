"""How to replay, and which real parts there are for it on this machine."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import Final, Literal

from immure.replay import front_door, responding
from immure.replay.errors import ReplayError
from immure.replay.issuers import Custody
from immure.replay.mail import why_no_dovecot
from immure.replay.networks import Network
from immure.replay.scenario import Scenario
from immure.replay.soft_token import why_not

MailKind = Literal["auto", "dovecot", "http"]
CustodyKind = Literal["auto", "pkcs11", "keyholder"]
_HOLDER: Final = "the key holder stands in for a PKCS#11 token (SoftHSM2 behind p11-kit server)"


@dataclass(frozen=True)
class Options:
    """How to replay.

    Attributes:
        mail: which mail system; ``auto`` takes Dovecot where it is.
        require_real: refuse whatever stands in for a real part.
        directory: for what is made; the system's for temporary files by default.
        keep: leave it there.
        custody: what keeps the key where that control is on; ``auto`` takes a token where one can be.
    """

    mail: MailKind = "auto"
    require_real: bool = False
    directory: str | None = None
    keep: bool = False
    custody: CustodyKind = "auto"


def mail_kind(options: Options) -> tuple[str, tuple[str, ...]]:
    """Which mail system there is, and what must be said of it, if it stands in for a real one.

    Raises:
        ReplayError: the one that was asked for cannot be.
    """
    why = why_no_dovecot()
    if options.mail == "http" and options.require_real:
        raise ReplayError("a mailbox over HTTP was asked for, and real parts only")
    if options.mail == "http":
        return "http", ("a mailbox over HTTP stands in for Dovecot, as was asked for",)
    if why is None:
        return "dovecot", ()
    if options.mail == "dovecot" or options.require_real:
        raise ReplayError(f"there is no Dovecot here: {why}")
    return "http", (f"a mailbox over HTTP stands in for Dovecot: {why}",)


def custody_kind(options: Options, scenario: Scenario) -> tuple[Custody, tuple[str, ...]]:
    """What keeps the key where the control ``custody`` is on, and what must be said of it; as
    :func:`mail_kind`. A scenario without that control needs no token, and none is asked for."""
    if "custody" not in scenario.controls:
        return "keyholder", ()
    if options.custody == "keyholder" and options.require_real:
        raise ReplayError("the key holder was asked for, and real parts only: a token is one")
    if options.custody == "keyholder":
        return "keyholder", (f"{_HOLDER}, as was asked for",)
    why = why_not(options.directory or tempfile.gettempdir())
    if why is None:
        return "pkcs11", ()
    if options.custody == "pkcs11" or options.require_real:
        raise ReplayError(f"there can be no PKCS#11 token here: {why}")
    return "keyholder", (f"{_HOLDER}: {why}",)


def networks_kind(options: Options) -> tuple[bool, tuple[str, ...]]:
    """Whether each room has a network of its own, and what must be said if none has; as :func:`mail_kind`.
    That takes root: who is not may replay with real parts only and without it."""
    if os.geteuid() != 0:
        return False, ("the rooms share the network of this machine: only root can part them",)
    try:
        Network.make().close()
    except ReplayError as error:
        if options.require_real:
            raise
        return False, (f"the rooms share the network of this machine: {error}",)
    return True, ()


def lacking_controls(options: Options, scenario: Scenario) -> tuple[frozenset[str], tuple[str, ...]]:
    """Controls that cannot be on here, as what they need is not installed, and what must be said of them.

    Raises:
        ReplayError: only real parts were asked for, and one is lacking.
    """
    why = {"access": front_door.why_not(), "response": responding.why_not()}
    lacking = {name: words for name, words in why.items() if words is not None and name in scenario.controls}
    for name, words in lacking.items() if options.require_real else ():
        raise ReplayError(f"the control {name} cannot be on: {words}")
    said = tuple(f"the control {name} is off in every world: {words}" for name, words in lacking.items())
    return frozenset(lacking), said
