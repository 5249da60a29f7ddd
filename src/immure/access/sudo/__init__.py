"""Becoming root on a host by a certificate of OpenSSH, while its grant lasts: what PAM asks.

    wanted = Wanted(authorities, "room:debug", krl=Krl(Path("/etc/ssh/room.krl")))
    with connected(path_of_the_agent, uid, seconds=60) as agent:
        admitted = admit(wanted, Asker("prd-ada", "sudo"), agent)     # or DeniedError

The agent of whoever asks (ssh-agent(1)) signs a nonce that is made for this question, with the key of a
certificate of the room's authority. Nothing that the agent says is believed but what is signed.

Debian's ``libpam-ssh-agent-auth`` (0.10.3) knows neither certificates nor security keys, so this is a program
that ``pam_exec(8)`` runs: in a process of its own, and not inside of sudo.
"""

from __future__ import annotations

from immure.access.sudo.admitting import ACTION, Admitted, Asker, Wanted, admit
from immure.access.sudo.agent import connected
from immure.access.sudo.krl import Krl

__all__ = ["ACTION", "Admitted", "Asker", "Krl", "Wanted", "admit", "connected"]
