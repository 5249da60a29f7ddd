"""Who writes, how it is sent, and where each tenant is reached."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from immure.response.notification.errors import SettingsError
from immure.secret import Secret

Channel = Literal["mail", "webhook"]
Tls = Literal["starttls", "tls", "none"]
#: An address as RFC 5321 has it, without quoted local parts, literals and anything beyond ASCII.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}"
)
_MOST_ADDRESS: Final = 254
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes.

    Attributes:
        name: of the house.
        address: of the sender, where answers go.
        contact: where questions are answered: a page, a telephone number; may be empty.
        language: of letters to tenants for whom none is said.
    """

    name: str
    address: str
    contact: str = ""
    language: str = "en"

    @property
    def domain(self) -> str:
        """The domain of the address."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server that takes the letters: a relay or submission server of one's own."""

    host: str
    port: int
    tls: Tls = "starttls"
    user: str | None = None
    password: Secret[bytes] | None = None
    ca_file: Path | None = None
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.tls == "none" and not is_this_machine(self.host):
            raise SettingsError("smtp.tls is none: letters are sent in the clear to this machine only")
        if (self.user is None) != (self.password is None):
            raise SettingsError("smtp has a user and a password file, or neither")
        if self.user is not None and self.tls == "none":
            raise SettingsError("smtp.tls is none: a password is not sent in the clear")


@dataclass(frozen=True, slots=True)
class Hooks:
    """How webhooks are called."""

    ca_file: Path | None = None
    allow_private_hosts: bool = False
    allow_loopback: bool = False
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and how fast.

    Attributes:
        attempts: at a delivery in one run.
        first_wait: seconds before the second attempt; doubled before each further one.
        longest_wait: seconds, never longer.
        at_once: deliveries at the same time.
    """

    attempts: int = 5
    first_wait: float = 2.0
    longest_wait: float = 300.0
    at_once: int = 4

    def wait(self, attempt: int) -> float:
        """Seconds to wait after attempt ``attempt`` (from 1) has failed."""
        return min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 60))


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a tenant is reached.

    Attributes:
        name: how the letter calls it; the tenant's id if it is empty.
        language: of its letters; the sender's if it is empty.
        mail: addresses, each of which gets a letter of its own.
        webhook: URL that gets the list and the letter; empty for none.
        webhook_secret: signs what is sent there (Standard Webhooks).
    """

    name: str = ""
    language: str = ""
    mail: tuple[str, ...] = ()
    webhook: str = ""
    webhook_secret: Secret[bytes] | None = None

    def __post_init__(self) -> None:
        for address in self.mail:
            check_address(address)
        if self.language:
            check_language(self.language)
        if (self.webhook == "") != (self.webhook_secret is None):
            raise SettingsError("a webhook has a secret (webhook_secret_file), and a secret has a webhook")

    def places(self) -> tuple[tuple[Channel, str], ...]:
        """Every place that is to be told, each once."""
        found: list[tuple[Channel, str]] = [("mail", address) for address in dict.fromkeys(self.mail)]
        return (*found, ("webhook", self.webhook)) if self.webhook else tuple(found)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. Without ``smtp`` nothing can be mailed, which is found out when letters are sent."""

    sender: Sender
    tenants: Mapping[str, Contact] = field(default_factory=dict)
    smtp: Smtp | None = None
    hooks: Hooks = Hooks()
    pace: Pace = Pace()


def check_address(address: str) -> str:
    """``address`` if it is one that can be mailed to; raises SettingsError."""
    if len(address) > _MOST_ADDRESS or not _ADDRESS.fullmatch(address):
        raise SettingsError(f"no mail address: {address[:80]!a}")
    return address


def check_language(language: str) -> str:
    """``language`` if it is a tag such as ``de`` or ``pt-BR``; raises SettingsError."""
    if len(language) > 35 or not _LANGUAGE.fullmatch(language):
        raise SettingsError(f"no language: {language[:40]!a}; it is a tag such as en, de or pt-BR")
    return language


def is_this_machine(host: str) -> bool:
    """Whether a host names this machine by itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
