"""A line in the system's log (syslog, facility ``authpriv``) for everybody who was let in, or was not."""

from __future__ import annotations

import syslog

from immure.access.sudo.admitting import Admitted, Asker
from immure.access.texts import spelled


def note(asker: Asker, admitted: Admitted | None = None, *, refused: str = "") -> None:
    """Note who was let in, or by which rule not. Where nobody keeps a log, nothing happens."""
    who = f"login={_word(asker.login)} service={_word(asker.service)} terminal={_word(asker.terminal)}"
    syslog.openlog("immure", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    if admitted is None:
        syslog.syslog(syslog.LOG_WARNING, f"sudo refused: rule={_word(refused)} {who}")
        return
    what = f"account={_word(admitted.account)} grant={_word(admitted.grant)} serial={admitted.serial}"
    syslog.syslog(syslog.LOG_NOTICE, f"sudo: {what} until={spelled(admitted.ends)} {who}")


def _word(text: str) -> str:
    """One word of printable ASCII, whatever was in it."""
    return "".join(one if "!" <= one <= "~" and one != "=" else "?" for one in text)[:200] or "-"
