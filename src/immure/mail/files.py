"""The files of a mail server's configuration: their names, texts and permissions, from settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from immure.files import write_whole
from immure.mail.configuration import CONFIGURATION, DOMAINS, configuration
from immure.mail.domains import domains_file
from immure.mail.postfix import POSTFIX, postfix_snippet
from immure.mail.settings import MailSettings


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """One file.

    Attributes:
        name: in the directory.
        text: all of it.
        mode: permissions.
        about: what it is for, in a few words.
    """

    name: str
    text: str
    mode: int
    about: str

    @property
    def data(self) -> bytes:
        """The text in bytes."""
        return self.text.encode("utf-8")


def configuration_files(settings: MailSettings, directory: str | os.PathLike[str]) -> list[ConfigurationFile]:
    """The files that are going to be in ``directory``, which they name; nothing is written."""
    where = os.fspath(directory)
    made = [
        ConfigurationFile(DOMAINS, domains_file(settings), 0o644, "whose tokens open which domain"),
        ConfigurationFile(CONFIGURATION, configuration(settings, where), 0o600, "Dovecot's configuration"),
    ]
    if settings.postfix is not None:
        text = postfix_snippet(settings)
        made.append(ConfigurationFile(POSTFIX, text, 0o644, "lines for Postfix's main.cf"))
    return made


def write_configuration(settings: MailSettings, directory: str | os.PathLike[str]) -> Path:
    """Write the files into a directory that is there, over whatever is in it, and start nothing.

    Returns:
        the path of ``dovecot.conf``.

    Raises:
        OSError: one cannot be written.
    """
    root = Path(directory).resolve()
    for one in configuration_files(settings, root):
        write_whole(root / one.name, one.data, mode=one.mode)
    return root / CONFIGURATION
