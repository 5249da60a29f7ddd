"""Dovecot as it is installed, with a configuration of its own: IMAP with STARTTLS and TLS, and submission.

As root its parts run as Dovecot's own users, as a package installs them; otherwise as the one user there is.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.program import Program, directory, found, free_ports
from servers.tls import Pair

#: What every Dovecot needs here, around the settings that a test is about.
_FRAME = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {base}/run
state_dir = {base}/state
log_path = /dev/stderr
listen = 127.0.0.1
protocols = imap submission
{users}
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
mail_driver = maildir
mail_path = ~/Maildir
auth_failure_delay = 0
auth_verbose = yes
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
service imap-login {{
  chroot = {chroot}
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service submission-login {{
  chroot = {chroot}
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {base}/mail/%{{user}}
  }}
}}
{settings}
"""
_PACKAGES = "Debian: dovecot-imapd dovecot-submissiond"
_PLACES = ("/usr/lib/dovecot", "/usr/libexec/dovecot")
_MAIL_OWNER = 2000  # any that is not a system's user


@dataclass(frozen=True)
class Dovecot:
    """Where it listens."""

    imap: int
    imaps: int
    submission: int
    program: Program

    def log(self) -> str:
        return self.program.printed()


@contextmanager
def running(settings: str, tls: Pair, *, relay: int) -> Iterator[Dovecot]:
    """Dovecot with these settings besides; what is submitted goes on to the SMTP server at ``relay``."""
    program = _program()
    imap, imaps, submission = free_ports(3)
    with directory(readable=True) as base:
        (base / "mail").mkdir()
        (base / "mail").chmod(0o777)
        configuration = base / "dovecot.conf"
        ports = {"imap": imap, "imaps": imaps, "submission": submission, "relay": relay}
        text = _FRAME.format(
            base=base, certificate=tls.certificate, key=tls.key, settings=settings, **ports, **_users()
        )
        configuration.write_text(text, encoding="utf-8")
        configuration.chmod(0o600)
        arguments = [program, "-F", "-c", str(configuration)]
        # stopped while one of its processes starts, it waits six seconds for that one
        with Program(arguments, log=base / "log", grace=0.5) as dovecot:
            for port in (imap, imaps, submission):
                dovecot.wait_for(port)
            yield Dovecot(imap, imaps, submission, dovecot)


def _program() -> str:
    """Dovecot's path; skips the test if it is too old, or has no part that takes mail."""
    program = found("dovecot", _PACKAGES)
    if not any(Path(place, "submission-login").exists() for place in _PLACES):
        pytest.skip(f"NOT TESTED: Dovecot has no submission server ({_PACKAGES})")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(int(part) for part in re.findall(r"\d+", said)[:2]) < (2, 4):
        pytest.skip(f"NOT TESTED: Dovecot is {said.split()[0]}, and its settings are of 2.4")
    return program


def _users() -> dict[str, object]:
    if os.geteuid() == 0:
        return {"users": "", "uid": _MAIL_OWNER, "gid": _MAIL_OWNER, "chroot": "login"}
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    mine = f"default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group = {group}"
    anvil = "service anvil {\n  chroot =\n}"
    return {"users": f"{mine}\n{anvil}", "uid": os.geteuid(), "gid": os.getegid(), "chroot": ""}
