"""A real Postfix on a port of this machine, with a configuration and a queue of its own; root only."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from servers.program import found, free_port

_MAIN = """\
compatibility_level = 3.10
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {base}/log
maillog_file_prefixes = {base}
default_transport = discard
local_transport = discard
alias_maps =
smtputf8_enable = no
{snippet}
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix(base: Path, snippet: str) -> Iterator[int]:
    """Its port; ``snippet`` are the lines that setup wrote, put into ``main.cf`` as they are."""
    program = found("postfix", "Debian: postfix")
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: Postfix is started by root only")
    port = free_port()
    for name in ("queue", "data", "conf"):
        (base / name).mkdir()
    shutil.chown(base / "data", "postfix", "postfix")
    (base / "conf" / "main.cf").write_text(_MAIN.format(base=base, snippet=snippet))
    (base / "conf" / "master.cf").write_text(_MASTER.format(port=port))
    command = [program, "-c", str(base / "conf")]
    started = subprocess.run([*command, "start"], capture_output=True, text=True, check=False)
    try:
        assert started.returncode == 0, started.stderr
        yield port
    finally:
        subprocess.run([*command, "stop"], capture_output=True, check=False)
        end = time.monotonic() + 10
        with suppress(OSError):
            while (base / "queue" / "pid" / "master.pid").exists() and _runs(base) and time.monotonic() < end:
                time.sleep(0.05)


def _runs(base: Path) -> bool:
    number = (base / "queue" / "pid" / "master.pid").read_text().strip()
    return number.isdigit() and Path("/proc", number).exists()
