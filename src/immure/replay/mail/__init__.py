"""The mail system of the replay: Dovecot where it is installed, and otherwise a mailbox over HTTP.

Both ask the same doorkeeper about each token, hold the same messages, and log each access in the same form.
"""

from __future__ import annotations

from pathlib import Path

from immure.replay.mail.system import Access, MailRefusedError, MailSystem
from immure.replay.relying import Doorkeeper
from immure.replay.scenario import Organization

__all__ = ["Access", "MailRefusedError", "MailSystem", "open_mail", "why_no_dovecot"]


def why_no_dovecot() -> str | None:
    """Why there is no Dovecot here; None if there is one that we can start."""
    from immure.replay.mail.dovecot import why_not

    return why_not()


def open_mail(
    kind: str,
    room: Path,
    doorkeeper: Doorkeeper,
    organizations: tuple[Organization, ...],
    *,
    issuer: str,
    keeps_log: bool,
) -> MailSystem:
    """The mail system, not started yet.

    Args:
        kind: ``dovecot`` or ``http``.
        room: a directory of its own.
        doorkeeper: whom it asks about tokens.
        organizations: whose mailboxes it has.
        issuer: whose tokens open them.
        keeps_log: whether each access is logged.
    """
    if kind == "dovecot":
        from immure.replay.mail.dovecot import DovecotMail

        return DovecotMail(room, doorkeeper, organizations, issuer=issuer, keeps_log=keeps_log)
    from immure.replay.mail.http_mailbox import HttpMail

    return HttpMail(room, doorkeeper, organizations, issuer=issuer, keeps_log=keeps_log)
