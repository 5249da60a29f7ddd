"""A console in a process of its own, for :mod:`.test_stopping`: its directory and port are the arguments, and
the first line that it prints is the cookie of somebody who has signed in."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from immure.cli.serve_alone import serve_alone
from immure.console.app import create_app
from immure.console.sessions import Sessions

from .world import ConsoleWorld


def main() -> None:
    world = ConsoleWorld(Path(sys.argv[1]))
    begun: list[Sessions] = []
    true = Sessions.__init__

    def noted(self: Sessions, *arguments: object) -> None:
        true(self, *arguments)  # type: ignore[arg-type]
        begun.append(self)

    Sessions.__init__ = noted  # type: ignore[method-assign, assignment]

    def make(_: object) -> object:
        app = create_app(world.settings, door=world.room.door, clock=world.room.clock)
        print(begun[0].begin("prd-ada", "a test"), flush=True)
        return app

    with suppress(KeyboardInterrupt):  # what the command line makes an exit code of
        serve_alone(make, "127.0.0.1", int(sys.argv[2]), {}, most=64)
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
