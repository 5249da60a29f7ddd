"""What a containment is told: who signs, who takes tokens, who is to be told, and how each is asked.

:mod:`immure.response.containment.settings_file` reads it from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from immure.probe.target import How
from immure.response.events.streams import Stream
from immure.signing.settings import Settings as Signing

#: Seconds for which a deny-list counts, if nothing else is said.
LIFETIME = 86_400


@dataclass(frozen=True, slots=True)
class Door:
    """How a relying party is asked whether it takes a token.

    Attributes:
        url: of http, https, imap, imaps, smtp or smtps.
        how: see :class:`immure.probe.target.How`.
        tls: instead of what the scheme means (IMAP, SMTP).
    """

    url: str
    how: How
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a genuine token of the burnt key is from, by which a refusal can be shown: a client that the
    signing service gives one before it stops, or a file.

    Attributes:
        client: at the signing service, with the grant ``client_credentials``; "" takes files.
        secret_file: its secret.
        scope: that it asks for.
        file: a token of the burnt key, such as a forged one that was found.
        control_file: a token of another key, which must be let in.
    """

    client: str = ""
    secret_file: Path | None = None
    scope: str = ""
    file: Path | None = None
    control_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """A relying party.

    Attributes:
        name: in reports.
        audience: ``aud`` of tokens for it; "" if the client has one only.
        push: where its deny-list is pushed to; "" for one that fetches it, or has none.
        private_hosts, ca_file, seconds: of that connection.
        door: how it is asked; None if it cannot be.
        witness: see :class:`Witness`.
        accepted: its log of acceptances.
        logged_as: what it is called there; "" takes all rows.
    """

    name: str
    audience: str = ""
    push: str = ""
    private_hosts: bool = False
    ca_file: str | None = None
    seconds: float = 10.0
    door: Door | None = None
    witness: Witness | None = None
    accepted: Path | None = None
    logged_as: str = ""


@dataclass(frozen=True, slots=True)
class DenyListSettings:
    """The deny-list that we sign.

    Attributes:
        name: of the list.
        key: URI of the key that signs it.
        directory: where the list is kept.
        lifetime: seconds for which it counts.
        copies: files that get the list, such as one that a web server gives out.
        epoch: also let tokens of the issuer count only from the time on at which the key stopped signing.
    """

    name: str
    key: str
    directory: Path
    lifetime: int = LIFETIME
    copies: tuple[Path, ...] = ()
    epoch: bool = True


@dataclass(frozen=True, slots=True)
class EventSettings:
    """The transmitter of security events.

    Attributes:
        issuer: the transmitter, as receivers know it.
        key: URI of its key.
        kid: of the key; "" for its thumbprint.
        store: file with streams and tokens.
        streams: that are declared, besides those that receivers have made.
        private_hosts, ca_file, seconds: of connections to receivers.
    """

    issuer: str
    key: str
    store: Path
    kid: str = ""
    streams: tuple[Stream, ...] = ()
    private_hosts: bool = False
    ca_file: str | None = None
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Cache:
    """Something that keeps key sets or verdicts, and can be told to forget them.

    Attributes:
        url, method: a request to send; "" for a command.
        command: a program with its arguments; no shell.
        private_hosts, ca_file: of the connection.
        seconds: for one or the other.
    """

    url: str = ""
    method: str = "PURGE"
    command: tuple[str, ...] = ()
    private_hosts: bool = False
    ca_file: str | None = None
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Reconcile:
    """The ledger, by which acceptances after the containment are looked up once more.

    Attributes:
        segments: directory of the ledger's exported segments.
        log, log_key: its log, and the public key of that (``vkey``).
    """

    segments: Path
    log: Path | None = None
    log_key: str = ""


@dataclass(frozen=True, slots=True)
class Containment:
    """All of it.

    Attributes:
        signing: settings of the signing service; None if it is another's.
        registry: of keys.
        key_sets: URLs of key sets that must not have the key any more.
        key_set_files: files with key sets that the key is taken out of.
        deny_list, events: None if there is none.
        caches: by name.
        parties: relying parties by name.
        owned: hosts that are ours, and may be asked with tokens.
        patience: seconds in which the signing service must have followed.
        reconcile: None compares nothing with the ledger.
    """

    registry: str
    signing: Signing | None = None
    key_sets: tuple[str, ...] = ()
    key_set_files: tuple[Path, ...] = ()
    deny_list: DenyListSettings | None = None
    events: EventSettings | None = None
    caches: Mapping[str, Cache] = field(default_factory=dict)
    parties: Mapping[str, Party] = field(default_factory=dict)
    owned: tuple[str, ...] = ()
    patience: float = 10.0
    reconcile: Reconcile | None = None
