"""What the replay needs of a mail system, and the messages that are in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import ClassVar, Final

from immure.replay.errors import ReplayError
from immure.replay.relying import Doorkeeper
from immure.replay.scenario import Organization

#: Where the people of the organizations are, and where the attacker is: all of it is this machine.
USERS: Final = "127.0.0.2"
STRANGER: Final = "127.0.0.66"
_SUBJECTS: Final = ("Draft for Thursday", "Visit of the delegation", "Names for the list")


class MailRefusedError(ReplayError):
    """The mail system lets nobody in with this token."""

    code = "replay-mail-refused"


@dataclass(frozen=True, slots=True)
class Access:
    """A row of the mail-access log: somebody has opened a message.

    Attributes:
        mailbox: whose.
        message: its ``Message-ID``.
        remote: address that it went to.
        digest: of the token (:func:`immure.digest.signed_digest`), in hexadecimal digits.
    """

    mailbox: str
    message: str
    remote: str
    digest: str


class MailSystem(ABC):
    """A mail system, between ``with`` and its end.

    Attributes:
        words: what it is, for people.
        is_real: whether it is a mail server that others use, too.
    """

    words: ClassVar[str]
    is_real: ClassVar[bool]

    def __init__(
        self,
        room: Path,
        doorkeeper: Doorkeeper,
        organizations: Sequence[Organization],
        *,
        issuer: str,
        keeps_log: bool,
    ) -> None:
        self.room, self.doorkeeper, self.issuer = room, doorkeeper, issuer
        self.organizations = tuple(organizations)
        self.keeps_log = keeps_log

    def __enter__(self) -> MailSystem:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Begin to serve; raises ReplayError if it cannot."""

    @abstractmethod
    def stop(self) -> None:
        """End."""

    @property
    def events(self) -> Path | None:
        """The file of the mail-access log, as ``immure detect`` reads it; None if there is none."""
        return None

    @abstractmethod
    def read(self, mailbox: str, token: str, remote: str) -> list[str]:
        """All messages of a mailbox, as a client at ``remote`` gets them who shows a token.

        Raises:
            MailRefusedError: it is not let in.
            ReplayError: the mail system does not answer.
        """

    @abstractmethod
    def accesses(self) -> list[Access]:
        """The mail-access log so far; none if it is off.

        Raises:
            ReplayError: it cannot be read.
        """


def messages_of(organization: Organization) -> list[EmailMessage]:
    """The messages in a mailbox: three, invented, the same in each run."""
    made = []
    for number, subject in enumerate(_SUBJECTS):
        message = EmailMessage()
        message["From"] = f"office@{organization.domain}"
        message["To"] = organization.mailbox
        message["Subject"] = subject
        message["Message-ID"] = f"<{number + 1}.{organization.tenant}@{organization.domain}>"
        message["Date"] = format_datetime(datetime(2023, 5, 1, 9, tzinfo=UTC) + timedelta(days=number))
        message.set_content(f"{organization.name}: {subject.lower()}. Not for others.\n")
        made.append(message)
    return made
