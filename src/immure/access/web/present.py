"""Who is there: the account that has signed in, and the workstation that a connection is from."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable

from immure.access.door import Door
from immure.access.errors import NoGrantError
from immure.access.records import Person, Workstation
from immure.access.web.forms import Here
from immure.access.web.guard import LOOK, secret_of
from immure.access.web.wire import Request, WireError
from immure.errors import ImmureError

#: The DER of the certificate in the values of a header field, or None; raises ImmureError.
Parse = Callable[[list[bytes]], bytes | None]


class Present:
    """Asks a door who is there.

    Args:
        door: knows the sessions.
        header: in which a proxy on this machine hands on the certificate of a workstation (lower case), and
            what reads it; None if no proxy does.
    """

    def __init__(self, door: Door, header: tuple[bytes, Parse] | None) -> None:
        self._door, self._header = door, header

    def certificate(self, request: Request) -> bytes:
        """The certificate that the connection shows (DER); empty if it shows none. The field is taken from
        this machine only: what others send under its name was written by nobody whom we trust."""
        if self._header is None:
            return b""
        name, parse = self._header
        if not is_local(request.peer):
            return b""
        try:
            return parse(list(request.fields.get(name, ()))) or b""
        except ImmureError as error:
            raise WireError(400, error.reason) from error

    def workstation(self, request: Request) -> str:
        """The SHA-256 of that certificate (hex); empty if there is none."""
        der = self.certificate(request)
        return hashlib.sha256(der).hexdigest() if der else ""

    def person(self, request: Request) -> Person:
        """Who has signed in; raises NoGrantError if nobody has, or they may not act."""
        return self._door.signed_in(secret_of(request, LOOK), workstation=self.workstation(request))

    def who(self, request: Request) -> str:
        """The account that has signed in; empty if nobody has."""
        try:
            return self.person(request).id
        except NoGrantError:
            return ""

    def here(self, request: Request, account: str) -> Here:
        """What a deed is told. A certificate that nobody has approved yet binds no session."""
        digest = self.workstation(request)
        return Here(account, digest, self.certificate(request))

    def is_known(self, workstation: str) -> bool:
        """Whether a workstation is approved."""
        return any(one.id == workstation for one in self._door.records(Workstation, state="active"))


def is_local(peer: str) -> bool:
    """Whether who is connected is on this machine; a Unix socket has no address."""
    if not peer:
        return True
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
