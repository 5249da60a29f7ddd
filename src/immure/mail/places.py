"""What must be there before a server can start, and is not: directories, accounts, certificates."""

from __future__ import annotations

import os
import pwd

from immure.mail.settings import MailSettings


def missing_places(settings: MailSettings) -> list[str]:
    """What is left to do, each as a command, or as a sentence where we cannot know the command."""
    accounts, lines = settings.accounts, []
    if not accounts.owner.isdigit() and not _is_account(accounts.owner):
        lines.append(f"useradd --system --user-group --no-create-home {accounts.owner}")
    if not settings.storage.is_dir():
        owner = f"-o {accounts.owner} -g {accounts.group}"
        lines.append(f"install -d -m 0770 {owner} {settings.storage}")
    if settings.events is not None and not settings.events.parent.is_dir():
        writer = accounts.service or "dovecot"
        owner = f"-o {writer} -g {accounts.service_group or writer}"
        lines.append(f"install -d -m 0750 {owner} {settings.events.parent}")
    for what, path in (("certificate", settings.certificate), ("key", settings.key)):
        if not os.path.exists(path):
            lines.append(f"the {what} is not there: {path}")
    return lines


def _is_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
