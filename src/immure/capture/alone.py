"""What the pipe handler does: hand the core to the server, or seal it itself if there is none.

    core_pattern = |/usr/bin/immure capture handle %P %s %u %g

It is started by the kernel for each crash, as root, with the core on its standard input and hardly any
environment.
"""

from __future__ import annotations

from pathlib import Path

from immure.capture.building import keeper_of
from immure.capture.channel import PipeChannel
from immure.capture.crash import Crash, with_facts
from immure.capture.directories import make_directory
from immure.capture.handing import hand_over
from immure.capture.intake import Intake
from immure.capture.keeping import GivenUpError, Keeper, Kept
from immure.capture.records import write_record
from immure.capture.server import resources_of
from immure.capture.settings import Settings


def handle(crash: Crash, descriptor: int, settings: Settings) -> Kept | None:
    """See to a crash whose core is to be had from a pipe; what came of it, or None if the server has it now.

    Raises:
        GivenUpError: the core was not kept.
        VaultError, KeySourceError: there is neither a server nor a vault.
    """
    if hand_over(settings.handle_socket, crash, descriptor):
        return None
    return keep_alone(with_facts(crash), descriptor, settings, keeper_of(settings))


def keep_alone(crash: Crash, descriptor: int, settings: Settings, keeper: Keeper) -> Kept:
    """Keep a core without a server; raises as :func:`handle`."""
    make_directory(Path(settings.spool))
    hold = settings.forward_to is not None
    intake = Intake(crash, PipeChannel(descriptor, hold=hold), resources_of(settings), lambda: None)
    try:
        kept = keeper.finish(intake)
        write_record(Path(settings.records), crash, kept)
    finally:
        intake.close()
    return kept


__all__ = ["GivenUpError", "handle", "keep_alone"]
